"""BuildOpenMMSystem: force field and coordinates become an OpenMM System."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import openmm
from openmm import app, unit

from protocols.graphs.protocol import Protocol
from protocols.running.storage import write_atomically
from protocols.settings import InteractionSettings, check_cutoff
from protocols.systems.sources import ParameterSource
from workflow_backends.resources import ComputeResources

__all__ = ["BuildOpenMMSystem"]


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
    parameters
        The outputs of the force field's preparations, where it has any.

    Raises
    ------
    InputError
        The box is too small for the cutoff.
    """

    coordinates_file: Path
    force_field: ParameterSource
    interactions: InteractionSettings = InteractionSettings()
    parameters: tuple[ParameterSource, ...] = ()

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
        source = self.force_field.completed(self.parameters)
        system, topology, positions = source.parameterised(
            coordinates.topology, coordinates.positions, self.interactions, periodic=True
        )
        outputs = self.Outputs(
            system_file=Path(directory) / "system.xml",
            state_file=Path(directory) / "state.xml",
            topology_file=Path(directory) / "topology.pdb",
        )
        state = _with_virtual_sites(system, positions)
        write_atomically(outputs.system_file, openmm.XmlSerializer.serialize(system))
        write_atomically(outputs.state_file, openmm.XmlSerializer.serialize(state))
        write_atomically(outputs.topology_file, _pdb(topology, state.getPositions()))
        return outputs


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
