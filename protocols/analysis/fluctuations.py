"""AverageFluctuations: what fluctuations at equilibrium say of the response to heat, pressure and fields."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import numpy as np
import openmm
from numpy.typing import NDArray
from pydantic import Field

from protocols.analysis.jackknife import FunctionOfMoments, pooled_function
from protocols.analysis.observables import AverageObservable, ObservablesFiles, read_replicas
from protocols.analysis.statistics import MINIMUM_DISCARD, SeriesEstimate, Status, flagged, pooled_mean
from protocols.constants import BAR_NM3, COULOMB_CONSTANT, GAS_CONSTANT
from protocols.errors import InputError
from protocols.graphs.protocol import Protocol
from protocols.state import ThermodynamicState
from protocols.systems.particles import degrees_of_freedom, dipole_charges, fixed_charges, molecules
from workflow_backends.resources import ComputeResources

__all__ = ["AverageFluctuations", "Response"]

_Array: TypeAlias = NDArray[np.float64]

_VOLUME, _ENTHALPY, _DIPOLE = "volume", "enthalpy", ("dipole x", "dipole y", "dipole z")
_LARGEST_MEAN_DIPOLE = 3.0  # standard errors


class Response(StrEnum):
    """What can be had from fluctuations."""

    heat_capacity = "isobaric heat capacity"
    thermal_expansion = "thermal expansion"
    compressibility = "isothermal compressibility"
    dielectric_constant = "dielectric constant"


class AverageFluctuations(Protocol):
    """A response function from fluctuations in simulations at constant pressure.

    With H = U + p V, U the potential energy and p the applied pressure, and all variances about the means of
    all replicas together:

    - isobaric heat capacity, var(H) / (N kB T^2) + (f / 2) kB a molecule, where f is the degrees of freedom
      of one free molecule, or their mean in a mixture;
    - thermal expansion, cov(V, H) / (kB T^2 <V>);
    - isothermal compressibility, var(V) / (kB T <V>);
    - dielectric constant, 1 + <M^2> / (3 epsilon_0 <V> kB T), where <M> is 0 by symmetry. Without charges it
      is 1.

    M. P. Allen and D. J. Tildesley, Computer Simulation of Liquids, 2nd ed. (2017), 2.5; M. Neumann, Mol.
    Phys. 50, 841 (1983).

    Parameters
    ----------
    response
        Which of them.
    observables_files
        Tables of `OpenMMSimulation`, with frames at equal intervals: one a replica, or several in order where
        a replica was continued.
    system_file
        The serialised OpenMM System of one of the replicas, for its molecules, constraints and charges.
    state
        At which they were simulated.
    minimum_discard
        Fraction of each replica that is left out at its start whatever is detected.

    Raises
    ------
    InputError
        The state has no pressure, or there are charges but no dipole moment, since a molecule is charged or
        charges are not fixed.
    """

    response: Response
    observables_files: ObservablesFiles
    system_file: Path
    state: ThermodynamicState
    minimum_discard: Annotated[float, Field(ge=0, lt=1)] = MINIMUM_DISCARD

    class Outputs(AverageObservable.Outputs):
        """As those of `AverageObservable`.

        The standard error is that of a block jackknife, n_effective and statistical_inefficiency are those of
        the slowest of the series and their products.
        """

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:  # noqa: ARG002
        """Estimate."""
        if self.state.pressure is None:
            raise InputError(f"state: no pressure; {self.response} needs one such as '1 atm'")
        formula = _FORMULAS[self.response]
        system = openmm.XmlSerializer.deserialize(self.system_file.read_text(encoding="utf-8"))
        is_dielectric = self.response is Response.dielectric_constant
        if is_dielectric and not _has_dipole(system):
            _, interval = self._series([_VOLUME])
            return self.Outputs.of(_ONE, formula.unit, interval)
        series, interval = self._series(formula.series)
        replicas = [np.stack(columns, axis=1) for columns in zip(*series, strict=True)]
        function = formula.function(system, float(self.state.temperature.to("kelvin").magnitude))
        estimate = pooled_function(replicas, formula.pairs, function, self.minimum_discard)
        if is_dielectric:
            estimate = _with_mean_dipole_checked(estimate, series[1:], self.minimum_discard)
        return self.Outputs.of(estimate, formula.unit, interval)

    def _series(self, names: Sequence[str]) -> tuple[list[list[_Array]], float]:
        """Return, for each name, one series a replica, and the time between frames in picoseconds."""
        columns = ["potential energy" if name == _ENTHALPY else name for name in names]
        series, _, interval = read_replicas(self.observables_files, [*columns, _VOLUME])
        *wanted, volumes = series
        if _ENTHALPY in names and self.state.pressure is not None:
            pressure = float(self.state.pressure.to("bar").magnitude) * BAR_NM3
            where = names.index(_ENTHALPY)
            wanted[where] = [
                energy + pressure * volume for energy, volume in zip(wanted[where], volumes, strict=True)
            ]
        return wanted, interval


_ONE = SeriesEstimate(1.0, None, 1.0, 1.0, (), Status.converged, "1 exactly: no particle has a charge")


def _has_dipole(system: Any) -> bool:
    """Return whether there are charges, of neutral molecules."""
    charges = fixed_charges(system)
    if charges is not None and not charges.any():
        return False
    if dipole_charges(system, molecules(system)) is None:
        raise InputError(
            "system_file: no dipole moment that a dielectric constant could come from; molecules must be "
            "neutral, and their charges those of one NonbondedForce"
        )
    return True


def _with_mean_dipole_checked(
    estimate: SeriesEstimate, dipole: Sequence[list[_Array]], minimum_discard: float
) -> SeriesEstimate:
    """Return the estimate, as too short if a component of the mean dipole moment is clearly not 0."""
    means = [pooled_mean(component, minimum_discard) for component in dipole]
    off = max((abs(each.mean) / each.standard_error for each in means if each.standard_error), default=0.0)
    if off <= _LARGEST_MEAN_DIPOLE:
        return estimate
    return flagged(estimate, f"the mean dipole moment, 0 by symmetry, is off by {off:.1f} standard errors")


def _heat_capacity(system: Any, temperature: float) -> FunctionOfMoments:
    number, freedom = len(molecules(system)), degrees_of_freedom(system)
    kinetic = freedom / (2 * number) * GAS_CONSTANT

    def function(_mean: _Array, covariance: _Array) -> float:
        return float(covariance[0, 0] / (number * GAS_CONSTANT * temperature**2) + kinetic)

    return function


def _thermal_expansion(_system: Any, temperature: float) -> FunctionOfMoments:
    def function(mean: _Array, covariance: _Array) -> float:
        return float(covariance[0, 1] / (GAS_CONSTANT * temperature**2 * mean[0]))

    return function


def _compressibility(_system: Any, temperature: float) -> FunctionOfMoments:
    def function(mean: _Array, covariance: _Array) -> float:
        return float(covariance[0, 0] / (GAS_CONSTANT * temperature * mean[0]) * BAR_NM3)

    return function


def _dielectric_constant(_system: Any, temperature: float) -> FunctionOfMoments:
    factor = 4 * math.pi * COULOMB_CONSTANT / (3 * GAS_CONSTANT * temperature)

    def function(mean: _Array, covariance: _Array) -> float:
        squared = np.trace(covariance[1:, 1:]) + mean[1:] @ mean[1:]  # about 0
        return float(1 + factor * squared / mean[0])

    return function


@dataclass(frozen=True)
class _Formula:
    """A response function.

    Parameters
    ----------
    unit
        Of its value.
    series
        That it is made of.
    pairs
        Of series whose fluctuations it is about.
    function
        Of System and temperature in kelvin, gives the function of means and covariances.
    """

    unit: str
    series: tuple[str, ...]
    pairs: tuple[tuple[int, int], ...]
    function: Callable[[Any, float], FunctionOfMoments]


_FORMULAS = {
    Response.heat_capacity: _Formula("kJ/mol/K", (_ENTHALPY,), ((0, 0),), _heat_capacity),
    Response.thermal_expansion: _Formula("1/K", (_VOLUME, _ENTHALPY), ((0, 1),), _thermal_expansion),
    Response.compressibility: _Formula("1/bar", (_VOLUME,), ((0, 0),), _compressibility),
    Response.dielectric_constant: _Formula(
        "dimensionless", (_VOLUME, *_DIPOLE), ((1, 1), (2, 2), (3, 3)), _dielectric_constant
    ),
}
