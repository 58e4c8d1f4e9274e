"""Whether a simulation was at the state that was set, and still of one liquid at its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import openmm
from numpy.typing import NDArray

from protocols.analysis.independent import independent_mean
from protocols.analysis.neighbours import centroids, emptiest_eighth, like_neighbours, median_displacement
from protocols.analysis.observables import read_observable, read_replicas
from protocols.analysis.statistics import SeriesEstimate, pooled_mean
from protocols.constants import BAR_NM3, CM3_PER_MOLE_AND_NM3, GAS_CONSTANT
from protocols.dynamics.engine import free_degrees
from protocols.errors import InputError
from protocols.quantities import decimals_of, with_error
from protocols.state import ThermodynamicState
from protocols.substance import Substance
from protocols.systems.particles import masses, molecules

__all__ = ["Check", "Replica", "SimulatedLiquid", "check_liquid", "check_segments"]

_Array = NDArray[np.float64]

_FAR = 5.0  # standard errors from what was set
_FAR_KELVIN_RELATIVE, _FAR_BAR = 0.01, 50.0  # what a timestep and the mesh of Ewald sums may do
_BOILED = 1.5  # times the volume
_GAS, _DILUTE = 3.0, 0.1  # times the density of an ideal gas, where that is below so much in g/mL
_UNEVEN, _ENOUGH = 0.4, 100  # of its share in the emptiest eighth of a box of so many molecules
_MOVED = 0.3  # of the distance between molecules; in a crystal they stay within 0.15
_DEMIXED = 0.5  # of the way from random neighbours to neighbours of one kind


@dataclass(frozen=True)
class Check:
    """Something that was looked at.

    Parameters
    ----------
    name
        What.
    passed
        Whether it is as it should be.
    text
        What was found, in one line.
    """

    name: str
    passed: bool
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


@dataclass(frozen=True)
class Replica:
    """The files of one replica.

    Parameters
    ----------
    tables
        Of its production runs, in order: of observables, or of segments of constant energy.
    first_state, last_state
        Serialised OpenMM States before and after production.
    """

    tables: tuple[Path, ...]
    first_state: Path
    last_state: Path


@dataclass(frozen=True)
class SimulatedLiquid:
    """What there is of one liquid.

    Parameters
    ----------
    state
        That was set.
    system_file
        Serialised OpenMM System.
    replicas
        At least one.
    substance, number_of_molecules
        How it was packed; None for a box of another origin.
    filled
        The part of the box that it fills, less than 1 in a slab.
    """

    state: ThermodynamicState
    system_file: Path
    replicas: tuple[Replica, ...]
    substance: Substance | None = None
    number_of_molecules: int = 0
    filled: float = 1.0


@lru_cache(maxsize=64)  # properties share liquids
def check_liquid(liquid: SimulatedLiquid) -> tuple[Check, ...]:
    """Return temperature and pressure against what was set, and whether it is still one liquid."""
    return _all(_checks, liquid)


@lru_cache(maxsize=64)
def check_segments(liquid: SimulatedLiquid) -> tuple[Check, ...]:
    """Return the same of segments of constant energy, and how far their temperatures are from what was set.

    The temperature of each is that of the energy that it began with, which differs from segment to segment.
    """
    return _all(_checks_of_segments, liquid)


def _all(checks: Callable[[SimulatedLiquid], Iterator[Check]], liquid: SimulatedLiquid) -> tuple[Check, ...]:
    try:
        return tuple(checks(liquid))
    except (OSError, ValueError, InputError, openmm.OpenMMException) as error:
        return (Check("checks", False, f"not possible: {' '.join(str(error).split())}"),)


def _checks(liquid: SimulatedLiquid) -> Iterator[Check]:
    kelvin, system = _kelvin(liquid), _system(liquid)
    yield from _set_and_found(liquid, "temperature", kelvin, "K", _FAR_KELVIN_RELATIVE * kelvin)
    if liquid.state.pressure is not None:
        bar = float(liquid.state.pressure.to("bar").magnitude)
        yield from _set_and_found(liquid, "pressure", bar, "bar", _FAR_BAR)
        yield _density(liquid, _ideal_density(system, kelvin, bar))
    yield from _structure(liquid, system)


def _checks_of_segments(liquid: SimulatedLiquid) -> Iterator[Check]:
    kelvin, system = _kelvin(liquid), _system(liquid)
    replicas = [
        np.concatenate([read_observable(table, "temperature")[0] for table in replica.tables])
        for replica in liquid.replicas
    ]
    tolerance = _FAR_KELVIN_RELATIVE * kelvin
    yield from _compared("temperature", independent_mean(replicas), kelvin, "K", tolerance)
    # A segment's kinetic energy differs from the mean of all by no more than a frame's at constant
    # temperature does: the heat capacity is at least that of the kinetic energy.
    natural = kelvin * math.sqrt(2 / free_degrees(system))
    lowest, highest = (float(edge(np.concatenate(replicas))) for edge in (np.min, np.max))
    passed = max(kelvin - lowest, highest - kelvin) <= max(tolerance, _FAR * natural)
    text = (
        f"{lowest:.4g} to {highest:.4g} K in single ones, where {kelvin:.4g} K +/- {natural:.2g} K is natural"
    )
    yield Check("temperatures", passed, text if passed else f"{text}: too far apart")
    yield from _structure(liquid, system)


def _kelvin(liquid: SimulatedLiquid) -> float:
    return float(liquid.state.temperature.to("kelvin").magnitude)


def _system(liquid: SimulatedLiquid) -> Any:
    return openmm.XmlSerializer.deserialize(liquid.system_file.read_text(encoding="utf-8"))


def _series(liquid: SimulatedLiquid, name: str) -> list[_Array]:
    [series], _, _ = read_replicas([replica.tables for replica in liquid.replicas], [name])
    return series


def _set_and_found(
    liquid: SimulatedLiquid, name: str, wanted: float, unit: str, tolerance: float
) -> Iterator[Check]:
    """Compare a mean with what was set; there is nothing to say where it was not sampled."""
    sampled = [series[np.isfinite(series)] for series in _series(liquid, name)]
    if any(len(series) == 0 for series in sampled):
        return
    yield from _compared(name, pooled_mean(sampled), wanted, unit, tolerance)


def _compared(
    name: str, found: SeriesEstimate, wanted: float, unit: str, tolerance: float
) -> Iterator[Check]:
    if found.standard_error is None:
        return
    off = abs(found.mean - wanted)
    passed = off <= max(tolerance, _FAR * found.standard_error)
    shown = round(wanted, max(2, decimals_of(found.standard_error) + 1))  # 101.325 kPa is 1.01 bar
    text = f"{with_error(found.mean, found.standard_error)} {unit}, set to {shown:g} {unit}"
    yield Check(name, passed, text if passed else f"{text}, which is too far off")


def _density(liquid: SimulatedLiquid, gas: float) -> Check:
    """Look for a phase change: as thin as a gas, or a volume half as large again as that of another time."""
    quarters = np.array(
        [[part.mean() for part in np.array_split(s, 4) if len(part)] for s in _series(liquid, "density")]
    )
    least, most, last = quarters.min(), quarters.max(), quarters[:, -1].min()
    if gas < _DILUTE and last < _GAS * gas:
        return Check(
            "phase", False, f"it boiled: {last:.3g} g/mL at the end, an ideal gas has {gas:.3g} g/mL"
        )
    if last * _BOILED < most:
        return Check("phase", False, f"it boiled: {last:.3g} g/mL at the end of {most:.3g} g/mL")
    if least * _BOILED < most:
        return Check("phase", False, f"not one phase: the density went from {least:.3g} to {most:.3g} g/mL")
    return Check("phase", True, f"a density of {least:.3g} to {most:.3g} g/mL in quarters of production")


def _ideal_density(system: Any, kelvin: float, bar: float) -> float:
    """Return the density in g/mL that these molecules would have as an ideal gas."""
    mass = float(masses(system).sum()) / len(molecules(system))
    return mass * bar * BAR_NM3 / (GAS_CONSTANT * kelvin * CM3_PER_MOLE_AND_NM3)


def _structure(liquid: SimulatedLiquid, system: Any) -> Iterator[Check]:
    if not system.usesPeriodicBoundaryConditions():
        return
    groups = sorted(molecules(system))
    moved: list[float] = []
    excess: list[float] = []
    spacing, emptiest = 0.0, 1.0
    for replica in liquid.replicas:
        (first, first_box), (last, last_box) = (
            _read(file, groups) for file in (replica.first_state, replica.last_state)
        )
        moved.append(median_displacement(first, last, first_box, last_box))
        volume = liquid.filled * abs(np.linalg.det(last_box))
        spacing = max(spacing, (volume / len(groups)) ** (1 / 3))
        emptiest = min(emptiest, emptiest_eighth(last, last_box))
        kinds = _kinds(liquid, len(groups))
        alike = None if kinds is None else like_neighbours(last, last_box, kinds)
        excess += [] if alike is None else [alike]
    if liquid.state.pressure is None and liquid.filled == 1 and len(groups) >= _ENOUGH:
        yield _evenness(emptiest)
    text = f"molecules {spacing:.2g} nm apart moved by {min(moved):.2g} nm in production"
    if min(moved) > _MOVED * spacing:
        yield Check("mobility", True, text)
    else:
        yield Check("mobility", False, f"{text}: frozen, glassy, or simulated too briefly")
    if excess:
        mixed = max(excess) <= _DEMIXED
        share = f"neighbours are {100 * max(excess):.0f} % of the way from random to all of one kind"
        yield Check("mixing", mixed, share if mixed else f"it demixed: {share}")


def _evenness(emptiest: float) -> Check:
    """Look for two phases, which a constant volume forces on a liquid that it is too large for."""
    text = f"the emptiest eighth of the box has {emptiest:.0%} of its share of molecules"
    even = emptiest > _UNEVEN
    return Check("phase", even, text if even else f"not one phase: {text}")


def _read(file: Path, groups: Sequence[Sequence[int]]) -> tuple[_Array, _Array]:
    """Return the centroids of molecules and the box vectors of a serialised State, in nanometres."""
    state: Any = openmm.XmlSerializer.deserialize(file.read_text(encoding="utf-8"))
    box = np.array(state.getPeriodicBoxVectors(asNumpy=True)._value)
    return centroids(np.array(state.getPositions(asNumpy=True)._value), groups), box


def _kinds(liquid: SimulatedLiquid, number: int) -> NDArray[np.int64] | None:
    """Return the number of each molecule's component, in the order of packing."""
    if liquid.substance is None:
        return None
    counts = liquid.substance.counts(liquid.number_of_molecules)
    return np.repeat(np.arange(len(counts)), counts) if sum(counts) == number else None
