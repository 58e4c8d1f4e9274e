"""Stepping of OpenMMSimulation's engine beside a bare OpenMM loop of the same system, in alternating blocks.

Run as ``python benchmarks/stepping.py [--pairs N] [--seconds S] [--platform CPU]``: 256 TIP3P waters, NPT,
one thread, an energy every 200 steps. A block of ours stands between two bare ones of the same length, and is
compared with their mean, so that a drift of the machine cancels.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import openmm

from protocols import OpenMMForceField, SimulationSettings, Substance, ThermodynamicState
from protocols.dynamics.engine import Engine, open_context
from protocols.dynamics.minimisation import OpenMMEnergyMinimisation
from protocols.running.execution import execute_in
from protocols.systems.coordinates import BuildCoordinatesPackmol
from protocols.systems.parameterise import BuildOpenMMSystem
from workflow_backends import ComputeResources, select_platform

STEPS_A_FRAME = 200


def prepare(place: Path, resources: ComputeResources) -> tuple[Path, Path]:
    """Return the files of a relaxed box of water: System and State."""
    settings = SimulationSettings()
    packed = execute_in(
        BuildCoordinatesPackmol(
            substance=Substance.pure("O"), number_of_molecules=settings.number_of_molecules
        ),
        place / "packed",
        resources,
    )
    built = execute_in(
        BuildOpenMMSystem(
            coordinates_file=packed.coordinates_file,
            force_field=OpenMMForceField("tip3p.xml"),
            interactions=settings.interactions,
        ),
        place / "built",
        resources,
    )
    relaxed = execute_in(
        OpenMMEnergyMinimisation(system_file=built.system_file, state_file=built.state_file),
        place / "relaxed",
        resources,
    )
    return built.system_file, relaxed.state_file


def bare_context(system_file: Path, state_file: Path, state: ThermodynamicState, resources: ComputeResources):
    """Return a Context as one would write it by hand."""
    system = openmm.XmlSerializer.deserialize(system_file.read_text(encoding="utf-8"))
    start = openmm.XmlSerializer.deserialize(state_file.read_text(encoding="utf-8"))
    temperature = state.temperature.to("kelvin").magnitude
    system.addForce(openmm.MonteCarloBarostat(state.pressure.to("bar").magnitude, temperature, 10))
    integrator = openmm.LangevinMiddleIntegrator(temperature, 1.0, 0.002)
    context = open_context(system, integrator, select_platform(resources))
    context.setPeriodicBoxVectors(*start.getPeriodicBoxVectors())
    context.setPositions(start.getPositions())
    context.setVelocitiesToTemperature(temperature, 1)
    return context


def main() -> None:
    """Measure and print the median of the ratios, with least and most."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=4.0, help="of one block")
    parser.add_argument("--platform", default="CPU", help="of OpenMM: CPU, OpenCL, CUDA, ...")
    arguments = parser.parse_args()
    resources = ComputeResources(number_of_threads=1, platform=arguments.platform)
    state = ThermodynamicState(temperature="298.15 K", pressure="1 atm")
    with tempfile.TemporaryDirectory() as place:
        system_file, state_file = prepare(Path(place), ComputeResources())
        context = bare_context(system_file, state_file, state, resources)
        engine = Engine(
            system_file=system_file,
            state_file=state_file,
            state=state,
            dynamics=SimulationSettings().dynamics,
            continues=False,
            seed=1,
            choice=select_platform(resources),
        )
        engine.start_segment(0, None)

    def bare(frames: int) -> float:
        began = time.perf_counter()
        for _ in range(frames):
            context.getIntegrator().step(STEPS_A_FRAME)
            context.getState(energy=True).getPotentialEnergy()
        return time.perf_counter() - began

    def ours(frames: int) -> float:
        return engine.run(1, frames, STEPS_A_FRAME, lambda _: None)[1]

    bare(10), ours(10)
    frames = max(1, round(10 * arguments.seconds / bare(10)))
    ratios, before = [], bare(frames)
    for _ in range(arguments.pairs):
        mine, after = ours(frames), bare(frames)
        ratios.append(2 * mine / (before + after))
        before = after
    speed = frames * STEPS_A_FRAME * 2e-6 * 86400 / before
    print(
        f"{arguments.platform}: time of ours / bare OpenMM: median {statistics.median(ratios):.4f}"
        f" ({min(ratios):.3f} to {max(ratios):.3f}), {arguments.pairs} pairs; bare {speed:.1f} ns/day"
    )


if __name__ == "__main__":
    main()
