"""Thermal expansion at constant pressure."""

from __future__ import annotations

from typing import ClassVar

from protocols.fluctuations import Response
from protocols.properties.response import ResponseProperty

__all__ = ["ThermalExpansion"]


class ThermalExpansion(ResponseProperty):
    """The coefficient of thermal expansion, from how volume and enthalpy fluctuate together.

    alpha = (d ln V / d T)_p = cov(V, H) / (kB T^2 <V>), with H = U + p V, U the potential energy and p the
    applied pressure; in 1/K. M. P. Allen and D. J. Tildesley, Computer Simulation of Liquids, 2nd ed. (2017),
    2.5.

    Parameters
    ----------
    substance
        Pure or a mixture.
    state
        With a pressure.
    target
        Standard error at which to stop, such as "5 %" or "5e-5 / K".
    """

    unit: ClassVar[str] = "1/K"
    response: ClassVar[Response] = Response.thermal_expansion
