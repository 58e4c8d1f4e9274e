"""Density of liquid TIP3P water at 298.15 K and 1 atm, on two local workers, in about four minutes.

Run it again with the same --directory, after any interruption, and it goes on where it stopped.

Expected output with --fast, which is far too short for numbers worth anything, and says so:

    Density of O at 298.15 K, 1 atm: 0.998 +/- 0.010 g/mL (too short: 10 of at least 50 effective samples)
    standard error: 0.0096 g/mL
    published: 0.9848(13) g/mL
    platform: CPU, 190.9 ns/day for each of the replicas
"""

import argparse
import sys

from openmm import unit

from protocols import (
    Density,
    OpenMMForceField,
    SimulationSettings,
    Status,
    Substance,
    ThermodynamicState,
    estimate,
)
from workflow_backends import ComputeResources, ParslLocalBackend

# 256 molecules, cutoff 0.9 nm without switch, long-range correction: OpenMM's tip3p.xml at these settings.
PUBLISHED = "0.9848(13) g/mL"

SETTINGS = SimulationSettings(number_of_molecules=256, equilibration_time="10 ps", production_time="80 ps")
FAST = SimulationSettings(
    number_of_molecules=60, cutoff="0.55 nm", equilibration_time="1.2 ps", production_time="4 ps"
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--directory", default="water", help="where the run is kept (default: %(default)s)")
    parser.add_argument("--fast", action="store_true", help="a few seconds, to see that it runs")
    arguments = parser.parse_args()

    water = Substance.pure("O")
    state = ThermodynamicState(temperature=298.15 * unit.kelvin, pressure=1 * unit.atmosphere)

    with ParslLocalBackend(
        number_of_workers=2, resources_per_worker=ComputeResources(number_of_threads=1)
    ) as backend:
        [density] = estimate(
            [Density(water, state)],
            force_field=OpenMMForceField("tip3p.xml"),
            backend=backend,
            directory=arguments.directory,
            settings=FAST if arguments.fast else SETTINGS,
        )

    print(density)
    if density.status is Status.failed:
        return 1
    print(f"standard error: {density.standard_error.m:.2g} g/mL")
    print(f"published: {PUBLISHED}")
    print(f"platform: {density.platform}, {density.ns_per_day:.1f} ns/day for each of the replicas")
    return 0


if __name__ == "__main__":
    sys.exit(main())
