"""Enthalpy of vaporization of TIP3P water, and its density at no extra cost: both share the simulations.

About five minutes on two cores. TIP3P is rigid, so that the gas needs no simulation.

Expected output, up to chance:

    EnthalpyOfVaporization of O at 298.15 K, 1 atm: 42.62 +/- 0.06 kJ/mol
    Density of O at 298.15 K, 1 atm: 0.986 +/- 0.002 g/mL
    measured: 44.0 kJ/mol, 0.997 g/mL

With --fast both are far off, and say that they are too short.
"""

import argparse
import sys

from protocols import (
    Density,
    EnthalpyOfVaporization,
    OpenMMForceField,
    SimulationSettings,
    Status,
    Substance,
    ThermodynamicState,
    estimate,
)
from workflow_backends import ComputeResources, MultiprocessingBackend

MEASURED = "44.0 kJ/mol, 0.997 g/mL"  # of real water

SETTINGS = SimulationSettings(number_of_molecules=256, equilibration_time="20 ps", production_time="100 ps")
FAST = SimulationSettings(
    number_of_molecules=60,
    cutoff="0.55 nm",
    equilibration_time="0.4 ps",
    production_time="2 ps",
    output_interval="0.1 ps",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--directory", default="water", help="where the run is kept (default: %(default)s)")
    parser.add_argument("--fast", action="store_true", help="a few seconds, to see that it runs")
    arguments = parser.parse_args()

    water = Substance.pure("O")
    state = ThermodynamicState(temperature="298.15 K", pressure="1 atm")

    with MultiprocessingBackend(2, ComputeResources(number_of_threads=1)) as backend:
        results = estimate(
            [EnthalpyOfVaporization(water, state), Density(water, state)],
            force_field=OpenMMForceField("tip3p.xml"),
            backend=backend,
            directory=arguments.directory,
            settings=FAST if arguments.fast else SETTINGS,
        )

    print(*results, sep="\n")
    print(f"measured: {MEASURED}")
    return 1 if any(result.status is Status.failed for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
