"""Enthalpy of vaporization."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from protocols.analysis.combination import WeightedSum
from protocols.analysis.observables import AverageObservable
from protocols.constants import GAS_CONSTANT
from protocols.dynamics.gas import rigid_energy
from protocols.errors import InputError
from protocols.graphs.protocol import Protocol
from protocols.properties.averages import applied_pressure, average_enthalpy, tables
from protocols.properties.base import Property, PropertyWorkflow
from protocols.properties.gas import gas_replicas
from protocols.properties.liquid import liquid_replicas
from protocols.quantities import Quantity, quantity, registry
from protocols.settings import SimulationSettings
from protocols.systems.sources import ParameterSource

__all__ = ["EnthalpyOfVaporization"]

_PLUS, _MINUS = quantity("1 dimensionless"), quantity("-1 dimensionless")


class EnthalpyOfVaporization(Property):
    """The enthalpy of vaporization to the ideal gas, <U_gas> - <U_liq> / N + R T - p <V_liq> / N.

    U are potential energies, since the kinetic ones cancel, N is the number of molecules in the box and p the
    applied pressure. The gas is one molecule in vacuum at the temperature of the liquid, with its force field
    and constraints; a molecule without internal degrees of freedom needs no simulation. Source: J. Wang and
    T. Hou, J. Chem. Theory Comput. 7, 2151 (2011), who leave out p <V_liq>, which is small.

    Not included: the gas's departure from ideality, and corrections of a model for polarization or quantum
    vibrations.

    Parameters
    ----------
    substance
        Pure.
    state
        With a pressure.
    target
        Standard error at which to stop, such as "1 %" or "0.1 kJ/mol".
    """

    unit: ClassVar[str] = "kJ/mol"

    def workflow(
        self, force_field: ParameterSource, settings: SimulationSettings, rounds: Sequence[int] | None = None
    ) -> PropertyWorkflow:
        """Return the sum of the liquid's enthalpy and the gas's energy, from simulations of their own."""
        pressure = applied_pressure(self)
        if len(self.substance.components) > 1:
            raise InputError(
                f"substance: {self.substance} is not allowed; an enthalpy of vaporization needs a pure one"
            )
        [smiles] = (component.smiles for component in self.substance.components)
        simulations = liquid_replicas(self.substance, self.state, force_field, settings, rounds)
        [molecules] = self.substance.counts(settings.number_of_molecules)
        terms: list[tuple[str, Quantity, Protocol]] = [
            ("liquid", _MINUS, average_enthalpy(simulations, molecules, pressure))
        ]
        constant = GAS_CONSTANT * float(self.state.temperature.to("kelvin").magnitude)
        energy = rigid_energy(smiles, force_field, settings.interactions)
        if energy is None:
            gas = gas_replicas(smiles, self.state, force_field, settings, rounds)
            average = AverageObservable(observable="potential energy", observables_files=tables(gas))
            terms.append(("gas", _PLUS, average))
        else:
            constant += energy
        total = WeightedSum.of_averages(terms, registry.Quantity(constant, "kJ/mol"))
        return PropertyWorkflow(total, simulations)
