"""Two short simulations on two Parsl workers, in the directory given: a script for tests to kill."""

import sys
from concurrent.futures import wait
from pathlib import Path

from protocols.dynamics.simulation import OpenMMSimulation
from protocols.graph import WorkflowGraph
from protocols.settings import DynamicsSettings, InteractionSettings
from protocols.state import ThermodynamicState
from protocols.substance import Substance
from protocols.systems.coordinates import BuildCoordinatesPackmol
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.parameterise import BuildOpenMMSystem
from workflow_backends import ComputeResources, ParslLocalBackend

REFERENCE = ComputeResources(platform="Reference")


def graph() -> WorkflowGraph:
    """Two replicas, twelve segments each."""
    built = BuildOpenMMSystem(
        coordinates_file=BuildCoordinatesPackmol(
            substance=Substance.pure("[Ar]"), number_of_molecules=60, density="1.2 g/mL"
        ).output.coordinates_file,
        force_field=OpenMMForceField("argon.xml"),
        interactions=InteractionSettings(cutoff="0.65 nm"),
    )
    return WorkflowGraph(
        OpenMMSimulation(
            system_file=built.output.system_file,
            state_file=built.output.state_file,
            state=ThermodynamicState(temperature="120 K", pressure="10 bar"),
            simulated_time="24 ps",
            dynamics=DynamicsSettings(timestep="5 fs", output_interval="0.2 ps", segment_time="2 ps"),
            seed=seed,
        )
        for seed in (3, 4)
    )


def main(directory: Path) -> None:
    with ParslLocalBackend(number_of_workers=2, resources_per_worker=REFERENCE) as backend:
        outcomes = graph().submit(backend, directory)
        futures = [outcome for outcome in outcomes.values() if hasattr(outcome, "result")]
        wait(futures)
        for future in futures:
            future.result()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
