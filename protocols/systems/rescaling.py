"""ScaleToDensity: a box brought to a density by moving its molecules as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openmm

from protocols.graphs.protocol import Protocol
from protocols.quantities import MassDensity, quantity
from protocols.running.storage import write_atomically
from protocols.settings import box_edge, check_cutoff
from protocols.systems.particles import masses, molecules
from workflow_backends.resources import ComputeResources

__all__ = ["ScaleToDensity"]


class ScaleToDensity(Protocol):
    """Bring a periodic box to a density: molecules move with the box and keep their shape.

    Parameters
    ----------
    system_file
        Serialised OpenMM System.
    state_file
        Serialised OpenMM State; positions and box are read.
    density
        That the box is to have.

    Raises
    ------
    InputError
        The box would be too small for the cutoff.
    """

    system_file: Path
    state_file: Path
    density: MassDensity

    class Outputs(Protocol.Outputs):
        """The box.

        Parameters
        ----------
        state_file
            Serialised OpenMM State with positions and box.
        """

        state_file: Path

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:  # noqa: ARG002
        """Write ``state.xml``."""
        system = openmm.XmlSerializer.deserialize(self.system_file.read_text(encoding="utf-8"))
        start = openmm.XmlSerializer.deserialize(self.state_file.read_text(encoding="utf-8"))
        box = np.array(start.getPeriodicBoxVectors(asNumpy=True)._value)
        positions = np.array(start.getPositions(asNumpy=True)._value)
        edge = box_edge(float(masses(system).sum()), self.density)
        factor = edge / float(np.linalg.det(box)) ** (1 / 3)
        box *= factor
        _check_cutoff(system, float(np.diag(box).min()))
        for molecule in molecules(system):
            positions[molecule] += (factor - 1) * positions[molecule].mean(axis=0)
        context = openmm.Context(
            system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
        )
        context.setPeriodicBoxVectors(*box)
        context.setPositions(positions)
        file = Path(directory) / "state.xml"
        write_atomically(file, openmm.XmlSerializer.serialize(context.getState(positions=True)))
        return self.Outputs(state_file=file)


def _check_cutoff(system: Any, edge: float) -> None:
    for force in system.getForces():
        if isinstance(force, openmm.NonbondedForce | openmm.CustomNonbondedForce):
            cutoff = quantity(f"{force.getCutoffDistance()._value:.10g} nm")
            check_cutoff(cutoff, edge, "the box at its mean density")
