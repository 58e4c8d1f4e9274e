"""Thermal expansion at constant pressure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from protocols.fluctuations import Response
from protocols.forcefield import OpenMMForceField
from protocols.properties.base import Property, PropertyWorkflow
from protocols.properties.response import response_workflow
from protocols.settings import SimulationSettings

__all__ = ["ThermalExpansion"]


class ThermalExpansion(Property):
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

    def workflow(
        self, force_field: OpenMMForceField, settings: SimulationSettings, rounds: Sequence[int] | None = None
    ) -> PropertyWorkflow:
        """Return the estimate from replicas at constant pressure, those of the density."""
        return response_workflow(self, Response.thermal_expansion, force_field, settings, rounds)
