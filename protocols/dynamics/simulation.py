"""OpenMMSimulation: molecular dynamics in segments, resumable at any moment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from protocols.dynamics.engine import Engine
from protocols.dynamics.failures import device_failures_noted, with_one_restart
from protocols.dynamics.observers import Observer
from protocols.dynamics.plans import FramePlan, frame_roundings
from protocols.dynamics.platform_outputs import PlatformOutputs, about_platform, describe_platform
from protocols.dynamics.segments import Checkpoint, SegmentStore
from protocols.dynamics.trajectory import Trajectory
from protocols.errors import InputError
from protocols.graphs.protocol import Protocol
from protocols.graphs.references import OutputReference
from protocols.quantities import Time, describe_quantity, is_less
from protocols.running.pace import PROGRESS_NAME, ProgressFile, ns_per_day
from protocols.running.storage import write_atomically
from protocols.running.wall import Wall
from protocols.settings import DynamicsSettings, Integrator
from protocols.state import ThermodynamicState
from workflow_backends.platforms import PlatformChoice, select_platform
from workflow_backends.resources import ComputeResources

__all__ = ["OpenMMSimulation"]

_TOPOLOGY_NAME = "topology.pdb"


class OpenMMSimulation(Protocol):
    """Dynamics at constant temperature, and constant volume, or pressure with a Monte Carlo barostat.

    Every segment starts from nothing but the positions, velocities and box that the last one ended with, the
    Nose-Hoover chain where there is one, and seeds that follow from the run's seed and the segment's number.
    A resumed run therefore equals an uninterrupted one, bit for bit where the platform is deterministic.

    When numbers become meaningless, it goes back to its last checkpoint and on with other random numbers,
    once. This, and a device that failed, stand among the incidents of its outputs.

    Shortly before the end of the worker's job it saves a frame and goes on in another one. On the Reference
    platform it does so between segments only, so that the numbers stay the same.

    Parameters
    ----------
    system_file
        Serialised OpenMM System without thermostat and barostat.
    state_file
        Serialised OpenMM State; positions and box are read.
    continues
        Whether velocities, step and time, and a Nose-Hoover chain, are read as well; otherwise velocities are
        drawn anew, and steps count from 0. Neither brings the temperature or pressure of before along.
    state
        Temperature, and pressure for constant pressure.
    simulated_time
        To run for, rounded to whole frames.
    dynamics
        Integrator, timestep, friction, barostat, frames, segments, trajectory.
    topology_file
        PDB of the system, such as that of `BuildOpenMMSystem`; a trajectory needs one, and keeps a copy.
    seed
        Of velocities, thermostat and barostat.

    Raises
    ------
    SimulationError
        An energy is not finite for the second time, memory is too small, the device fails, or OpenMM gives
        up; the message says at which step.
    """

    uses_gpu: ClassVar[bool] = True
    durable: ClassVar[bool] = True

    observers: ClassVar[tuple[type[Observer], ...]] = ()
    """What its table has beyond that of every simulation."""

    system_file: Path
    state_file: Path
    state: ThermodynamicState
    simulated_time: Time
    dynamics: DynamicsSettings = DynamicsSettings()
    topology_file: Path | None = None
    continues: bool = False
    seed: Annotated[int, Field(ge=1, lt=2**31)] = 1

    class Outputs(PlatformOutputs):
        """What the simulation leaves, and where it ran last.

        Parameters
        ----------
        observables_file
            Comma-separated table, one row a frame; the header names the columns and their units.
        state_file
            Serialised OpenMM State of the end.
        trajectory_file, topology_file
            Positions and box of whole molecules as DCD or XTC, and the PDB to open it with, if asked for.
        frames
            Number of rows.
        ns_per_day
            Speed, over all segments.
        integrator
            Of `DynamicsSettings`.
        """

        observables_file: Path
        state_file: Path
        trajectory_file: Path | None = None
        topology_file: Path | None = None
        frames: int
        ns_per_day: float
        integrator: Integrator = "LangevinMiddle"  # of results that were kept before there was a choice

    @model_validator(mode="after")
    def _holds_a_frame(self) -> OpenMMSimulation:
        dynamics, total = self.dynamics, self.simulated_time
        if self._is_wired:
            return self
        for name in ("output_interval", "trajectory_interval"):
            if is_less(total, getattr(dynamics, name)) and (name == "output_interval" or dynamics.trajectory):
                raise InputError(
                    f"simulated_time: {describe_quantity(total)} is not allowed; it must be at least the "
                    f"{name}, {describe_quantity(getattr(dynamics, name))}"
                )
        if dynamics.trajectory and self.topology_file is None:
            raise InputError("topology_file: missing; a trajectory needs that of BuildOpenMMSystem")
        return self

    @property
    def steps(self) -> int:
        """The number of steps in all."""
        return FramePlan.of(self.dynamics, self.simulated_time).steps

    @property
    def roundings(self) -> tuple[str, ...]:
        """Which times are rounded to whole steps and frames, in words."""
        if self._is_wired:
            return ()
        return frame_roundings(self.dynamics, self.simulated_time)

    @property
    def _is_wired(self) -> bool:
        """Whether its times are outputs of other protocols, which nobody knows yet."""
        return any(isinstance(value, OutputReference) for value in (self.dynamics, self.simulated_time))

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:
        """Run what is missing, segment by segment, then write ``observables.csv`` and ``state.xml``."""
        directory = Path(directory)
        choice = select_platform(available_resources)
        plan = FramePlan.of(self.dynamics, self.simulated_time, on_cpu=choice.name in {"CPU", "Reference"})
        engine = self._engine(choice)
        trajectory = self._trajectory(directory, engine, plan)
        store = SegmentStore(directory / "segments", None if trajectory is None else trajectory.file)
        table, final = directory / "observables.csv", directory / "state.xml"
        with device_failures_noted(directory, choice):
            end = self._run_segments(store, engine, plan, directory, choice=choice, trajectory=trajectory)
            write_atomically(table, ",".join(engine.columns) + "\n" + store.frames())
            write_atomically(final, engine.serialised(end, plan.steps))
        seconds = sum(segment.seconds for segment in store.segments)
        return self.Outputs(
            observables_file=table,
            state_file=final,
            trajectory_file=None if trajectory is None else trajectory.finish(store),
            topology_file=None if trajectory is None else directory / _TOPOLOGY_NAME,
            frames=plan.frames,
            integrator=self.dynamics.integrator,
            ns_per_day=ns_per_day(plan.steps, plan.timestep_ps, seconds),
            **about_platform(choice, available_resources, directory, store.segments),
        )

    def _trajectory(self, directory: Path, engine: Engine, plan: FramePlan) -> Trajectory | None:
        if self.dynamics.trajectory is None or self.topology_file is None:
            return None
        write_atomically(directory / _TOPOLOGY_NAME, self.topology_file.read_bytes())
        return Trajectory(
            directory / f"trajectory.{self.dynamics.trajectory}",
            self.topology_file,
            number_of_particles=engine.number_of_particles,
            timestep=plan.timestep_ps,
            first_step=engine.first_step,
            frames_of_table=plan.frames_a_trajectory_frame,
            steps_a_frame=plan.steps_a_frame,
        )

    def _engine(self, choice: PlatformChoice) -> Engine:
        return Engine(
            system_file=self.system_file,
            state_file=self.state_file,
            state=self.state,
            dynamics=self.dynamics,
            continues=self.continues,
            seed=self.seed,
            choice=choice,
            observers=self.observers,
        )

    @staticmethod
    def _run_segments(
        store: SegmentStore,
        engine: Engine,
        plan: FramePlan,
        directory: Path,
        *,
        choice: PlatformChoice,
        trajectory: Trajectory | None,
    ) -> Checkpoint:
        checkpoint = store.recover()
        progress = ProgressFile(
            directory / PROGRESS_NAME,
            steps=plan.steps,
            done=store.number_of_frames * plan.steps_a_frame,
            timestep_ps=plan.timestep_ps,
        )
        wall, exact = Wall(), choice.name == "Reference"

        def attempt(number: int) -> tuple[list[str], float]:
            done = store.number_of_frames
            frames = min(plan.frames_a_segment, plan.frames - done)
            if trajectory is not None:
                trajectory.start_piece(done)
            engine.start_segment(len(store.segments), checkpoint, number)
            return engine.run(
                *(done + 1, frames, plan.steps_a_frame, progress.report, trajectory),
                must_end=None if exact else wall.is_near,
            )

        while store.number_of_frames < plan.frames or checkpoint is None:
            (rows, seconds), restarts = with_one_restart(
                attempt, before=store.restarts, directory=directory, choice=choice
            )
            checkpoint = engine.checkpoint()
            piece = None if trajectory is None else trajectory.end_piece()
            where = describe_platform(choice)
            store.commit(rows, seconds, where, checkpoint, piece=piece, restarts=restarts)
            if wall.is_near() and store.number_of_frames < plan.frames:
                Wall.go_elsewhere()
        return checkpoint
