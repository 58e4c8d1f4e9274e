"""Isothermal compressibility."""

from __future__ import annotations

from typing import ClassVar

from protocols.analysis.fluctuations import Response
from protocols.properties.response import ResponseProperty

__all__ = ["IsothermalCompressibility"]


class IsothermalCompressibility(ResponseProperty):
    """The isothermal compressibility, from fluctuations of the volume.

    kappa = -(d ln V / d p)_T = var(V) / (kB T <V>), in 1/bar. M. P. Allen and D. J. Tildesley, Computer
    Simulation of Liquids, 2nd ed. (2017), 2.5.

    Parameters
    ----------
    substance
        Pure or a mixture.
    state
        With a pressure.
    target
        Standard error at which to stop, such as "5 %" or "2e-6 / bar".
    """

    unit: ClassVar[str] = "1/bar"
    response: ClassVar[Response] = Response.compressibility
