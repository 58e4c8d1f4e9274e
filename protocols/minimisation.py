"""OpenMMEnergyMinimisation: take the strain out of packed coordinates."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, ClassVar

import openmm
from pydantic import Field

from protocols.engine import open_context
from protocols.errors import SimulationError
from protocols.interruption import check_interruption
from protocols.protocol import Protocol
from protocols.quantities import Force, quantity
from protocols.storage import write_atomically
from workflow_backends.platforms import select_platform
from workflow_backends.resources import ComputeResources

__all__ = ["OpenMMEnergyMinimisation"]

_ITERATIONS_A_ROUND = 50
_ENOUGH_KJ_PER_MOL_AND_PARTICLE = 0.25


class OpenMMEnergyMinimisation(Protocol):
    """Minimise the potential energy with OpenMM's L-BFGS, as far as dynamics needs it.

    It ends when 50 iterations gain less than 0.25 kJ/mol a particle, a tenth of kT, or when the forces fall
    below the tolerance, or after `max_iterations`.

    Parameters
    ----------
    system_file
        Serialised OpenMM System.
    state_file
        Serialised OpenMM State; positions and box are read.
    tolerance
        Root mean square force at which to stop.
    max_iterations
        At most so many, rounded up to a multiple of 50.

    Raises
    ------
    SimulationError
        The energy is not finite, or OpenMM gives up.
    """

    uses_gpu: ClassVar[bool] = True

    system_file: Path
    state_file: Path
    tolerance: Force = quantity("10 kJ/mol/nm")
    max_iterations: Annotated[int, Field(ge=1)] = 1000

    class Outputs(Protocol.Outputs):
        """The relaxed state.

        Parameters
        ----------
        state_file
            Serialised OpenMM State with positions and box.
        potential_energy
            In kJ/mol.
        platform, platform_reason
            Where it was computed, and why there.
        """

        state_file: Path
        potential_energy: float
        platform: str
        platform_reason: str

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:
        """Minimise, and write ``state.xml``."""
        system = openmm.XmlSerializer.deserialize(self.system_file.read_text())
        start = openmm.XmlSerializer.deserialize(self.state_file.read_text())
        choice = select_platform(available_resources, minimise=True)
        context = open_context(system, openmm.VerletIntegrator(0.001), choice)
        context.setPeriodicBoxVectors(*start.getPeriodicBoxVectors())
        context.setPositions(start.getPositions())
        energy = self._minimise(context, system.getNumParticles())
        file = Path(directory) / "state.xml"
        write_atomically(file, openmm.XmlSerializer.serialize(context.getState(positions=True)))
        return self.Outputs(
            state_file=file, potential_energy=energy, platform=choice.name, platform_reason=choice.reason
        )

    def _minimise(self, context: Any, number_of_particles: int) -> float:
        """Minimise in short rounds, between which the process can be told to stop; return the energy."""
        tolerance = float(self.tolerance.to("kJ/mol/nm").magnitude)
        energy = math.inf
        for _ in range(0, self.max_iterations, _ITERATIONS_A_ROUND):
            check_interruption()
            try:
                openmm.LocalEnergyMinimizer.minimize(context, tolerance, _ITERATIONS_A_ROUND)
            except openmm.OpenMMException as error:
                raise SimulationError(f"OpenMM cannot minimise {self.system_file}: {error}") from error
            previous, energy = energy, context.getState(energy=True).getPotentialEnergy()._value
            if not math.isfinite(energy):
                raise SimulationError(f"the potential energy is {energy} while minimising {self.system_file}")
            if previous - energy < _ENOUGH_KJ_PER_MOL_AND_PARTICLE * number_of_particles:
                break
        return float(energy)
