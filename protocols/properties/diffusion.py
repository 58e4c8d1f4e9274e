"""Self-diffusion coefficient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import field_validator, model_validator

from protocols.analysis.transport_coefficients import AverageDiffusion
from protocols.errors import InputError
from protocols.model import Model
from protocols.properties.base import Property, PropertyWorkflow
from protocols.properties.transport import transport_segments
from protocols.settings import SimulationSettings
from protocols.state import ThermodynamicState
from protocols.substance import Substance, canonical_smiles
from protocols.systems.sources import ParameterSource

__all__ = ["SelfDiffusion"]


class SelfDiffusion(Property):
    """The self-diffusion coefficient by Einstein, D_PBC = d<r^2>/dt / 6, corrected for the size of the box.

    Displacements are those of centres of mass, in segments of constant energy at the mean density of the
    liquid, fitted between a tenth and a half of a segment. The value is D_0 = D_PBC + 2.837297 kB T / (6 pi
    eta L), with the viscosity eta from the same segments and the edge L of the box: I.-C. Yeh and G. Hummer,
    J. Phys. Chem. B 108, 15873 (2004). Both it and D_PBC are among the result's details.

    Parameters
    ----------
    substance
        Pure or a mixture.
    state
        With a pressure; without one, the liquid keeps the settings' initial_density, which must be given.
    target
        Standard error at which to stop, such as "3 %" or "0.1 nm^2/ns", which is 1e-10 m^2/s.
    component
        SMILES of the molecules whose diffusion it is; a mixture needs one.
    """

    unit: ClassVar[str] = "nm^2/ns"

    component: str | None = None

    def __init__(
        self,
        substance: Substance,
        state: ThermodynamicState,
        target: object | None = None,
        component: str | None = None,
    ) -> None:
        inputs = {"substance": substance, "state": state, "target": target, "component": component}
        Model.__init__(self, **inputs)

    @field_validator("component")
    @classmethod
    def _canonical(cls, component: str | None) -> str | None:
        return None if component is None else canonical_smiles(component)

    @model_validator(mode="after")
    def _one_component(self) -> SelfDiffusion:
        known = [component.smiles for component in self.substance.components]
        if self.component is None and len(known) > 1:
            raise InputError(f"component: missing; diffusion in {self.substance} is of {' or '.join(known)}")
        if self.component is not None and self.component not in known:
            raise InputError(
                f"component: {self.component} is not in {self.substance}; give {' or '.join(known)}"
            )
        return self

    def workflow(
        self, force_field: ParameterSource, settings: SimulationSettings, rounds: Sequence[int] | None = None
    ) -> PropertyWorkflow:
        """Return the average over segments of constant energy, those of the viscosity."""
        segments = transport_segments(self, force_field, settings, rounds, cubic=True)
        viscosity = segments.viscosity
        diffusion = AverageDiffusion(
            displacements_files=segments.files("displacements_file"),
            segments_files=segments.files("segments_file"),
            component=self._number,
            number_of_molecules=sum(self.substance.counts(settings.number_of_molecules)),
            temperature=self.state.temperature,
            viscosity=viscosity.output.value,
            viscosity_error=viscosity.output.standard_error,
            viscosity_status=viscosity.output.status,
            viscosity_reason=viscosity.output.reason,
        )
        return PropertyWorkflow(diffusion, segments.simulations)

    @property
    def _number(self) -> int:
        """Of the component, in the order of the box."""
        known = [component.smiles for component in self.substance.components]
        return 0 if self.component is None else known.index(self.component)

    def __str__(self) -> str:
        if self.component is None:
            return super().__str__()
        return f"{type(self).__name__} of {self.component} in {self.substance} at {self.state}"
