"""An OpenMM Context that goes from one segment of constant energy to the next, and what it measures there."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import openmm
from numpy.typing import NDArray

from protocols.constants import GAS_CONSTANT
from protocols.dynamics.displacements import CentresOfMass, mean_squared_displacements
from protocols.dynamics.engine import checkpoint_of, free_degrees, open_context
from protocols.dynamics.failures import failures_told_apart
from protocols.dynamics.plans import SegmentPlan
from protocols.dynamics.segments import Checkpoint
from protocols.errors import NotFiniteError, SimulationError
from protocols.randomness import derived_seed
from protocols.running.interruption import check_interruption
from protocols.systems.constant_energy import check_keeps_energy
from protocols.systems.particles import masses
from workflow_backends.platforms import PlatformChoice

__all__ = ["Measured", "NVEEngine", "pressure_tensor", "stress_barostat"]

_Array: TypeAlias = NDArray[np.float64]

_CONSTRAINT_TOLERANCE = 1e-6
_STEPS_A_CALL = 50  # between looks at whether the process was told to stop
_LARGEST_DRIFT = 0.05  # of the temperature
_LANGEVIN, _VERLET = 0, 1


class Measured(NamedTuple):
    """What one segment gave, as rows of tables.

    Parameters
    ----------
    segment
        One row about all of it.
    stress
        One row a frame.
    displacements
        One row a lag.
    """

    segment: str
    stress: list[str]
    displacements: list[str]


class _Frame(NamedTuple):
    """What is looked at less often than the pressure."""

    centres: _Array
    total_energy: float
    temperature: float


def stress_barostat(temperature: float) -> Any:
    """Return a force that computes stress tensors and never moves the box: its frequency is 0."""
    return openmm.MonteCarloFlexibleBarostat(1.0, temperature, 0)


def pressure_tensor(barostat: Any, context: Any) -> _Array:
    """Return the elements xx, yy, zz, xy, xz, yz of the molecular pressure tensor in bar, shape (6,).

    Parameters
    ----------
    barostat
        Of `stress_barostat`, in the Context's System.
    context
        With positions and velocities.
    """
    return -np.array(barostat.computeStressTensor(context, True)._value)


class NVEEngine:
    """Segments of constant energy that start from independent states of the canonical ensemble.

    Each segment starts with new velocities and Langevin dynamics, in which nothing is measured, and goes on
    with Verlet's algorithm. It depends on nothing but the positions and the box that it begins with, and on
    its number.

    Parameters
    ----------
    system_file, state_file
        Serialised OpenMM System, and State with positions and box.
    temperature
        In kelvin.
    friction
        Of the Langevin dynamics, in 1/ps.
    plan
        Of each segment.
    components
        How many molecules each component has, in the order of the System.
    seed
        From which each segment's seeds follow.
    choice
        The platform.

    Raises
    ------
    InputError
        The System has a barostat, a thermostat, hydrogens with mass from other atoms, or charges with an
        Ewald error tolerance above 1e-5.
    """

    def __init__(
        self,
        *,
        system_file: Path,
        state_file: Path,
        temperature: float,
        friction: float,
        plan: SegmentPlan,
        components: Sequence[int],
        seed: int,
        choice: PlatformChoice,
    ) -> None:
        self._plan, self._seed, self._temperature, self._choice = plan, seed, temperature, choice
        system = openmm.XmlSerializer.deserialize(system_file.read_text(encoding="utf-8"))
        self._start = openmm.XmlSerializer.deserialize(state_file.read_text(encoding="utf-8"))
        check_keeps_energy(system)
        self._barostat = stress_barostat(temperature)
        system.addForce(self._barostat)
        self._langevin = openmm.LangevinMiddleIntegrator(temperature, friction, plan.timestep_ps)
        self._integrator = openmm.CompoundIntegrator()
        for integrator in (self._langevin, openmm.VerletIntegrator(plan.timestep_ps)):
            integrator.setConstraintTolerance(_CONSTRAINT_TOLERANCE)
            self._integrator.addIntegrator(integrator)
        self._freedom, self._particles = free_degrees(system), system.getNumParticles()
        self._context = open_context(system, self._integrator, choice)
        self._centres = CentresOfMass(masses(system), self._context.getMolecules())
        ends = np.cumsum(components)
        self._components = [slice(end - count, end) for end, count in zip(ends, components, strict=True)]

    def measure(
        self, index: int, checkpoint: Checkpoint | None, report: Callable[[int], None], attempt: int = 0
    ) -> tuple[Measured, float]:
        """Run a segment.

        Parameters
        ----------
        index
            Its number, from 0.
        checkpoint
            The end of the one before.
        report
            Called with the steps done of this one.
        attempt
            Each draws random numbers of its own.

        Returns
        -------
        tuple
            What it gave, and the seconds of wall-clock time that it took.

        Raises
        ------
        SimulationError
            An energy is not finite or drifts, or OpenMM gives up, as `failures_told_apart` finds; the message
            says in which segment.
        """
        began = time.perf_counter()
        with self._told_apart(f"in segment {index}"):
            self._thermalise((index, attempt) if attempt else (index,), checkpoint, report)
            frames, tensors = self._run(report)
        return self._measured(index, frames, tensors), time.perf_counter() - began

    def checkpoint(self) -> Checkpoint:
        """Return where the last segment ended."""
        with self._told_apart("reading positions"):
            return checkpoint_of(self._context)

    def serialised(self, checkpoint: Checkpoint) -> str:
        """Return a checkpoint as a serialised OpenMM State with positions and box."""
        with self._told_apart("reading the end"):
            self._place(checkpoint.box, checkpoint.positions)
            self._context.setStepCount(0)  # a resumed run has taken fewer
            self._context.setTime(0)
            state = self._context.getState(positions=True)
        return str(openmm.XmlSerializer.serialize(state))

    def _told_apart(self, doing: str) -> AbstractContextManager[None]:
        return failures_told_apart(self._choice, self._particles, doing)

    def _place(self, box: Any, positions: Any) -> None:
        self._context.setPeriodicBoxVectors(*box)
        self._context.setPositions(positions)

    def _thermalise(
        self, path: tuple[int, ...], checkpoint: Checkpoint | None, report: Callable[[int], None]
    ) -> None:
        """Reach a canonical state, with seeds of this path: the segment's number, and its later attempts'."""
        self._langevin.setRandomNumberSeed(derived_seed(self._seed, "thermostat", *path))
        self._integrator.setCurrentIntegrator(_LANGEVIN)
        self._context.reinitialize()  # which gives the thermostat its seed
        if checkpoint is None:
            self._place(self._start.getPeriodicBoxVectors(), self._start.getPositions())
        else:
            self._place(checkpoint.box, checkpoint.positions)
        self._context.applyConstraints(_CONSTRAINT_TOLERANCE)
        self._context.setVelocitiesToTemperature(
            self._temperature, derived_seed(self._seed, "velocities", *path)
        )
        for done in range(0, self._plan.spacing_steps, _STEPS_A_CALL):
            self._step(min(_STEPS_A_CALL, self._plan.spacing_steps - done))
            report(done)

    def _run(self, report: Callable[[int], None]) -> tuple[list[_Frame], _Array]:
        plan = self._plan
        self._integrator.setCurrentIntegrator(_VERLET)
        frames, tensors = [], np.empty((plan.frames + 1, 6))
        for frame in range(plan.frames + 1):
            if frame:
                self._step(plan.steps_a_frame)
            tensors[frame] = pressure_tensor(self._barostat, self._context)
            if frame % plan.stride == 0:
                frames.append(self._look())
            report(plan.spacing_steps + frame * plan.steps_a_frame)
        return frames, tensors

    def _step(self, steps: int) -> None:
        check_interruption()
        self._integrator.step(steps)

    def _look(self) -> _Frame:
        state = self._context.getState(energy=True, positions=True)
        potential, kinetic = state.getPotentialEnergy()._value, state.getKineticEnergy()._value
        return _Frame(
            self._centres.of(state.getPositions(asNumpy=True)._value),
            potential + kinetic,
            2 * kinetic / (self._freedom * GAS_CONSTANT),
        )

    def _measured(self, index: int, frames: list[_Frame], tensors: _Array) -> Measured:
        plan = self._plan
        interval = plan.stride * plan.steps_a_frame * plan.timestep_ps
        times = interval * np.arange(len(frames), dtype=np.float64)
        temperature = float(np.mean([frame.temperature for frame in frames]))
        drift = self._checked_drift(index, times, np.array([frame.total_energy for frame in frames]), tensors)
        box = np.array(self._context.getState().getPeriodicBoxVectors(asNumpy=True)._value)
        positions = self._centres.unwrapped([frame.centres for frame in frames], np.diag(box))
        squares = [mean_squared_displacements(positions[:, part]) for part in self._components]
        volume, pressure = float(np.prod(np.diag(box))), float(tensors[:, :3].mean())
        step_ps = plan.steps_a_frame * plan.timestep_ps
        return Measured(
            _row(index, [temperature, drift, pressure, volume]),
            [_row(index, [frame * step_ps, *tensor]) for frame, tensor in enumerate(tensors)],
            [_row(index, [lag, *values]) for lag, *values in zip(times, *squares, strict=True)],
        )

    def _checked_drift(self, index: int, times: _Array, energies: _Array, tensors: _Array) -> float:
        """Return the rise of the total energy over the segment as one of the temperature, in kelvin."""
        if not (np.isfinite(energies).all() and np.isfinite(tensors).all()):
            raise NotFiniteError(
                f"segment {index}: an energy is not finite; start from a relaxed state or take a "
                "shorter timestep"
            )
        slope, _ = np.polyfit(times, energies, 1)
        drift = 2 * float(slope) * self._plan.nve_ps / (self._freedom * GAS_CONSTANT)
        if abs(drift) > _LARGEST_DRIFT * self._temperature:
            raise SimulationError(
                f"segment {index}: the total energy drifts by {drift:.2g} K of kinetic energy in "
                f"{self._plan.nve_ps:.6g} ps; take a shorter timestep or a switching_distance"
            )
        return drift


def _row(index: int, values: Sequence[float]) -> str:
    return f"{index}," + ",".join(f"{value:.9g}" for value in values) + "\n"
