"""AverageSurfaceTension: the tension of a slab's surfaces, and the densities of its two phases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from protocols.analysis.observables import AverageObservable, ObservablesFiles, read_replicas
from protocols.analysis.statistics import MINIMUM_DISCARD, pooled_mean
from protocols.dynamics.observers import DensityProfile
from protocols.errors import SimulationError
from protocols.graphs.protocol import Protocol
from protocols.quantities import AnyQuantity, registry
from workflow_backends.resources import ComputeResources

__all__ = ["AverageSurfaceTension"]

_LARGEST_RATIO = 1 / 3  # of the densities of vapour and liquid, as at 0.95 of the critical temperature
_THINNEST, _THICKEST = 0.1, 0.75  # liquid, as a part of the box
_LAYERS = range(-2, 3)  # slices that are looked at together: atoms at a surface stand in layers


class AverageSurfaceTension(Protocol):
    """Average the surface tension of slabs over replicas, after a look at whether each is a slab.

    The liquid is where the mean density is above the mean of its extremes. The density of the liquid is that
    of the middle third of it, which the surfaces do not reach, the density of the vapour that of the half of
    the rest that is farthest away.

    Parameters
    ----------
    observables_files
        Tables of `OpenMMSlabSimulation`: one a replica, or several in order where a replica was continued.
    minimum_discard
        Fraction of each replica that is left out at its start whatever is detected.

    Raises
    ------
    SimulationError
        A replica is not a slab of liquid beside vapour: it has boiled, fills its box, or has come apart.
    """

    observables_files: ObservablesFiles
    minimum_discard: Annotated[float, Field(ge=0, lt=1)] = MINIMUM_DISCARD

    class Outputs(AverageObservable.Outputs):
        """As those of `AverageObservable`.

        Parameters
        ----------
        details
            Densities of liquid and vapour, means over replicas.
        """

        details: dict[str, AnyQuantity]

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:  # noqa: ARG002
        """Average."""
        [series], [unit], interval = read_replicas(self.observables_files, ["surface tension"])
        estimate = pooled_mean(series, self.minimum_discard)
        phases = []
        for number, (files, start) in enumerate(zip(self.observables_files, estimate.discarded, strict=True)):
            profile = _profile(files if isinstance(files, tuple) else (files,))[start:].mean(axis=0)
            phases.append(_phases(profile, f"replica {number + 1}"))
        liquid, vapour = np.mean(phases, axis=0)
        average = AverageObservable.Outputs.of(estimate, unit, interval)
        details = {
            "liquid density": registry.Quantity(float(liquid), "g/mL"),
            "vapour density": registry.Quantity(float(vapour), "g/mL"),
        }
        return self.Outputs(**dict(average), details=details)


def _profile(files: Sequence[Path]) -> NDArray[np.float64]:
    """Return the density in slices along z, shape (frames, slices)."""
    tables = []
    for file in files:
        with file.open(encoding="utf-8") as stream:
            header = stream.readline().split(",")
            first = header.index("density 1 (g/mL)")
            columns = range(first, first + DensityProfile.slices)
            tables.append(np.loadtxt(stream, delimiter=",", usecols=columns, ndmin=2))
    return np.concatenate(tables)


def _phases(profile: NDArray[np.float64], name: str) -> tuple[float, float]:
    """Return the densities of liquid and vapour of a profile that has the liquid in its middle."""
    away = np.abs((np.arange(len(profile)) + 0.5) / len(profile) - 0.5)  # from the middle, in boxes
    smooth = np.mean([np.roll(profile, shift) for shift in _LAYERS], axis=0)
    part = float((smooth > (smooth.max() + smooth.min()) / 2).mean())
    inside = away < max(part / 6, 1 / len(profile))
    liquid, vapour = float(profile[inside].mean()), float(profile[away > 1 / 4 + part / 4].mean())
    if vapour > _LARGEST_RATIO * liquid or part < _THINNEST:
        raise SimulationError(
            f"{name} is no slab of liquid beside vapour, with {liquid:.3g} g/mL in the middle and "
            f"{vapour:.3g} far from it: it has boiled, come apart, or is near its critical point; take a "
            "lower temperature"
        )
    if part > _THICKEST:
        raise SimulationError(
            f"{name} is no slab of liquid beside vapour: the liquid fills {part:.0%} of the box; "
            "equilibrate it at its vapour pressure, or elongate its box more"
        )
    return liquid, vapour
