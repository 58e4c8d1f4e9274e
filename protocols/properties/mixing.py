"""Enthalpy of mixing."""

from __future__ import annotations

from typing import ClassVar

from protocols.graphs.protocol import Protocol
from protocols.properties.averages import applied_pressure, average_enthalpy
from protocols.properties.base import Replicas
from protocols.properties.mixture import PropertyOfMixing
from protocols.quantities import Quantity, registry

__all__ = ["EnthalpyOfMixing"]


class EnthalpyOfMixing(PropertyOfMixing):
    """The molar enthalpy of mixing at constant pressure, H_mix - sum x_i H_i with H = (<U> + p <V>) / N.

    U are potential energies, since the kinetic ones cancel, p is the applied pressure, N the number of
    molecules in the box, and x_i are the mole fractions in it. Source: M. P. Allen and D. J. Tildesley,
    Computer Simulation of Liquids, 2nd ed. (Oxford, 2017), for H; the excess is its definition.

    Parameters
    ----------
    substance
        A mixture by mole fractions.
    state
        With a pressure, at which all components are liquids.
    target
        Standard error at which to stop, such as "0.02 kJ/mol"; a relative one is hard to meet near zero.
    """

    unit: ClassVar[str] = "kJ/mol"

    def average(self, simulations: Replicas, molecules: int) -> tuple[Quantity, Protocol]:
        """Return the molar enthalpy of one liquid."""
        enthalpy = average_enthalpy(simulations, molecules, applied_pressure(self))
        return registry.Quantity(1.0, "dimensionless"), enthalpy
