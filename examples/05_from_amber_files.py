"""Density of ethanol from Amber files of one molecule: GAFF2 with AM1-BCC charges, as tleap wrote them.

256 molecules are packed; about half an hour on two local workers.

Expected output with --fast, which is far too short for numbers worth anything:

    Density of CCO at 298.15 K, 1 atm: 0.708 +/- 0.015 g/mL (too short: 5 of at least 50 ...)
    standard error: 0.015, measured: 0.7857
"""

import argparse
import sys
from pathlib import Path

from protocols import AmberFiles, Density, SimulationSettings, Status, Substance, ThermodynamicState, estimate
from workflow_backends import ComputeResources, ParslLocalBackend

FILES = Path(__file__).parent / "files"
MEASURED = 0.7857  # g/mL, of real ethanol

SETTINGS = SimulationSettings(initial_density="0.7 g/mL")
FAST = SimulationSettings(
    number_of_molecules=50,
    initial_density="0.7 g/mL",
    cutoff="0.6 nm",
    equilibration_time="0.4 ps",
    production_time="2 ps",
    output_interval="0.1 ps",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--directory", default="ethanol", help="where the run is kept (default: %(default)s)")
    parser.add_argument("--fast", action="store_true", help="a few seconds, to see that it runs")
    arguments = parser.parse_args()

    ethanol = Substance.pure("CCO")
    state = ThermodynamicState(temperature="298.15 K", pressure="1 atm")

    with ParslLocalBackend(
        number_of_workers=2, resources_per_worker=ComputeResources(number_of_threads=1)
    ) as backend:
        [density] = estimate(
            [Density(ethanol, state)],
            force_field=AmberFiles(FILES / "ethanol.prmtop", FILES / "ethanol.inpcrd"),
            backend=backend,
            directory=arguments.directory,
            settings=FAST if arguments.fast else SETTINGS,
        )

    print(density)
    if density.status is Status.failed:
        return 1
    print(f"standard error: {density.standard_error.m:.2g}, measured: {MEASURED}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
