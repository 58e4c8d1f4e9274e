"""AverageObservable: the mean of a column of the tables that simulations write."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protocols.analysis.statistics import MINIMUM_DISCARD, SeriesEstimate, Status, pooled_mean
from protocols.errors import InputError
from protocols.graphs.protocol import Protocol
from protocols.quantities import AnyQuantity, Time, registry
from workflow_backends.resources import ComputeResources

__all__ = ["AverageObservable", "ObservablesFiles", "read_observable", "read_replicas"]

ObservablesFiles: TypeAlias = Annotated[tuple[Path | tuple[Path, ...], ...], Field(min_length=1)]
"""Tables of replicas: one a replica, or several in order where a replica was continued."""


class AverageObservable(Protocol):
    """Average an observable over replicas, with a standard error from decorrelated samples.

    Parameters
    ----------
    observable
        Name of a column, such as "density".
    observables_files
        Tables of `OpenMMSimulation`, with frames at equal intervals: one a replica, or several in order where
        a replica was continued.
    minimum_discard
        Fraction of each replica that is left out at its start whatever is detected.

    Raises
    ------
    InputError
        A table has no such column; the message lists those it has.
    """

    observable: str
    observables_files: ObservablesFiles
    minimum_discard: Annotated[float, Field(ge=0, lt=1)] = MINIMUM_DISCARD

    class Outputs(Protocol.Outputs):
        """The average.

        Parameters
        ----------
        value, standard_error
            In the unit of the table; a constant has no standard error.
        n_effective
            Uncorrelated samples, pooled over replicas.
        statistical_inefficiency
            Time between uncorrelated samples.
        discarded_ps
            Simulated time left out of each replica, in picoseconds.
        status, reason
            Whether the simulations are long enough, and if not, why not.
        """

        value: AnyQuantity
        standard_error: AnyQuantity | None
        n_effective: float
        statistical_inefficiency: Time
        discarded_ps: tuple[float, ...]
        status: Status
        reason: str

        @classmethod
        def of(cls, estimate: SeriesEstimate, unit: str, interval: float) -> Self:
            """Return an estimate in this unit, from frames at this interval in picoseconds."""
            error, g = estimate.standard_error, estimate.statistical_inefficiency
            return cls(
                value=registry.Quantity(estimate.mean, unit),
                standard_error=None if error is None else registry.Quantity(error, unit),
                n_effective=estimate.n_effective,
                statistical_inefficiency=registry.Quantity(g * interval, "ps"),
                discarded_ps=tuple(frames * interval for frames in estimate.discarded),
                status=estimate.status,
                reason=estimate.reason,
            )

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:  # noqa: ARG002
        """Average."""
        [series], [unit], interval = read_replicas(self.observables_files, [self.observable])
        return self.Outputs.of(pooled_mean(series, self.minimum_discard), unit, interval)


def read_replicas(
    observables_files: Sequence[Path | tuple[Path, ...]], names: Sequence[str]
) -> tuple[list[list[NDArray[np.float64]]], list[str], float]:
    """Return columns of tables, whose frames are at equal intervals.

    Parameters
    ----------
    observables_files
        One a replica, or several in order where a replica was continued.
    names
        Of the columns.

    Returns
    -------
    tuple
        For each name, a list of one series a replica, shape (frames,) each; the units of the columns; and
        the time between frames in picoseconds.

    Raises
    ------
    InputError
        A table has no such column; the message lists those it has.
    """
    replicas = [files if isinstance(files, tuple) else (files,) for files in observables_files]
    read = [[_read_columns(file, names)[0] for file in files] for files in replicas]
    joined = [np.concatenate(tables, axis=1) for tables in read]
    _, units = _read_columns(replicas[0][0], names, rows=1)
    by_name = [[series[i] for series in joined] for i in range(len(names))]
    return by_name, units, _frame_interval(replicas[0][0])


def _frame_interval(file: Path) -> float:
    """Return the time between frames in picoseconds."""
    [times], _ = _read_columns(file, ["time"], rows=2)
    return float(times[-1] - times[0]) if len(times) > 1 else float(times[0])


def read_observable(file: Path, name: str) -> tuple[NDArray[np.float64], str]:
    """Return a column of a table of observables, shape (frames,), and its unit.

    Raises
    ------
    InputError
        The table has no such column; the message lists those it has.
    """
    [series], [unit] = _read_columns(file, [name])
    return series, unit


def _read_columns(
    file: Path, wanted: Sequence[str], rows: int | None = None
) -> tuple[NDArray[np.float64], list[str]]:
    """Return columns, shape (columns, frames), and their units; of the first rows only where so many."""
    with file.open(encoding="utf-8") as stream:
        header = stream.readline().strip().split(",")
        columns = [column.rstrip(")").partition(" (") for column in header]
        names = [column for column, _, _ in columns]
        for name in wanted:
            if name not in names:
                raise InputError(f"observable: {name!r} is not in {file}; it has {', '.join(names)}")
        where = [names.index(name) for name in wanted]
        data = np.loadtxt(stream, delimiter=",", usecols=where, ndmin=2, max_rows=rows)
        return data.T, [columns[i][2] for i in where]
