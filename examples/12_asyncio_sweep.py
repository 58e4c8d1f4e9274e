"""Density of argon at five temperatures at once in asyncio: each result is printed when it is there.

About three minutes on two cores.

Expected output, in the order of arrival:

    Density of [Ar] at 85 K, 10 bar: 1.4081 +/- 0.0015 g/mL
    Density of [Ar] at 90 K, 10 bar: 1.380 +/- 0.002 g/mL
    Density of [Ar] at 95 K, 10 bar: 1.349 +/- 0.002 g/mL
    Density of [Ar] at 100 K, 10 bar: 1.319 +/- 0.002 g/mL
    Density of [Ar] at 105 K, 10 bar: 1.287 +/- 0.002 g/mL
"""

import argparse
import asyncio
import sys

from protocols import (
    Density,
    OpenMMForceField,
    PropertyResult,
    SimulationSettings,
    Status,
    Substance,
    ThermodynamicState,
    aestimate,
)
from workflow_backends import ComputeResources, MultiprocessingBackend

TEMPERATURES = (85, 90, 95, 100, 105)  # K

SETTINGS = SimulationSettings(
    number_of_molecules=256, initial_density="1.35 g/mL", timestep="5 fs", production_time="300 ps"
)
FAST = SimulationSettings(
    number_of_molecules=100,
    initial_density="1.35 g/mL",
    cutoff="0.7 nm",
    timestep="5 fs",
    equilibration_time="1 ps",
    production_time="4 ps",
    output_interval="0.2 ps",
)


async def sweep(directory: str, settings: SimulationSettings) -> list[PropertyResult]:
    argon = Substance.pure("[Ar]")
    states = [ThermodynamicState(temperature=f"{t} K", pressure="10 bar") for t in TEMPERATURES]
    results = []
    async with MultiprocessingBackend(2, ComputeResources(number_of_threads=1)) as backend:
        async for result in aestimate(
            [Density(argon, state) for state in states],
            force_field=OpenMMForceField("argon.xml"),
            backend=backend,
            directory=directory,
            settings=settings,
        ):
            print(result, flush=True)  # here other coroutines run too
            results.append(result)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--directory", default="sweep", help="where the run is kept (default: %(default)s)")
    parser.add_argument("--fast", action="store_true", help="a few seconds, to see that it runs")
    arguments = parser.parse_args()
    results = asyncio.run(sweep(arguments.directory, FAST if arguments.fast else SETTINGS))
    return 1 if any(result.status is Status.failed for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
