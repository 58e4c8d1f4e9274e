"""Isothermal compressibility."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from protocols.fluctuations import Response
from protocols.forcefield import OpenMMForceField
from protocols.properties.base import Property, PropertyWorkflow
from protocols.properties.response import response_workflow
from protocols.settings import SimulationSettings

__all__ = ["IsothermalCompressibility"]


class IsothermalCompressibility(Property):
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

    def workflow(
        self, force_field: OpenMMForceField, settings: SimulationSettings, rounds: Sequence[int] | None = None
    ) -> PropertyWorkflow:
        """Return the estimate from replicas at constant pressure, those of the density."""
        return response_workflow(self, Response.compressibility, force_field, settings, rounds)
