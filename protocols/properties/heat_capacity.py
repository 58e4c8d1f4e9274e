"""Heat capacity at constant pressure."""

from __future__ import annotations

from typing import ClassVar

from protocols.fluctuations import Response
from protocols.properties.response import ResponseProperty

__all__ = ["IsobaricHeatCapacity"]


class IsobaricHeatCapacity(ResponseProperty):
    """The heat capacity at constant pressure, a mole of molecules, from fluctuations of the enthalpy.

    C_p = var(H) / (N kB T^2) + (f / 2) kB a molecule, with H = U + p V, U the potential energy, p the applied
    pressure and N the number of molecules. The second term is that of the kinetic energy, f the degrees of
    freedom of one free molecule after constraints: 3 for argon, 6 for rigid water, their mean in a mixture.
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
    """

    unit: ClassVar[str] = "J/mol/K"
    response: ClassVar[Response] = Response.heat_capacity
