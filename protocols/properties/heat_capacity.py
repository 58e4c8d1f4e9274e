"""Heat capacity at constant pressure."""

from __future__ import annotations

from typing import ClassVar

from protocols.analysis.fluctuations import Response
from protocols.constants import GAS_CONSTANT
from protocols.dynamics.gas import free_degrees_of_freedom
from protocols.graphs.protocol import Protocol
from protocols.properties.averages import average_enthalpy
from protocols.properties.base import Replicas
from protocols.properties.temperature_derivative import TemperatureDerivative
from protocols.quantities import Quantity, registry
from protocols.settings import SimulationSettings
from protocols.systems.sources import ParameterSource

__all__ = ["IsobaricHeatCapacity"]


class IsobaricHeatCapacity(TemperatureDerivative):
    """The heat capacity at constant pressure, a mole of molecules.

    C_p = var(H) / (N kB T^2) + (f / 2) kB a molecule, with H = U + p V, U the potential energy, p the applied
    pressure and N the number of molecules; or, by finite difference, (d<H> / dT)_p / N + (f / 2) kB. The
    second term is that of the kinetic energy, f the degrees of freedom of one free molecule after
    constraints: 3 for argon, 6 for rigid water, their mean in a mixture.
    Classical, in J/mol/K: bonds that a real molecule has frozen count in full, and there is no quantum
    correction. M. P. Allen and D. J. Tildesley, Computer Simulation of Liquids, 2nd ed. (2017), 2.5.

    Parameters
    ----------
    substance
        Pure or a mixture.
    state
        With a pressure.
    target
        Standard error at which to stop, such as "3 %" or "2 J/mol/K".
    method
        "fluctuations", or "finite difference" between liquids at T + dT and T - dT.
    temperature_step
        dT of the finite difference; None takes 10 K.
    """

    unit: ClassVar[str] = "J/mol/K"
    response: ClassVar[Response] = Response.heat_capacity

    def average(self, simulations: Replicas, molecules: int, pressure: Quantity) -> Protocol:
        """Return the molar enthalpy without kinetic energy."""
        return average_enthalpy(simulations, molecules, pressure)

    def constant(self, force_field: ParameterSource, settings: SimulationSettings) -> Quantity:
        """Return the part of the kinetic energy."""
        fractions = self.substance.mole_fractions(settings.number_of_molecules)
        freedom = sum(
            fraction * free_degrees_of_freedom(smiles, force_field, settings.interactions)
            for smiles, fraction in fractions.items()
        )
        return registry.Quantity(freedom / 2 * GAS_CONSTANT, "kJ/mol/K")
