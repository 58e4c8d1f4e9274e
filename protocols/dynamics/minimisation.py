"""OpenMMEnergyMinimisation: take the strain out of packed coordinates."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any, ClassVar

import openmm
from pydantic import Field

from protocols.dynamics.engine import open_context
from protocols.dynamics.failures import device_failures_noted, failures_told_apart
from protocols.dynamics.platform_outputs import PlatformOutputs, about_platform
from protocols.errors import NotFiniteError
from protocols.graphs.protocol import Protocol
from protocols.quantities import Force, quantity
from protocols.running.interruption import check_interruption
from protocols.running.storage import write_atomically
from workflow_backends.platforms import PlatformChoice, select_platform
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
        The energy is not finite, memory is too small, the device fails, or OpenMM gives up.
    """

    uses_gpu: ClassVar[bool] = True

    system_file: Path
    state_file: Path
    tolerance: Force = quantity("10 kJ/mol/nm")
    max_iterations: Annotated[int, Field(ge=1)] = 1000

    class Outputs(PlatformOutputs):
        """The relaxed state, and where it was computed.

        Parameters
        ----------
        state_file
            Serialised OpenMM State with positions and box.
        potential_energy
            In kJ/mol.
        """

        state_file: Path
        potential_energy: float

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:
        """Minimise, and write ``state.xml``."""
        directory = Path(directory)
        choice = select_platform(available_resources, minimise=True)
        with device_failures_noted(directory, choice):
            energy, state = self._relaxed(choice)
        file = directory / "state.xml"
        write_atomically(file, openmm.XmlSerializer.serialize(state))
        return self.Outputs(
            state_file=file,
            potential_energy=energy,
            **about_platform(choice, available_resources, directory),
        )

    def _relaxed(self, choice: PlatformChoice) -> tuple[float, Any]:
        """Return the energy and the State of the minimum."""
        system = openmm.XmlSerializer.deserialize(self.system_file.read_text(encoding="utf-8"))
        start = openmm.XmlSerializer.deserialize(self.state_file.read_text(encoding="utf-8"))
        particles = system.getNumParticles()
        context = open_context(system, openmm.VerletIntegrator(0.001), choice)
        with failures_told_apart(choice, particles, f"minimising {self.system_file}"):
            context.setPeriodicBoxVectors(*start.getPeriodicBoxVectors())
            context.setPositions(start.getPositions())
            return self._minimise(context, particles), context.getState(positions=True)

    def _minimise(self, context: Any, number_of_particles: int) -> float:
        """Minimise in short rounds, between which the process can be told to stop; return the energy."""
        tolerance = float(self.tolerance.to("kJ/mol/nm").magnitude)
        energy = math.inf
        for _ in range(0, self.max_iterations, _ITERATIONS_A_ROUND):
            check_interruption()
            openmm.LocalEnergyMinimizer.minimize(context, tolerance, _ITERATIONS_A_ROUND)
            previous, energy = energy, context.getState(energy=True).getPotentialEnergy()._value
            if not math.isfinite(energy):
                raise NotFiniteError(f"the potential energy is {energy} while minimising {self.system_file}")
            if previous - energy < _ENOUGH_KJ_PER_MOL_AND_PARTICLE * number_of_particles:
                break
        return float(energy)
