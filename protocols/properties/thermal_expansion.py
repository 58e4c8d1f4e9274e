"""Thermal expansion at constant pressure."""

from __future__ import annotations

from typing import ClassVar

from protocols.analysis.combination import Logarithm
from protocols.analysis.fluctuations import Response
from protocols.graphs.protocol import Protocol
from protocols.properties.averages import average_volume
from protocols.properties.base import Replicas
from protocols.properties.temperature_derivative import TemperatureDerivative
from protocols.quantities import Quantity, quantity

__all__ = ["ThermalExpansion"]


class ThermalExpansion(TemperatureDerivative):
    """The coefficient of thermal expansion.

    alpha = (d ln V / d T)_p = cov(V, H) / (kB T^2 <V>), with H = U + p V, U the potential energy and p the
    applied pressure; or, by finite difference, (d ln <V> / d T)_p; in 1/K. M. P. Allen and D. J. Tildesley,
    Computer Simulation of Liquids, 2nd ed. (2017), 2.5.

    Parameters
    ----------
    substance
        Pure or a mixture.
    state
        With a pressure.
    target
        Standard error at which to stop, such as "5 %" or "5e-5 / K".
    method
        "fluctuations", or "finite difference" between liquids at T + dT and T - dT.
    temperature_step
        dT of the finite difference; None takes 10 K.
    """

    unit: ClassVar[str] = "1/K"
    response: ClassVar[Response] = Response.thermal_expansion

    def average(self, simulations: Replicas, molecules: int, pressure: Quantity) -> Protocol:  # noqa: ARG002
        """Return the logarithm of the volume of the box."""
        return Logarithm.of_average(average_volume(simulations), quantity("1 nm^3"))
