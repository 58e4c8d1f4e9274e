"""Runs a simulation of test_kill_simulation.py in the directory given, in a process that may be killed."""

import sys
from pathlib import Path

from protocols.dynamics.simulation import OpenMMSimulation
from protocols.dynamics.transport import OpenMMTransportSimulation
from protocols.running.execution import execute_in
from protocols.settings import DynamicsSettings, TransportSettings
from protocols.state import ThermodynamicState
from workflow_backends.resources import ComputeResources

FRAMES, STEPS_A_FRAME, SEGMENTS = 240, 20, 6


def transport(inputs: Path) -> OpenMMTransportSimulation:
    return OpenMMTransportSimulation(
        system_file=inputs / "system.xml",
        state_file=inputs / "state.xml",
        temperature="120 K",
        components=(60,),
        timestep="5 fs",
        transport=TransportSettings(
            nve_time="2 ps",
            nve_segments=SEGMENTS,
            nve_spacing="0.2 ps",
            stress_interval="0.1 ps",
            displacement_interval="0.1 ps",
        ),
        seed=9,
    )


def dynamics(inputs: Path, trajectory: str) -> OpenMMSimulation:
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
    inputs, directory, what = sys.argv[1:]
    protocol = transport(Path(inputs)) if what == "transport" else dynamics(Path(inputs), what)
    execute_in(protocol, directory, ComputeResources(platform="Reference"))
