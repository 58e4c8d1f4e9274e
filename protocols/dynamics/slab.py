"""A slab of liquid between its vapour: from a box of liquid to its simulation at constant volume."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import openmm
from numpy.typing import NDArray
from openmm import unit
from pydantic import Field, model_validator

from protocols.dynamics.observers import DensityProfile, Observer, SlabTension
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.errors import InputError
from protocols.graphs.protocol import Protocol
from protocols.quantities import describe_quantity
from protocols.running.storage import write_atomically
from protocols.state import ThermodynamicState
from protocols.systems.particles import masses, molecules
from workflow_backends.resources import ComputeResources

__all__ = ["BuildSlab", "OpenMMSlabSimulation"]

_LARGEST_EWALD_TOLERANCE = 1e-4
_GRID_FOR_NOTHING = 6  # points along each axis, the fewest that OpenMM's splines allow, and one more


class BuildSlab(Protocol):
    """Elongate a box of liquid along z, so that it is a slab with empty space on both sides.

    Its interactions become those that a surface needs. No isotropic long-range correction: there is no
    uniform density. Lennard-Jones interactions of a NonbondedForce have their full range by particle-mesh
    Ewald (LJPME), instead of a truncation or a switch; beyond the cutoff, unlike pairs have the geometric
    mean of OpenMM's LJPME. Those of other forces stay truncated. The Ewald error tolerance is 1e-4 or
    less: in a slab of 216 waters that leaves a noise of 3 mN/m in the tension of a frame, which fluctuates by
    120, and no bias; OpenMM's default leaves 14.

    Parameters
    ----------
    system_file
        Serialised OpenMM System of the liquid.
    state_file
        Serialised OpenMM State of the liquid, in a rectangular box.
    elongation
        The length of the slab's box in longest edges of the liquid's.

    Raises
    ------
    InputError
        The box is not rectangular.
    """

    system_file: Path
    state_file: Path
    elongation: Annotated[float, Field(ge=3)] = 3.0

    class Outputs(Protocol.Outputs):
        """What a simulation starts from.

        Parameters
        ----------
        system_file
            Serialised OpenMM System.
        state_file
            Serialised OpenMM State with positions and box.
        """

        system_file: Path
        state_file: Path

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:  # noqa: ARG002
        """Write ``system.xml`` and ``state.xml``."""
        system = openmm.XmlSerializer.deserialize(self.system_file.read_text(encoding="utf-8"))
        liquid = openmm.XmlSerializer.deserialize(self.state_file.read_text(encoding="utf-8"))
        box = np.array(liquid.getPeriodicBoxVectors(asNumpy=True).value_in_unit(unit.nanometer))
        if np.abs(box - np.diag(np.diag(box))).max() > 1e-9:
            raise InputError(
                f"state_file: the box of {self.state_file} is not rectangular, as a slab's must be"
            )
        positions = liquid.getPositions(asNumpy=True).value_in_unit(unit.nanometer)
        length = self.elongation * np.diag(box).max()
        middle = _wrapped_along_z(np.array(positions), system, box[2, 2])
        middle[:, 2] += (length - box[2, 2]) / 2
        box[2, 2] = length
        for force in system.getForces():
            _give_full_range(force)
        system.setDefaultPeriodicBoxVectors(*box)
        outputs = self.Outputs(
            system_file=Path(directory) / "system.xml", state_file=Path(directory) / "state.xml"
        )
        write_atomically(outputs.system_file, openmm.XmlSerializer.serialize(system))
        write_atomically(outputs.state_file, _serialised_state(system, middle))
        return outputs


class OpenMMSlabSimulation(OpenMMSimulation):
    """Langevin dynamics of a slab normal to z at constant volume.

    Its table has the pressures along the axes, the surface tension, and the density in slices along z too.
    """

    observers: ClassVar[tuple[type[Observer], ...]] = (SlabTension, DensityProfile)

    @model_validator(mode="after")
    def _has_constant_volume(self) -> OpenMMSlabSimulation:
        if isinstance(self.state, ThermodynamicState) and self.state.pressure is not None:
            raise InputError(
                f"state: a pressure of {describe_quantity(self.state.pressure)} is not allowed; a slab has "
                "that of its vapour"
            )
        return self


def _wrapped_along_z(positions: NDArray[np.float64], system: Any, height: float) -> NDArray[np.float64]:
    """Return positions with the centre of each molecule between 0 and the height of the box."""
    weights = masses(system)
    for molecule in molecules(system):
        centre = np.average(positions[molecule, 2], weights=weights[molecule])
        positions[molecule, 2] -= np.floor(centre / height) * height
    return positions


def _give_full_range(force: Any) -> None:
    if isinstance(force, openmm.CustomNonbondedForce):
        force.setUseLongRangeCorrection(False)
    if not isinstance(force, openmm.NonbondedForce):
        return
    force.setUseDispersionCorrection(False)
    force.setEwaldErrorTolerance(min(force.getEwaldErrorTolerance(), _LARGEST_EWALD_TOLERANCE))
    charges, _, depths = zip(
        *(force.getParticleParameters(i) for i in range(force.getNumParticles())), strict=True
    )
    if any(depth._value != 0 for depth in depths):
        force.setUseSwitchingFunction(False)
        force.setNonbondedMethod(openmm.NonbondedForce.LJPME)
        if not any(charge._value != 0 for charge in charges):
            # LJPME has a grid for charges as well, which would take most of the time.
            force.setPMEParameters(1.0, *[_GRID_FOR_NOTHING] * 3)


def _serialised_state(system: Any, positions: NDArray[np.float64]) -> str:
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    context.setPositions(positions)
    return str(openmm.XmlSerializer.serialize(context.getState(positions=True)))
