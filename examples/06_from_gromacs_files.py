"""Density of SPC/E water from GROMACS files of a whole box, which is simulated as it is.

216 molecules; about ten minutes on two local workers.

Expected output with --fast, which is far too short for numbers worth anything:

    Density of O at 300 K, 1 atm: 1.011 +/- 0.008 g/mL (too short: 6 of at least 50 effective samples)
    standard error: 0.0083, published: 0.9979
"""

import argparse
import sys
from pathlib import Path

from protocols import (
    Density,
    GromacsFiles,
    SimulationSettings,
    Status,
    Substance,
    ThermodynamicState,
    estimate,
)
from workflow_backends import ComputeResources, ParslLocalBackend

FILES = Path(__file__).parent / "files"
PUBLISHED = 0.9979  # +/- 0.0002 g/mL, of 1100 molecules at 300 K; MoSDeF study, six codes

SETTINGS = SimulationSettings(number_of_molecules=216, cutoff="0.85 nm")
FAST = SimulationSettings(
    number_of_molecules=216,
    cutoff="0.6 nm",
    equilibration_time="0.4 ps",
    production_time="2 ps",
    output_interval="0.1 ps",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--directory", default="spce", help="where the run is kept (default: %(default)s)")
    parser.add_argument("--fast", action="store_true", help="a few seconds, to see that it runs")
    arguments = parser.parse_args()

    water = Substance.pure("O")
    state = ThermodynamicState(temperature="300 K", pressure="1 atm")

    with ParslLocalBackend(
        number_of_workers=2, resources_per_worker=ComputeResources(number_of_threads=1)
    ) as backend:
        [density] = estimate(
            [Density(water, state)],
            force_field=GromacsFiles(FILES / "water.top", FILES / "water.gro"),
            backend=backend,
            directory=arguments.directory,
            settings=FAST if arguments.fast else SETTINGS,
        )

    print(density)
    if density.status is Status.failed:
        return 1
    print(f"standard error: {density.standard_error.m:.2g}, published: {PUBLISHED}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
