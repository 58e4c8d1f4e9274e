"""OpenMMTransportSimulation: segments of constant energy in which diffusion and viscosity are measured."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from protocols.dynamics.failures import device_failures_noted, with_one_restart
from protocols.dynamics.nve_engine import NVEEngine
from protocols.dynamics.plans import SegmentPlan, segment_roundings
from protocols.dynamics.platform_outputs import PlatformOutputs, about_platform, describe_platform
from protocols.dynamics.segments import Checkpoint, SegmentStore
from protocols.errors import InputError
from protocols.graphs.protocol import Protocol
from protocols.graphs.references import OutputReference
from protocols.quantities import (
    Frequency,
    Temperature,
    Time,
    describe_quantity,
    is_less,
    quantity,
)
from protocols.running.pace import PROGRESS_NAME, ProgressFile, ns_per_day
from protocols.running.storage import write_atomically
from protocols.running.wall import Wall
from protocols.settings import TransportSettings
from workflow_backends.platforms import PlatformChoice, select_platform
from workflow_backends.resources import ComputeResources

__all__ = ["OpenMMTransportSimulation"]

_SEGMENTS = "segment,temperature (K),energy drift (K),pressure (bar),volume (nm^3)\n"
_STRESS = "segment,time (ps)" + "".join(
    f",pressure {ij} (bar)" for ij in ("xx", "yy", "zz", "xy", "xz", "yz")
)
_STRESS_NAME, _DISPLACEMENTS_NAME = "stress.csv", "displacements.csv"


class OpenMMTransportSimulation(Protocol):
    """Molecular dynamics at constant energy, in segments that start from independent canonical states.

    Before each segment velocities are drawn anew and Langevin dynamics run for `nve_spacing`, in which
    nothing is measured, since a thermostat changes how molecules move. In the segment, Verlet's algorithm
    keeps volume and energy; molecular pressure tensors and mean squared displacements are computed as it
    runs, so that no trajectory is kept. A run that was stopped goes on with the segment in which it was, from
    its beginning, and equals an uninterrupted one bit for bit where the platform is deterministic. When
    numbers become meaningless, the segment is begun again with other random numbers, once, as in
    `OpenMMSimulation`.

    Parameters
    ----------
    system_file
        Serialised OpenMM System without thermostat and barostat, with its true masses and, where there are
        charges, an Ewald error tolerance of 1e-5 at most.
    state_file
        Serialised OpenMM State at equilibrium; positions and box, which is rectangular, are read.
    temperature
        At which segments start.
    components
        How many molecules each component has, in the order of the System.
    timestep
        As in `DynamicsSettings`.
    friction
        Of the Langevin dynamics between segments.
    transport
        Length and number of segments, and how often is measured.
    seed
        Of velocities and thermostat.

    Raises
    ------
    InputError
        An interval is shorter than the timestep.
    SimulationError
        An energy is not finite for the second time, or drifts, memory is too small, the device fails, or
        OpenMM gives up; the message says in which segment.
    """

    uses_gpu: ClassVar[bool] = True
    durable: ClassVar[bool] = True

    system_file: Path
    state_file: Path
    temperature: Temperature
    components: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)]
    timestep: Time = quantity("2 fs")
    friction: Frequency = quantity("1 / ps")
    transport: TransportSettings = TransportSettings()
    seed: Annotated[int, Field(ge=1, lt=2**31)] = 1

    class Outputs(PlatformOutputs):
        """What the simulation leaves.

        Parameters
        ----------
        segments_file
            Comma-separated table, one row a segment: mean temperature; energy drift, the rise of the total
            energy over the segment as a rise in temperature were it all kinetic; mean pressure; volume.
        stress_file
            One row a pressure tensor: the segment, the time in it, and six elements.
        displacements_file
            One row a lag: the segment, the lag, and the mean squared displacement of each component.
        state_file
            Serialised OpenMM State of the end, with positions and box.
        segments
            How many.
        ns_per_day
            Speed, over all segments.
        """

        segments_file: Path
        stress_file: Path
        displacements_file: Path
        state_file: Path
        segments: int
        ns_per_day: float

    @model_validator(mode="after")
    def _intervals_have_steps(self) -> OpenMMTransportSimulation:
        for name in () if self._is_wired else ("stress_interval", "displacement_interval"):
            interval = getattr(self.transport, name)
            if is_less(interval, self.timestep):
                raise InputError(
                    f"{name}: {describe_quantity(interval)} is not allowed; it must be at least the "
                    f"timestep, {describe_quantity(self.timestep)}"
                )
        return self

    @property
    def steps(self) -> int:
        """The number of steps in all."""
        return self.transport.nve_segments * self._plan.steps

    @property
    def _plan(self) -> SegmentPlan:
        return SegmentPlan.of(self.transport, self.timestep)

    @property
    def roundings(self) -> tuple[str, ...]:
        """Which times are rounded to whole steps, in words."""
        if self._is_wired:
            return ()
        return segment_roundings(self.transport, self.timestep)

    @property
    def _is_wired(self) -> bool:
        """Whether its times are outputs of other protocols, which nobody knows yet."""
        return any(isinstance(value, OutputReference) for value in (self.transport, self.timestep))

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:
        """Run what is missing, segment by segment, then write the tables and ``state.xml``."""
        directory = Path(directory)
        choice = select_platform(available_resources)
        store = SegmentStore(directory / "segments")
        with device_failures_noted(directory, choice):
            engine = self._engine(choice)
            end = self._run_segments(store, engine, directory, choice)
            tables = {
                "segments.csv": _SEGMENTS + store.frames(),
                _STRESS_NAME: f"{_STRESS}\n" + store.frames(_STRESS_NAME),
                _DISPLACEMENTS_NAME: self._displacements_header + store.frames(_DISPLACEMENTS_NAME),
                "state.xml": engine.serialised(end),
            }
        for name, text in tables.items():
            write_atomically(directory / name, text)
        plan, number = self._plan, self.transport.nve_segments
        return self.Outputs(
            segments_file=directory / "segments.csv",
            stress_file=directory / _STRESS_NAME,
            displacements_file=directory / _DISPLACEMENTS_NAME,
            state_file=directory / "state.xml",
            segments=number,
            ns_per_day=ns_per_day(
                number * plan.steps, plan.timestep_ps, sum(segment.seconds for segment in store.segments)
            ),
            **about_platform(choice, available_resources, directory, store.segments),
        )

    def _engine(self, choice: PlatformChoice) -> NVEEngine:
        return NVEEngine(
            system_file=self.system_file,
            state_file=self.state_file,
            temperature=float(self.temperature.to("kelvin").magnitude),
            friction=float(self.friction.to("1/ps").magnitude),
            plan=self._plan,
            components=self.components,
            seed=self.seed,
            choice=choice,
        )

    def _run_segments(
        self, store: SegmentStore, engine: NVEEngine, directory: Path, choice: PlatformChoice
    ) -> Checkpoint:
        checkpoint = store.recover()
        plan, number = self._plan, self.transport.nve_segments
        progress = ProgressFile(
            directory / PROGRESS_NAME,
            steps=self.steps,
            done=len(store.segments) * plan.steps,
            timestep_ps=plan.timestep_ps,
        )
        wall = Wall()
        while len(store.segments) < number or checkpoint is None:
            index = len(store.segments)
            report = partial(_report, progress, index * plan.steps)
            (measured, seconds), restarts = with_one_restart(
                partial(engine.measure, index, checkpoint, report),
                before=store.restarts,
                directory=directory,
                choice=choice,
            )
            checkpoint = engine.checkpoint()
            more = {
                _STRESS_NAME: "".join(measured.stress),
                _DISPLACEMENTS_NAME: "".join(measured.displacements),
            }
            where = describe_platform(choice)
            store.commit([measured.segment], seconds, where, checkpoint, more=more, restarts=restarts)
            if wall.is_near() and len(store.segments) < number:
                Wall.go_elsewhere()
        return checkpoint

    @property
    def _displacements_header(self) -> str:
        names = "".join(f",component {number} (nm^2)" for number in range(len(self.components)))
        return f"segment,lag (ps){names}\n"


def _report(progress: ProgressFile, first: int, step: int) -> None:
    progress.report(first + step)
