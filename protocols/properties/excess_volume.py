"""Excess molar volume."""

from __future__ import annotations

from typing import ClassVar

from protocols.constants import CM3_PER_MOLE_AND_NM3
from protocols.graphs.protocol import Protocol
from protocols.properties.averages import average_volume
from protocols.properties.base import Replicas
from protocols.properties.mixture import PropertyOfMixing
from protocols.quantities import Quantity, registry

__all__ = ["ExcessMolarVolume"]


class ExcessMolarVolume(PropertyOfMixing):
    """The excess molar volume at constant pressure, V_mix - sum x_i V_i with V = <V_box> N_A / N.

    N is the number of molecules in the box, and x_i are the mole fractions in it. Source: its definition, as
    in J. S. Rowlinson and F. L. Swinton, Liquids and Liquid Mixtures, 3rd ed. (Butterworth, 1982).

    Parameters
    ----------
    substance
        A mixture by mole fractions.
    state
        With a pressure, at which all components are liquids.
    target
        Standard error at which to stop, such as "0.02 cm^3/mol"; a relative one is hard to meet near zero.
    """

    unit: ClassVar[str] = "cm^3/mol"

    def average(self, simulations: Replicas, molecules: int) -> tuple[Quantity, Protocol]:
        """Return the volume of one box, and N_A / N."""
        return registry.Quantity(CM3_PER_MOLE_AND_NM3 / molecules, "cm^3/mol/nm^3"), average_volume(
            simulations
        )
