"""Estimate a whole data set, and compare."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from protocols.convergence import Limits
from protocols.data_sets.comparison import Comparison, compare
from protocols.data_sets.measurement import DataSet
from protocols.errors import InputError
from protocols.estimate import estimate
from protocols.result import PropertyResult
from protocols.settings import SimulationSettings
from protocols.systems.sources import ParameterSource

__all__ = ["DataSetEstimate", "estimate_data_set"]


class DataSetEstimate(NamedTuple):
    """Estimates of a data set.

    Parameters
    ----------
    results
        One for each measured value, in its order.
    comparisons
        One for each property.
    """

    results: tuple[PropertyResult, ...]
    comparisons: tuple[Comparison, ...]


def estimate_data_set(
    data: DataSet,
    force_field: ParameterSource,
    backend: Any = None,
    *,
    target: object | None = None,
    directory: Path | str = "estimate",
    settings: SimulationSettings | None = None,
    limits: Limits | None = None,
    progress: bool | None = None,
) -> DataSetEstimate:
    """Estimate every property that a data set has a measured value of, and compare.

    Parameters
    ----------
    data
        The measured values; work that several share is done once.
    target
        The standard error at which to stop, relative, such as "0.5 %", since it is that of every property.
    force_field, backend, directory, settings, limits, progress
        As for `estimate`.

    Raises
    ------
    InputError
        The data set is empty, or an input is not allowed; nothing has been started then.
    DirectoryLockedError
        Another run is under way in the directory.
    """
    if not data.measurements:
        raise InputError("data: no measured value; give a data set with at least one")
    results = estimate(
        [item.estimated(target) for item in data.measurements],
        force_field,
        backend,
        directory=directory,
        settings=settings,
        limits=limits,
        progress=progress,
    )
    return DataSetEstimate(tuple(results), compare(data.measurements, results))
