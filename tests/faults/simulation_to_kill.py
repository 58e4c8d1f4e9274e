"""Runs the simulation of test_kill_simulation.py in the directory given, in a process that may be killed."""

import sys
from pathlib import Path

from protocols.dynamics.simulation import OpenMMSimulation
from protocols.running.execution import execute_in
from protocols.settings import DynamicsSettings
from protocols.state import ThermodynamicState
from workflow_backends.resources import ComputeResources

FRAMES, STEPS_A_FRAME = 240, 20


def protocol(inputs: Path, trajectory: str) -> OpenMMSimulation:
    return OpenMMSimulation(
        system_file=inputs / "system.xml",
        state_file=inputs / "state.xml",
        state=ThermodynamicState(temperature="120 K", pressure="10 bar"),
        simulated_time=f"{FRAMES * STEPS_A_FRAME * 5} fs",
        dynamics=DynamicsSettings(
            timestep="5 fs",
            output_interval=f"{STEPS_A_FRAME * 5} fs",
            segment_time="0.4 ps",
            trajectory=trajectory,
            trajectory_interval="0.3 ps",
        ),
        topology_file=inputs / "topology.pdb",
        seed=9,
    )


if __name__ == "__main__":
    inputs, directory, trajectory = sys.argv[1:]
    execute_in(protocol(Path(inputs), trajectory), directory, ComputeResources(platform="Reference"))
