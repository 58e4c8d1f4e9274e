"""Simulations in whole steps and frames, and what that makes of the times that were asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from protocols.graphs.protocol import Protocol
from protocols.quantities import Quantity, describe_quantity, quantity, ratio
from protocols.settings import DynamicsSettings, TransportSettings

__all__ = ["FramePlan", "SegmentPlan", "frame_roundings", "roundings_of", "segment_roundings"]

_SEGMENT_ON_CPU, _SEGMENT_ON_GPU = quantity("10 ps"), quantity("200 ps")
_EQUAL = 1e-6  # relative; what the same time in other units may differ by


@dataclass(frozen=True)
class FramePlan:
    """A simulation in whole steps and frames.

    Parameters
    ----------
    timestep_ps
        In picoseconds.
    steps_a_frame
        Between rows of the table.
    frames
        In all.
    frames_a_segment
        Between checkpoints.
    frames_a_trajectory_frame
        Between positions that are kept.
    """

    timestep_ps: float
    steps_a_frame: int
    frames: int
    frames_a_segment: int
    frames_a_trajectory_frame: int

    @classmethod
    def of(cls, dynamics: DynamicsSettings, total: Quantity, *, on_cpu: bool = True) -> FramePlan:
        """Return the plan of a simulation of this time, rounded to whole frames, and these to whole steps."""
        segment = dynamics.segment_time or (_SEGMENT_ON_CPU if on_cpu else _SEGMENT_ON_GPU)
        steps_a_frame = max(1, round(ratio(dynamics.output_interval, dynamics.timestep)))
        frame = steps_a_frame * dynamics.timestep
        return cls(
            timestep_ps=float(dynamics.timestep.to("ps").magnitude),
            steps_a_frame=steps_a_frame,
            frames=max(1, round(ratio(total, frame))),
            frames_a_segment=max(1, round(ratio(segment, frame))),
            frames_a_trajectory_frame=max(1, round(ratio(dynamics.trajectory_interval, frame))),
        )

    @property
    def steps(self) -> int:
        """In all."""
        return self.frames * self.steps_a_frame


@dataclass(frozen=True)
class SegmentPlan:
    """One segment in whole steps: a frame has a pressure tensor, every so many a position.

    Parameters
    ----------
    timestep_ps
        In picoseconds.
    spacing_steps
        Of Langevin dynamics before it.
    steps_a_frame
        Between pressure tensors.
    frames
        After the first one, which is that of step 0.
    stride
        Frames between positions; a divisor of `frames`.
    """

    timestep_ps: float
    spacing_steps: int
    steps_a_frame: int
    frames: int
    stride: int

    @classmethod
    def of(cls, transport: TransportSettings, timestep: Quantity) -> SegmentPlan:
        """Return the plan of segments as they are asked for, rounded to whole steps."""
        steps = max(1, round(ratio(transport.stress_interval, timestep)))
        stride = max(1, round(ratio(transport.displacement_interval, steps * timestep)))
        return cls(
            timestep_ps=float(timestep.to("ps").magnitude),
            spacing_steps=max(1, round(ratio(transport.nve_spacing, timestep))),
            steps_a_frame=steps,
            frames=stride * max(2, round(ratio(transport.nve_time, stride * steps * timestep))),
            stride=stride,
        )

    @property
    def steps(self) -> int:
        """In all."""
        return self.spacing_steps + self.frames * self.steps_a_frame

    @property
    def nve_ps(self) -> float:
        """The time at constant energy in picoseconds."""
        return self.frames * self.steps_a_frame * self.timestep_ps


@lru_cache(maxsize=1000)  # a run has many simulations and few settings
def frame_roundings(dynamics: DynamicsSettings, total: Quantity) -> tuple[str, ...]:
    """Return, in words, which times of a simulation are others than those that were asked for."""
    plan, timestep = FramePlan.of(dynamics, total), dynamics.timestep
    frame = (plan.steps_a_frame * timestep).to(dynamics.output_interval.units)
    steps, frames = _whole("steps", timestep), _whole("frames", frame)
    kept = plan.frames_a_trajectory_frame * frame
    found = [
        *_rounded("output_interval", dynamics.output_interval, frame, steps),
        *_rounded("simulated time", total, plan.steps * timestep, frames),
    ]
    if dynamics.trajectory is not None:
        found += _rounded("trajectory_interval", dynamics.trajectory_interval, kept, frames)
    return tuple(found)


@lru_cache(maxsize=1000)
def segment_roundings(transport: TransportSettings, timestep: Quantity) -> tuple[str, ...]:
    """Return, in words, which times of segments are others than those that were asked for."""
    plan = SegmentPlan.of(transport, timestep)
    tensor = (plan.steps_a_frame * timestep).to(transport.stress_interval.units)
    lag = (plan.stride * tensor).to(transport.displacement_interval.units)
    steps = _whole("steps", timestep)
    return (
        *_rounded("nve_spacing", transport.nve_spacing, plan.spacing_steps * timestep, steps),
        *_rounded("stress_interval", transport.stress_interval, tensor, steps),
        *_rounded("displacement_interval", transport.displacement_interval, lag, _whole("intervals", tensor)),
        *_rounded("nve_time", transport.nve_time, plan.frames * tensor, _whole("intervals", lag)),
    )


def roundings_of(protocols: Iterable[Protocol]) -> tuple[str, ...]:
    """Return what the simulations among protocols say of the times that they round, each once."""
    found = (text for each in protocols for text in getattr(each, "roundings", ()))
    return tuple(dict.fromkeys(found))


def _rounded(name: str, given: Quantity, run: Quantity, reason: str) -> Iterator[str]:
    """Say that a time is another one than was asked for, if it is."""
    if abs(ratio(run, given) - 1) > _EQUAL:
        shown = describe_quantity(run.to(given.units))
        yield f"{name}: {describe_quantity(given)} is rounded to {shown}, {reason}"


def _whole(parts: str, length: Quantity) -> str:
    return f"whole {parts} of {describe_quantity(length)}"
