"""Static dielectric constant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from protocols.analysis.fluctuations import Response
from protocols.errors import InputError
from protocols.properties.base import PropertyWorkflow
from protocols.properties.response import ResponseProperty
from protocols.settings import SimulationSettings
from protocols.substance import net_charge
from protocols.systems.sources import ParameterSource

__all__ = ["DielectricConstant"]


class DielectricConstant(ResponseProperty):
    """The static dielectric constant, from fluctuations of the dipole moment of the box.

    epsilon = 1 + <M^2> / (3 epsilon_0 <V> kB T), M the dipole moment with the charges of the force field. It
    is that of a box in a conductor, which is what particle-mesh Ewald simulates. <M> is 0 by symmetry, so
    that nothing is subtracted; a mean that is clearly not 0 is reported as too short a run. Electronic
    polarisation is left out unless the force field has it: a substance without charges has exactly 1.
    M. Neumann, Mol. Phys. 50, 841 (1983).

    Parameters
    ----------
    substance
        Pure or a mixture of neutral molecules.
    state
        With a pressure.
    target
        Standard error at which to stop, such as "3 %" or "2".
    """

    unit: ClassVar[str] = "dimensionless"
    response: ClassVar[Response] = Response.dielectric_constant

    def workflow(
        self, force_field: ParameterSource, settings: SimulationSettings, rounds: Sequence[int] | None = None
    ) -> PropertyWorkflow:
        """Return the estimate from replicas at constant pressure, those of the density."""
        for component in self.substance.components:
            if net_charge(component.smiles) != 0:
                raise InputError(
                    f"substance: {component.smiles} is charged; a dielectric constant needs neutral molecules"
                )
        return super().workflow(force_field, settings, rounds)
