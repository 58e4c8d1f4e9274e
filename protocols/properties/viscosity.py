"""Shear viscosity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from protocols.properties.base import Property, PropertyWorkflow
from protocols.properties.transport import transport_segments
from protocols.settings import SimulationSettings
from protocols.systems.sources import ParameterSource

__all__ = ["ShearViscosity"]


class ShearViscosity(Property):
    """The shear viscosity by Green and Kubo, V / (kB T) times the integral of <P(0) P(t)>.

    P stands for the five independent elements of the traceless symmetric pressure tensor, in segments of
    constant energy at the mean density of the liquid. The integral ends at a tenth of a segment. M. S.
    Green, J. Chem. Phys. 22, 398 (1954); R. Kubo, J. Phys. Soc. Jpn. 12, 570 (1957); P. J. Daivis and D. J.
    Evans, J. Chem. Phys. 100, 541 (1994).

    Parameters
    ----------
    substance
        Pure or a mixture.
    state
        With a pressure; without one, the liquid keeps the settings' initial_density, which must be given.
    target
        Standard error at which to stop, such as "5 %" or "0.05 mPa*s".
    """

    unit: ClassVar[str] = "mPa*s"

    def workflow(
        self, force_field: ParameterSource, settings: SimulationSettings, rounds: Sequence[int] | None = None
    ) -> PropertyWorkflow:
        """Return the average over segments of constant energy, those of the diffusion."""
        segments = transport_segments(self, force_field, settings, rounds)
        return PropertyWorkflow(segments.viscosity, segments.simulations)
