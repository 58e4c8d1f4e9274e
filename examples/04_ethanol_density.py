"""Density and enthalpy of vaporization of ethanol from its SMILES, with GAFF2 and AM1-BCC charges.

Needs AmberTools: pip install 'estimate-properties[gaff]'. About an hour on two local workers. Run it again
with the same --directory, after any interruption, and it goes on where it stopped.

Expected output with --fast, which is far too short for numbers worth anything:

    Density of CCO at 298.15 K, 1 atm: 0.732 +/- 0.013 g/mL (too short: 5 effective samples of at ...)
    EnthalpyOfVaporization of CCO at 298.15 K, 1 atm: 35.6 +/- 1.4 kJ/mol (too short: liquid: 5 ...)
    experiment: 0.7857 g/mL, 42.3 kJ/mol
"""

import argparse
import sys

from protocols import (
    Density,
    EnthalpyOfVaporization,
    GaffForceField,
    SimulationSettings,
    Status,
    Substance,
    ThermodynamicState,
    estimate,
)
from workflow_backends import ComputeResources, ParslLocalBackend

EXPERIMENT = "0.7857 g/mL, 42.3 kJ/mol"

SETTINGS = SimulationSettings(
    number_of_molecules=256,
    initial_density="0.75 g/mL",
    equilibration_time="100 ps",
    production_time="300 ps",
)
FAST = SimulationSettings(
    number_of_molecules=32,
    cutoff="0.65 nm",
    initial_density="0.75 g/mL",
    equilibration_time="0.4 ps",
    production_time="1.2 ps",
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
        results = estimate(
            [Density(ethanol, state), EnthalpyOfVaporization(ethanol, state)],
            force_field=GaffForceField(version="gaff2", charge_method="am1-bcc"),
            backend=backend,
            directory=arguments.directory,
            settings=FAST if arguments.fast else SETTINGS,
        )

    for result in results:
        print(result)
    if any(result.status is Status.failed for result in results):
        return 1
    print(f"experiment: {EXPERIMENT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
