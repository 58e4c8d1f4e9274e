"""A simulation of five frames a second on any machine, for jobs that end while it runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from protocols import OpenMMForceField, Substance, ThermodynamicState
from protocols.dynamics.observers import Observer
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.running.execution import execute_in
from protocols.settings import DynamicsSettings, InteractionSettings
from protocols.systems.coordinates import BuildCoordinatesPackmol
from protocols.systems.parameterise import BuildOpenMMSystem
from workflow_backends import ComputeResources

__all__ = ["SlowSimulation", "argon", "finished_segments"]


class _Slow(Observer):
    """Makes each frame take a while."""

    columns = ("nothing",)

    def __init__(self, system: Any) -> None:
        """Need nothing of it."""

    def values(self, context: Any, state: Any) -> list[float]:
        time.sleep(0.2)
        return [0.0]


class SlowSimulation(OpenMMSimulation):
    """At 5 frames a second."""

    observers = (_Slow,)


def argon(directory: Path, seed: int, frames: int) -> SlowSimulation:
    """A simulation of 20 atoms, in segments of 20 frames; a frame every 5 steps takes 0.2 s."""
    packed = execute_in(
        BuildCoordinatesPackmol(substance=Substance.pure("[Ar]"), number_of_molecules=20, seed=1),
        directory / "packed",
        ComputeResources(),
    )
    built = execute_in(
        BuildOpenMMSystem(
            coordinates_file=packed.coordinates_file,
            force_field=OpenMMForceField("argon.xml"),
            interactions=InteractionSettings(cutoff="0.3 nm"),
        ),
        directory / "built",
        ComputeResources(),
    )
    return SlowSimulation(
        system_file=built.system_file,
        state_file=built.state_file,
        state=ThermodynamicState(temperature="90 K", pressure="1 bar"),
        simulated_time=f"{10 * frames} fs",
        dynamics=DynamicsSettings(timestep="2 fs", output_interval="10 fs", segment_time="0.2 ps"),
        seed=seed,
    )


def finished_segments(directory: Path) -> dict[str, int]:
    """The segments that a simulation has saved, and when each was written, in nanoseconds."""
    tables = directory.glob("segments/0*/frames.csv")
    return {str(table): table.stat().st_mtime_ns for table in tables}
