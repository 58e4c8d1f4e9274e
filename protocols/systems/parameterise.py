"""BuildOpenMMSystem: force field and coordinates become an OpenMM System."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import openmm
from openmm import app, unit

from protocols.graphs.protocol import Protocol
from protocols.quantities import Quantity
from protocols.running.storage import write_atomically
from protocols.settings import InteractionSettings, check_cutoff
from protocols.systems.forcefield import OpenMMForceField
from workflow_backends.resources import ComputeResources

__all__ = ["BuildOpenMMSystem", "create_system"]

_CONSTRAINTS = {"HBonds": app.HBonds, "AllBonds": app.AllBonds, "HAngles": app.HAngles, None: None}


class BuildOpenMMSystem(Protocol):
    """Assign force-field parameters to the molecules of a periodic box.

    Electrostatics are particle-mesh Ewald, or nothing when no particle has a charge.

    Parameters
    ----------
    coordinates_file
        PDBx/mmCIF with topology, positions and box.
    force_field
        That covers every residue.
    interactions
        Cutoff, long-range correction, constraints, ...

    Raises
    ------
    InputError
        The box is too small for the cutoff.
    """

    coordinates_file: Path
    force_field: OpenMMForceField
    interactions: InteractionSettings = InteractionSettings()

    class Outputs(Protocol.Outputs):
        """What a simulation starts from.

        Parameters
        ----------
        system_file
            Serialised OpenMM System.
        state_file
            Serialised OpenMM State with positions and box, virtual sites included.
        topology_file
            PDB of the same, with which programs open a trajectory.
        """

        system_file: Path
        state_file: Path
        topology_file: Path

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:  # noqa: ARG002
        """Write ``system.xml``, ``state.xml`` and ``topology.pdb``."""
        coordinates = app.PDBxFile(str(self.coordinates_file))
        edges = coordinates.topology.getUnitCellDimensions().value_in_unit(unit.nanometer)
        check_cutoff(self.interactions.cutoff, min(edges), f"the box of {self.coordinates_file.name}")
        force_field = self.force_field.load()
        modeller = app.Modeller(coordinates.topology, coordinates.positions)
        modeller.addExtraParticles(force_field)
        system = create_system(force_field, modeller.topology, self.interactions, app.PME)
        _spare_ewald(system, self.interactions)
        outputs = self.Outputs(
            system_file=Path(directory) / "system.xml",
            state_file=Path(directory) / "state.xml",
            topology_file=Path(directory) / "topology.pdb",
        )
        state = _with_virtual_sites(system, modeller.positions)
        write_atomically(outputs.system_file, openmm.XmlSerializer.serialize(system))
        write_atomically(outputs.state_file, openmm.XmlSerializer.serialize(state))
        write_atomically(outputs.topology_file, _pdb(modeller.topology, state.getPositions()))
        return outputs


def create_system(force_field: Any, topology: Any, interactions: InteractionSettings, method: Any) -> Any:
    """Return the OpenMM System of a topology.

    Parameters
    ----------
    force_field
        OpenMM's.
    topology
        With virtual sites.
    interactions
        Cutoff, constraints, ...
    method
        For non-bonded interactions, such as ``app.PME`` or ``app.NoCutoff``.
    """
    return force_field.createSystem(
        topology,
        nonbondedMethod=method,
        nonbondedCutoff=_md_value(interactions.cutoff, "nm"),
        switchDistance=_md_value(interactions.switching_distance, "nm"),
        useDispersionCorrection=interactions.long_range_correction,
        ewaldErrorTolerance=interactions.ewald_error_tolerance,
        constraints=_CONSTRAINTS[interactions.constraints],
        rigidWater=interactions.rigid_water,
        hydrogenMass=_md_value(interactions.hydrogen_mass, "dalton"),
    )


def _spare_ewald(system: Any, interactions: InteractionSettings) -> None:
    """Set the correction, which not every force field passes on, and leave out Ewald sums over zeros."""
    for force in system.getForces():
        if isinstance(force, openmm.NonbondedForce):
            force.setUseDispersionCorrection(interactions.long_range_correction)
            if not _has_charges(force):
                force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)


def _md_value(value: Quantity | None, unit_name: str) -> float | None:
    return None if value is None else float(value.to(unit_name).magnitude)


def _has_charges(force: Any) -> bool:
    return any(force.getParticleParameters(i)[0]._value != 0 for i in range(force.getNumParticles()))


def _with_virtual_sites(system: Any, positions: Any) -> Any:
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    context.setPositions(positions)
    context.computeVirtualSites()
    return context.getState(positions=True)


def _pdb(topology: Any, positions: Any) -> str:
    """Return the text of a PDB file without remarks, which would hold the date."""
    stream = io.StringIO()
    app.PDBFile.writeFile(topology, positions, stream)
    return "".join(
        line for line in stream.getvalue().splitlines(keepends=True) if not line.startswith("REMARK")
    )
