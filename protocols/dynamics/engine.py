"""An OpenMM Context that is stepped in segments and says what it sees."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import openmm
from numpy.typing import NDArray
from openmm import unit

from protocols.constants import GAS_CONSTANT
from protocols.dynamics.failures import failures_told_apart
from protocols.dynamics.integrators import chain_in, chain_of, new_integrator, restore_chain
from protocols.dynamics.observers import DALTON_PER_NM3_IN_G_PER_ML, Observer
from protocols.dynamics.segments import Checkpoint
from protocols.dynamics.trajectory import Trajectory
from protocols.errors import InputError, NotFiniteError
from protocols.randomness import derived_seed
from protocols.running.interruption import check_interruption
from protocols.settings import DynamicsSettings
from protocols.state import ThermodynamicState
from protocols.systems.particles import degrees_of_freedom, dipole_charges, masses
from workflow_backends.platforms import PlatformChoice

__all__ = ["Engine", "checkpoint_of", "free_degrees", "open_context"]

_SECONDS_A_CALL = 0.5  # so that a signal is served soon
_STEPS_A_PRESSURE = 500  # at least; one costs as much as two steps


def open_context(system: Any, integrator: Any, choice: PlatformChoice) -> Any:
    """Return an OpenMM Context on the chosen platform, whose defaults stay untouched.

    Raises
    ------
    SimulationError
        Of the kind that `failures_told_apart` finds.
    """
    with failures_told_apart(choice, system.getNumParticles(), "opening a Context"):
        platform = openmm.Platform.getPlatformByName(choice.name)
        return openmm.Context(system, integrator, platform, choice.properties)


class Engine:
    """Dynamics of one system at one state, in segments that are reproducible by themselves.

    Parameters
    ----------
    system_file, state_file
        Serialised OpenMM System, and State with positions and box.
    state
        Temperature, and pressure for a barostat.
    dynamics
        Integrator, timestep, friction, barostat interval.
    continues
        Whether to go on from the state's velocities, step and time.
    seed
        From which each segment's seeds follow.
    choice
        The platform.
    observers
        Of more columns.
    """

    def __init__(
        self,
        *,
        system_file: Path,
        state_file: Path,
        state: ThermodynamicState,
        dynamics: DynamicsSettings,
        continues: bool,
        seed: int,
        choice: PlatformChoice,
        observers: Sequence[type[Observer]] = (),
    ) -> None:
        self._choice = choice
        self._seed = seed
        self._system = openmm.XmlSerializer.deserialize(system_file.read_text(encoding="utf-8"))
        start = state_file.read_text(encoding="utf-8")
        self._start = openmm.XmlSerializer.deserialize(start)
        self._temperature = float(state.temperature.to("kelvin").magnitude)
        self._timestep = float(dynamics.timestep.to("ps").magnitude)
        self._integrator = new_integrator(dynamics, self._temperature)
        self._has_chain = dynamics.integrator == "NoseHoover"
        self._first_chain = chain_in(start) if continues and self._has_chain else ""
        self._barostat: Any = None
        if state.pressure is not None:
            pressure = float(state.pressure.to("bar").magnitude)
            self._barostat = openmm.MonteCarloBarostat(
                pressure, self._temperature, dynamics.barostat_interval
            )
            self._system.addForce(self._barostat)
        self._observers = [observer(self._system) for observer in observers]
        self._periodic = self._system.usesPeriodicBoundaryConditions()
        self._mass = float(masses(self._system).sum())
        self._degrees_of_freedom = free_degrees(self._system)
        self._continues = continues
        self._first_step = int(self._start.getStepCount()) if continues else 0
        self._first_ps = float(self._start.getTime()._value) if continues else 0.0
        self._steps_per_second = 20.0
        self._context: Any = None
        self._charges: NDArray[np.float64] | None = None

    @property
    def first_step(self) -> int:
        """At which the simulation begins."""
        return self._first_step

    @property
    def number_of_particles(self) -> int:
        """Virtual sites included."""
        return int(self._system.getNumParticles())

    @property
    def columns(self) -> list[str]:
        """The names of the values in a row, with units.

        The dipole moment of the box is among them where molecules are neutral and charges are fixed. With a
        barostat there is the pressure of the virial, in some rows only: it is nan in the others.
        """
        self._open()
        return [
            *("step", "time (ps)", "potential energy (kJ/mol)", "kinetic energy (kJ/mol)", "temperature (K)"),
            *(("volume (nm^3)", "density (g/mL)") if self._periodic else ()),
            *(() if self._barostat is None else ("pressure (bar)",)),
            *(() if self._charges is None else (f"dipole {axis} (e*nm)" for axis in "xyz")),
            *(column for observer in self._observers for column in observer.columns),
        ]

    def _open(self) -> bool:
        """Open the Context if there is none yet; return whether there was none."""
        if self._context is not None:
            return False
        self._context = open_context(self._system, self._integrator, self._choice)
        self._charges = dipole_charges(self._system, self._context.getMolecules())
        return True

    def start_segment(self, index: int, checkpoint: Checkpoint | None, attempt: int = 0) -> None:
        """Begin a segment where the last one ended, with seeds of its own and a fresh barostat.

        A barostat keeps a step counter and a move size that no checkpoint holds; a new Context resets them,
        in the uninterrupted run too. A Nose-Hoover chain goes on: at rest again and again it would take up
        energy and give none back, so that the box's would fluctuate too little.

        Parameters
        ----------
        index
            Number of the segment.
        checkpoint
            The end of the last one; None for the first.
        attempt
            Each draws random numbers of its own.
        """
        again = (attempt,) if attempt else ()
        if not self._has_chain:  # which has no random numbers
            self._integrator.setRandomNumberSeed(derived_seed(self._seed, "thermostat", index, *again))
        if self._barostat is not None:
            self._barostat.setRandomNumberSeed(derived_seed(self._seed, "barostat", index, *again))
        with self._told_apart(f"starting segment {index}"):
            if not self._open():
                self._context.reinitialize()
            if checkpoint is not None:
                self._restore(checkpoint)
            else:
                self._restore_start(derived_seed(self._seed, "velocities", *again))

    def _told_apart(self, doing: str) -> AbstractContextManager[None]:
        return failures_told_apart(self._choice, self._system.getNumParticles(), doing)

    def _restore_start(self, seed: int) -> None:
        self._context.setPeriodicBoxVectors(*self._start.getPeriodicBoxVectors())
        self._context.setPositions(self._start.getPositions())
        if self._continues:
            restore_chain(self._context, self._first_chain)
            self._context.setVelocities(self._velocities())
            return
        self._context.applyConstraints(self._integrator.getConstraintTolerance())
        self._context.setVelocitiesToTemperature(self._temperature, seed)

    def _velocities(self) -> Any:
        try:
            return self._start.getVelocities()
        except openmm.OpenMMException:
            raise InputError(
                "state_file: it has no velocities to go on from; give a simulation's, or continues=False"
            ) from None

    def _restore(self, checkpoint: Checkpoint) -> None:
        restore_chain(self._context, checkpoint.integrator)
        self._context.setPeriodicBoxVectors(*checkpoint.box)
        self._context.setPositions(checkpoint.positions)
        self._context.setVelocities(checkpoint.velocities)

    def run(
        self,
        first_frame: int,
        frames: int,
        steps_a_frame: int,
        report: Callable[[int], None],
        trajectory: Trajectory | None = None,
        *,
        must_end: Callable[[], bool] | None = None,
    ) -> tuple[list[str], float]:
        """Run so many frames, or fewer.

        Parameters
        ----------
        first_frame
            Number of the first one in the whole simulation, from 1.
        frames
            How many.
        steps_a_frame
            Steps between them.
        report
            Called with the step after each frame.
        trajectory
            To which frames are added that are due.
        must_end
            Asked after each frame whether it is the last one; None for all of them.

        Returns
        -------
        tuple
            The rows, as lines of text, and the seconds of wall-clock time that they took.

        Raises
        ------
        SimulationError
            An energy is not finite, or OpenMM gives up, as `failures_told_apart` finds; the message says at
            which step.
        """
        rows = []
        began = time.perf_counter()
        for frame in range(first_frame, first_frame + frames):
            step = frame * steps_a_frame
            with self._told_apart(f"before step {self._first_step + step}"):
                self._advance(steps_a_frame)
                due = trajectory is not None and trajectory.is_due(frame)
                positions = due or self._charges is not None or bool(self._observers)
                state = self._context.getState(energy=True, positions=positions)
                with_pressure = frame % max(1, math.ceil(_STEPS_A_PRESSURE / steps_a_frame)) == 0
                rows.append(self._row(step, state, with_pressure=with_pressure))
            if trajectory is not None and due:
                trajectory.write(state)
            report(step)
            if must_end is not None and must_end():
                break
        return rows, time.perf_counter() - began

    def _advance(self, steps: int) -> None:
        while steps > 0:
            check_interruption()
            chunk = max(1, min(steps, int(self._steps_per_second * _SECONDS_A_CALL)))
            began = time.perf_counter()
            self._integrator.step(chunk)
            self._steps_per_second = chunk / max(time.perf_counter() - began, 1e-9)
            steps -= chunk

    def _row(self, step: int, state: Any, *, with_pressure: bool) -> str:
        potential, kinetic = state.getPotentialEnergy()._value, state.getKineticEnergy()._value
        if not (math.isfinite(potential) and math.isfinite(kinetic)):
            raise NotFiniteError(
                f"step {self._first_step + step}: the potential energy is {potential} kJ/mol; start from a "
                "relaxed state or take a shorter timestep"
            )
        temperature = 2 * kinetic / (self._degrees_of_freedom * GAS_CONSTANT)
        values = [
            f"{self._first_ps + step * self._timestep:.10g}",
            repr(potential),
            repr(kinetic),
            repr(temperature),
        ]
        if self._periodic:
            volume = state.getPeriodicBoxVolume()._value
            values += [repr(volume), repr(self._mass / volume * DALTON_PER_NM3_IN_G_PER_ML)]
        if self._barostat is not None:
            values.append(repr(self._pressure() if with_pressure else math.nan))
        if self._charges is not None:
            # OpenMM keeps molecules whole. Summed row by row, so that equal positions give equal bits.
            dipole = (self._charges[:, np.newaxis] * state.getPositions(asNumpy=True)._value).sum(axis=0)
            values += [repr(float(component)) for component in dipole]
        for observer in self._observers:
            values += [repr(value) for value in observer.values(self._context, state)]
        return f"{self._first_step + step},{','.join(values)}\n"

    def _pressure(self) -> float:
        """Return the pressure of the virial in bar."""
        return float(self._barostat.computeCurrentPressure(self._context).value_in_unit(unit.bar))

    def checkpoint(self) -> Checkpoint:
        """Return where the simulation stands."""
        with self._told_apart("reading positions"):
            end = checkpoint_of(self._context)
            if not self._has_chain:
                return end
            return replace(end, integrator=chain_of(self._context))

    def serialised(self, checkpoint: Checkpoint, step: int) -> str:
        """Return a checkpoint, taken after so many steps, as a serialised OpenMM State."""
        self._open()
        with self._told_apart("reading the end"):
            self._restore(checkpoint)
            self._context.setStepCount(self._first_step + step)
            self._context.setTime(self._first_ps + step * self._timestep)
            state = self._context.getState(
                positions=True, velocities=True, integratorParameters=self._has_chain
            )
        return str(openmm.XmlSerializer.serialize(state))


def checkpoint_of(context: Any) -> Checkpoint:
    """Return where a Context stands."""
    state = context.getState(positions=True, velocities=True)
    velocity_unit = unit.nanometer / unit.picosecond
    return Checkpoint(
        state.getPositions(asNumpy=True).value_in_unit(unit.nanometer),
        state.getVelocities(asNumpy=True).value_in_unit(velocity_unit),
        np.array(state.getPeriodicBoxVectors(asNumpy=True).value_in_unit(unit.nanometer)),
    )


def free_degrees(system: Any) -> int:
    """Return the degrees of freedom that have a temperature: not those of a box kept at rest."""
    fixed_momentum = any(isinstance(force, openmm.CMMotionRemover) for force in system.getForces())
    return max(1, degrees_of_freedom(system) - (3 if fixed_momentum else 0))
