"""OpenMMSimulation: molecular dynamics in segments, resumable at any moment."""

from __future__ import annotations

import contextlib
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from protocols.engine import Engine
from protocols.errors import DeviceFailedError, InputError, NotFiniteError
from protocols.failures import note_incident
from protocols.platform_outputs import PlatformOutputs, about_platform
from protocols.protocol import Protocol
from protocols.quantities import Quantity, Time, describe_quantity, is_less, quantity
from protocols.references import OutputReference
from protocols.segments import Checkpoint, SegmentStore
from protocols.settings import DynamicsSettings
from protocols.state import ThermodynamicState
from protocols.storage import write_atomically
from workflow_backends.platforms import PlatformChoice, select_platform
from workflow_backends.resources import ComputeResources

__all__ = ["PROGRESS_NAME", "OpenMMSimulation"]

PROGRESS_NAME = "progress.json"

_SEGMENT_ON_CPU, _SEGMENT_ON_GPU = quantity("10 ps"), quantity("200 ps")
_PROGRESS_EVERY_S = 1.0


class OpenMMSimulation(Protocol):
    """Langevin dynamics at constant volume, or at constant pressure with a Monte Carlo barostat.

    Every segment starts from nothing but the positions, velocities and box that the last one ended with, and
    from seeds that follow from the run's seed and the segment's number. A resumed run therefore equals an
    uninterrupted one, bit for bit where the platform is deterministic.

    When numbers become meaningless, it goes back to its last checkpoint and on with other random numbers,
    once. This, and a device that failed, stand among the incidents of its outputs.

    Parameters
    ----------
    system_file
        Serialised OpenMM System without thermostat and barostat.
    state_file
        Serialised OpenMM State; positions and box are read.
    continues
        Whether velocities, step and time are read as well; otherwise velocities are drawn anew, and steps
        count from 0. Neither brings the old thermostat or barostat along.
    state
        Temperature, and pressure for constant pressure.
    simulated_time
        To run for.
    dynamics
        Timestep, friction, barostat, frames, segments.
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

    system_file: Path
    state_file: Path
    state: ThermodynamicState
    simulated_time: Time
    dynamics: DynamicsSettings = DynamicsSettings()
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
        frames
            Number of rows.
        ns_per_day
            Speed, over all segments.
        """

        observables_file: Path
        state_file: Path
        frames: int
        ns_per_day: float

    @model_validator(mode="after")
    def _holds_a_frame(self) -> OpenMMSimulation:
        dynamics, total = self.dynamics, self.simulated_time
        if any(isinstance(value, OutputReference) for value in (dynamics, total)):
            return self
        if is_less(total, dynamics.output_interval):
            raise InputError(
                f"simulated_time: {describe_quantity(total)} is not allowed; it must be at least the "
                f"output_interval, {describe_quantity(dynamics.output_interval)}"
            )
        return self

    @property
    def steps(self) -> int:
        """The number of steps in all."""
        plan = _Plan.of(self.dynamics, self.simulated_time, on_cpu=True)
        return plan.frames * plan.steps_a_frame

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:
        """Run what is missing, segment by segment, then write ``observables.csv`` and ``state.xml``."""
        directory = Path(directory)
        choice = select_platform(available_resources)
        plan = _Plan.of(self.dynamics, self.simulated_time, on_cpu=choice.name in {"CPU", "Reference"})
        store = SegmentStore(directory / "segments")
        engine = Engine(
            system_file=self.system_file,
            state_file=self.state_file,
            state=self.state,
            dynamics=self.dynamics,
            continues=self.continues,
            seed=self.seed,
            choice=choice,
        )
        try:
            end = self._run_segments(store, engine, plan, directory, choice)
        except DeviceFailedError as error:
            note_incident(directory, choice, error)
            raise
        table, final = directory / "observables.csv", directory / "state.xml"
        write_atomically(table, ",".join(engine.columns) + "\n" + store.frames())
        write_atomically(final, engine.serialised(end, plan.frames * plan.steps_a_frame))
        seconds = sum(segment.seconds for segment in store.segments)
        return self.Outputs(
            observables_file=table,
            state_file=final,
            frames=plan.frames,
            ns_per_day=plan.nanoseconds(plan.frames * plan.steps_a_frame) * 86400 / seconds,
            **about_platform(choice, available_resources, directory),
        )

    @staticmethod
    def _run_segments(
        store: SegmentStore, engine: Engine, plan: _Plan, directory: Path, choice: PlatformChoice
    ) -> Checkpoint:
        checkpoint = store.recover()
        progress = _Progress(directory / PROGRESS_NAME, plan, store.number_of_frames * plan.steps_a_frame)
        restarts = 0  # of the present segment
        while store.number_of_frames < plan.frames or checkpoint is None:
            done = store.number_of_frames
            frames = min(plan.frames_a_segment, plan.frames - done)
            try:
                engine.start_segment(len(store.segments), checkpoint, restarts)
                rows, seconds = engine.run(done + 1, frames, plan.steps_a_frame, progress.report)
            except NotFiniteError as error:
                if store.restarts + restarts:
                    raise
                note_incident(directory, choice, error)
                restarts += 1
                continue
            checkpoint = engine.checkpoint()
            store.commit(rows, seconds, engine.platform, checkpoint, restarts)
            restarts = 0
        return checkpoint


@dataclass(frozen=True)
class _Plan:
    """The simulation in whole steps and frames."""

    timestep_ps: float
    steps_a_frame: int
    frames: int
    frames_a_segment: int

    @classmethod
    def of(cls, dynamics: DynamicsSettings, total: Quantity, *, on_cpu: bool) -> _Plan:
        segment = dynamics.segment_time or (_SEGMENT_ON_CPU if on_cpu else _SEGMENT_ON_GPU)
        steps_a_frame = max(1, round(_ratio(dynamics.output_interval, dynamics.timestep)))
        frame = steps_a_frame * dynamics.timestep
        return cls(
            timestep_ps=float(dynamics.timestep.to("ps").magnitude),
            steps_a_frame=steps_a_frame,
            frames=max(1, round(_ratio(total, frame))),
            frames_a_segment=max(1, round(_ratio(segment, frame))),
        )

    def nanoseconds(self, steps: int) -> float:
        return steps * self.timestep_ps / 1000


def _ratio(long: Quantity, short: Quantity) -> float:
    return float((long / short).to("dimensionless").magnitude)


class _Progress:
    """Tells other processes, at most once a second, how far the simulation is."""

    def __init__(self, file: Path, plan: _Plan, done: int) -> None:
        self._file = file
        self._plan = plan
        self._first, self._began, self._last = done, time.monotonic(), -math.inf

    def report(self, step: int) -> None:
        now = time.monotonic()
        if now - self._last < _PROGRESS_EVERY_S:
            return
        self._last = now
        elapsed = max(now - self._began, 1e-9)
        data = {
            "steps_done": step,
            "steps_total": self._plan.frames * self._plan.steps_a_frame,
            "ns_per_day": self._plan.nanoseconds(step - self._first) * 86400 / elapsed,
        }
        with contextlib.suppress(OSError):  # nothing depends on it, and a full disk may have space again
            write_atomically(self._file, json.dumps(data))
