"""The series and curves behind a property's value, from the tables that its averages were made of."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protocols.analysis.observables import read_replicas
from protocols.analysis.statistics import MINIMUM_DISCARD, SeriesEstimate, pooled_mean
from protocols.errors import InputError
from protocols.quantities import quantity, registry
from protocols.report.reading import FinishedProtocol, RunReading

__all__ = ["Curve", "Series", "curves_of", "series_of"]

_FLUCTUATING = {
    "isobaric heat capacity": ("potential energy",),
    "thermal expansion": ("volume", "potential energy"),
    "isothermal compressibility": ("volume",),
    "dielectric constant": ("dipole x", "dipole y", "dipole z"),
}
"""The columns whose fluctuations give a response."""


@dataclass(frozen=True)
class Series:
    """What was sampled, in all replicas.

    Parameters
    ----------
    name, unit
        Of the quantity.
    interval
        Between frames, in picoseconds.
    replicas
        One series each, shape (frames,).
    estimate
        Their mean, and how they were cut and judged.
    protocol
        Label of the protocol that averages them.
    """

    name: str
    unit: str
    interval: float
    replicas: tuple[NDArray[np.float64], ...]
    estimate: SeriesEstimate
    protocol: str


@dataclass(frozen=True)
class Curve:
    """A function with errors, such as the mean squared displacement by lag.

    Parameters
    ----------
    name, x_name
        What it is and of what, with units.
    x, y, errors
        Shape (points,).
    """

    name: str
    x_name: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    errors: NDArray[np.float64]


def series_of(run: RunReading, label: str) -> tuple[list[Series], list[str]]:
    """Return the series that a property's value is made of, and what could not be read, in words.

    Parameters
    ----------
    run
        That has them.
    label
        Of the protocol that gives the value.
    """
    found, problems = [], []
    names = _names_of_terms(run, label)
    for protocol in run.upstream_first(label):
        if not {"observables_files", "minimum_discard"} <= protocol.inputs.keys():
            continue
        try:
            found += [_named(series, names) for series in _read(run, protocol)]
        except (OSError, ValueError, LookupError, TypeError, InputError) as error:
            problems.append(f"the series of {protocol.label} cannot be read: {' '.join(str(error).split())}")
    return found, problems


def _names_of_terms(run: RunReading, label: str) -> dict[str, str]:
    """Return, by the label of an average, what a sum calls it."""
    names: dict[str, str] = {}
    for protocol in run.upstream_first(label):
        wanted, values = protocol.inputs.get("names"), protocol.inputs.get("values")
        if not (isinstance(wanted, list) and isinstance(values, list)):
            continue
        for name, value in zip(wanted, values, strict=False):
            if isinstance(value, dict) and "protocol" in value:
                names[str(value["protocol"])[:16]] = str(name)
    return names


def _named(series: Series, names: dict[str, str]) -> Series:
    name = names.get(series.protocol.rpartition("-")[2])
    if name is None or name == series.name:
        return series
    return Series(
        f"{series.name} ({name})",
        series.unit,
        series.interval,
        series.replicas,
        series.estimate,
        series.protocol,
    )


def _read(run: RunReading, protocol: FinishedProtocol) -> Iterator[Series]:
    inputs = protocol.inputs
    if protocol.kind == "AlchemicalFreeEnergy":  # energies at other states, not a series to look at
        return
    files = [tuple(run.file(each) for each in _listed(replica)) for replica in inputs["observables_files"]]
    discard = float(inputs.get("minimum_discard", MINIMUM_DISCARD))
    names = _columns(protocol)
    columns, units, interval = read_replicas(files, names)
    if "coefficients" in inputs:
        products = [
            registry.Quantity(1.0, unit) * quantity(each["quantity"])
            for unit, each in zip(units, inputs["coefficients"], strict=True)
        ]
        factors = np.array([float(each.to(products[0].units).magnitude) for each in products])
        columns = [[factors @ np.stack(replica) for replica in zip(*columns, strict=True)]]
        names, units = (" + ".join(names),), [f"{products[0].units:~P}"]
    for name, unit, replicas in zip(names, units, columns, strict=True):
        estimate = pooled_mean(replicas, discard)
        yield Series(name, unit, interval, tuple(replicas), estimate, protocol.label)


def _columns(protocol: FinishedProtocol) -> tuple[str, ...]:
    """Return the columns of the tables that a protocol is about."""
    inputs = protocol.inputs
    if "observables" in inputs:
        return tuple(inputs["observables"])
    if "observable" in inputs:
        return (str(inputs["observable"]),)
    if "response" in inputs:
        return _FLUCTUATING[str(inputs["response"])]
    return ("surface tension",) if protocol.kind == "AverageSurfaceTension" else ("density",)


def _listed(replica: Any) -> list[Any]:
    return replica if isinstance(replica, list) else [replica]


def curves_of(run: RunReading, label: str) -> list[Curve]:
    """Return the averaged curves that a property's value is read from; what cannot be read is left out."""
    curves = []
    for protocol in run.upstream_first(label):
        if "curve_file" in protocol.outputs:
            try:
                curves.append(_curve(protocol.directory / str(protocol.outputs["curve_file"])))
            except (OSError, ValueError):
                continue
    return curves


def _curve(file: Path) -> Curve:
    with file.open(encoding="utf-8") as stream:
        header = next(csv.reader(stream))
        x, y, errors = np.loadtxt(stream, delimiter=",", ndmin=2).T[:3]
    return Curve(header[1], header[0], x, y, errors)
