"""BuildAlchemicalSystem: a System in which one molecule can be made to vanish."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Annotated, Any

import openmm
from pydantic import Field

from protocols.errors import InputError
from protocols.graphs.protocol import Protocol
from protocols.late import import_late
from protocols.running.storage import write_atomically
from protocols.systems.particles import molecules
from workflow_backends.resources import ComputeResources

__all__ = ["BuildAlchemicalSystem", "alchemical_system", "check_alchemy", "load_alchemy"]

# Forces that do not depend on the charges or the Lennard-Jones parameters of particles.
_OTHERS = (
    *("HarmonicBondForce", "HarmonicAngleForce", "PeriodicTorsionForce", "RBTorsionForce"),
    *("CMAPTorsionForce", "CustomBondForce", "CustomAngleForce", "CustomTorsionForce", "CMMotionRemover"),
)


class BuildAlchemicalSystem(Protocol):
    """Make the charges and the Lennard-Jones interactions of one molecule depend on parameters.

    ``lambda_electrostatics`` scales the charges of the molecule, those that interact within it included.
    ``lambda_sterics`` scales its Lennard-Jones interactions with others, with a soft core, T. C. Beutler et
    al., Chem. Phys. Lett. 222, 529 (1994), as openmmtools has it; those within the molecule stay.
    Particle-mesh Ewald and the long-range correction are those of the System, at every value. With both at 1
    the energy is that of the System, to a millionth: OpenMM's long-range correction counts each molecule with
    itself, too, which is left out here, since it is the same at every value.

    Parameters
    ----------
    system_file
        Serialised OpenMM System, whose charges and Lennard-Jones parameters are those of one NonbondedForce.
    molecule
        Which one, counted from 0 in the order of particles.

    Raises
    ------
    InputError
        openmmtools is not installed, there is no such molecule, it has virtual sites, or the System has
        forces that cannot be scaled.
    """

    system_file: Path
    molecule: Annotated[int, Field(ge=0)]

    class Outputs(Protocol.Outputs):
        """The System.

        Parameters
        ----------
        system_file
            Serialised OpenMM System.
        """

        system_file: Path

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:  # noqa: ARG002
        """Write ``system.xml``."""
        system = openmm.XmlSerializer.deserialize(self.system_file.read_text(encoding="utf-8"))
        found = sorted(sorted(particles) for particles in molecules(system))
        if self.molecule >= len(found):
            raise InputError(f"molecule: {self.molecule} is not allowed; the system has {len(found)}")
        file = Path(directory) / "system.xml"
        made = alchemical_system(system, found[self.molecule])
        write_atomically(file, openmm.XmlSerializer.serialize(made))
        return self.Outputs(system_file=file)


def check_alchemy(system: Any, particles: list[int]) -> None:
    """Raise InputError unless these particles of a System can be made to vanish."""
    names = [type(force).__name__ for force in system.getForces()]
    unknown = sorted(set(names) - {*_OTHERS, "NonbondedForce"})
    if unknown or names.count("NonbondedForce") != 1:
        problem = f"has {', '.join(unknown)}" if unknown else f"has {names.count('NonbondedForce')} of them"
        raise InputError(
            "force_field: a solute's interactions can be scaled in one NonbondedForce only; "
            f"the system {problem}"
        )
    if any(system.isVirtualSite(particle) for particle in particles):
        raise InputError("solute: it has virtual sites, whose interactions cannot be scaled")


def alchemical_system(system: Any, particles: list[int]) -> Any:
    """Return a copy of a System in which the interactions of these particles can be scaled.

    Raises
    ------
    InputError
        openmmtools is not installed, or the System cannot be made to.
    """
    check_alchemy(system, particles)
    alchemy = load_alchemy()
    factory = alchemy.AbsoluteAlchemicalFactory(
        alchemical_pme_treatment="exact",
        disable_alchemical_dispersion_correction=False,
    )
    reference = copy.deepcopy(system)
    force = _nonbonded(reference)
    method = force.getNonbondedMethod()
    if method == openmm.NonbondedForce.CutoffPeriodic:
        # There are no charges then. As if it were Ewald, charges are scaled in place; otherwise openmmtools
        # adds forces of its own for a reaction field, which cost as much as all others.
        force.setNonbondedMethod(openmm.NonbondedForce.PME)
    region = alchemy.AlchemicalRegion(
        alchemical_atoms=particles, annihilate_electrostatics=True, annihilate_sterics=False
    )
    made = factory.create_alchemical_system(reference, region)
    _nonbonded(made).setNonbondedMethod(method)
    _remove_idle_forces(made)
    return made


def load_alchemy() -> Any:
    """Import and return ``openmmtools.alchemy``, late, since it takes a second and is optional.

    Raises
    ------
    InputError
        It is not installed.
    """
    try:
        return import_late("openmmtools.alchemy")
    except ImportError as error:
        raise InputError(
            f"openmmtools: not installed, and free energies need it ({error}); "
            "pip install 'estimate-properties[free-energy]'"
        ) from None


def _nonbonded(system: Any) -> Any:
    [force] = [force for force in system.getForces() if isinstance(force, openmm.NonbondedForce)]
    return force


def _remove_idle_forces(system: Any) -> None:
    """Remove the custom forces that openmmtools adds and that no pair of particles feels; each costs time."""
    for index in reversed(range(system.getNumForces())):
        force = system.getForce(index)
        bonds = isinstance(force, openmm.CustomBondForce) and force.getNumBonds() == 0
        pairs = isinstance(force, openmm.CustomNonbondedForce) and not _has_pairs(force)
        if bonds or pairs:
            system.removeForce(index)


def _has_pairs(force: Any) -> bool:
    """Return whether a force with interaction groups has a pair of particles that is not excluded."""
    excluded = {frozenset(force.getExclusionParticles(i)) for i in range(force.getNumExclusions())}
    groups = [force.getInteractionGroupParameters(i) for i in range(force.getNumInteractionGroups())]
    return any(
        frozenset((i, j)) not in excluded for first, second in groups for i in first for j in second if i != j
    )
