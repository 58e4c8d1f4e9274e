"""One molecule in vacuum: its System, the energy of a rigid one, and the dynamics of a flexible one."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar

import openmm
from openmm import unit
from pydantic import Field, model_validator

from protocols.dynamics.simulation import OpenMMSimulation
from protocols.graphs.protocol import Protocol
from protocols.running.storage import write_atomically
from protocols.settings import DynamicsSettings, InteractionSettings
from protocols.systems.constraints import constrained_pairs
from protocols.systems.particles import degrees_of_freedom
from protocols.systems.sources import ParameterSource
from protocols.systems.topology import Molecule, box_topology
from workflow_backends.resources import ComputeResources

__all__ = [
    "BuildGasMolecule",
    "OpenMMGasSimulation",
    "free_degrees_of_freedom",
    "molecule_in_vacuum",
    "rigid_energy",
]

_CONSTRAINT_TOLERANCE = 1e-8
# One molecule is too little work for threads, let alone a GPU: three atoms make 2 million steps a second on
# Reference and ten thousand on CPU.
_PLATFORM = "Reference"


class BuildGasMolecule(Protocol):
    """Assign force-field parameters to one molecule in vacuum, without cutoff, and minimise its energy.

    Parameters
    ----------
    smiles
        Of the molecule, canonical.
    force_field
        That covers it.
    interactions
        Constraints and masses, as in the liquid.
    parameters
        The outputs of the force field's preparations, where it has any.
    seed
        Of the conformer to start from.

    Raises
    ------
    InputError
        RDKit finds no conformer.
    """

    smiles: str
    force_field: ParameterSource
    interactions: InteractionSettings = InteractionSettings()
    parameters: tuple[ParameterSource, ...] = ()
    seed: Annotated[int, Field(ge=1, lt=2**31)] = 1

    class Outputs(Protocol.Outputs):
        """What a simulation starts from.

        Parameters
        ----------
        system_file
            Serialised OpenMM System, not periodic.
        state_file
            Serialised OpenMM State with positions, virtual sites included.
        """

        system_file: Path
        state_file: Path

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:  # noqa: ARG002
        """Write ``system.xml`` and ``state.xml``."""
        context = molecule_in_vacuum(
            self.smiles, self.force_field.completed(self.parameters), self.interactions, self.seed
        )
        openmm.LocalEnergyMinimizer.minimize(context)
        outputs = self.Outputs(
            system_file=Path(directory) / "system.xml", state_file=Path(directory) / "state.xml"
        )
        write_atomically(outputs.system_file, openmm.XmlSerializer.serialize(context.getSystem()))
        write_atomically(outputs.state_file, openmm.XmlSerializer.serialize(context.getState(positions=True)))
        return outputs


class OpenMMGasSimulation(OpenMMSimulation):
    """Langevin dynamics of one molecule in vacuum, on the Reference platform, which is the fastest for it."""

    uses_gpu: ClassVar[bool] = False

    @model_validator(mode="after")
    def _is_thermalised(self) -> OpenMMGasSimulation:
        if isinstance(self.dynamics, DynamicsSettings):
            self.dynamics.refuse_chains("one molecule in vacuum")
        return self

    def execute(self, directory: Path, available_resources: ComputeResources) -> OpenMMSimulation.Outputs:
        """Run what is missing, whatever platform the worker has for others."""
        return super().execute(directory, replace(available_resources, platform=_PLATFORM))


@lru_cache(maxsize=1000)
def rigid_energy(
    smiles: str, force_field: ParameterSource, interactions: InteractionSettings
) -> float | None:
    """Return the potential energy in kJ/mol of a molecule without internal degrees of freedom, else None.

    It is 0 for a single site and for common water models, whose sites do not interact within a molecule.
    None, too, for a molecule whose parameters are not known before the run.
    """
    if force_field.preparations(smiles):
        return None
    context = molecule_in_vacuum(smiles, force_field, interactions, seed=1)
    if _is_flexible(context.getSystem()):
        return None
    energy = context.getState(energy=True).getPotentialEnergy()._value
    return round(float(energy), 6)  # well beyond any error bar, and the same on every machine


@lru_cache(maxsize=1000)
def free_degrees_of_freedom(
    smiles: str, force_field: ParameterSource, interactions: InteractionSettings
) -> int:
    """Return the degrees of freedom of a free molecule after constraints: 3 for argon, 6 for rigid water."""
    if force_field.preparations(smiles):
        topology = box_topology([(Molecule.from_smiles(smiles), 1)])
        return 3 * int(topology.getNumAtoms()) - len(constrained_pairs(topology, interactions))
    return degrees_of_freedom(molecule_in_vacuum(smiles, force_field, interactions, seed=1).getSystem())


def _is_flexible(system: Any) -> bool:
    """Tell whether constraints leave more than translation and rotation."""
    moving = sum(1 for i in range(system.getNumParticles()) if system.getParticleMass(i)._value > 0)
    free = {1: 3, 2: 5}.get(moving, 6)
    return bool(3 * moving - system.getNumConstraints() > free)


def molecule_in_vacuum(
    smiles: str, force_field: ParameterSource, interactions: InteractionSettings, seed: int
) -> Any:
    """Return a Context of the molecule that has positions and obeys constraints."""
    molecule = Molecule.from_smiles(smiles, seed)
    system, _, positions = force_field.parameterised(
        box_topology([(molecule, 1)]), molecule.positions * unit.nanometer, interactions, periodic=False
    )
    context = openmm.Context(
        system,
        openmm.VerletIntegrator(0.001),
        openmm.Platform.getPlatformByName(_PLATFORM),
    )
    context.setPositions(positions)
    context.applyConstraints(_CONSTRAINT_TOLERANCE)
    context.computeVirtualSites()
    return context
