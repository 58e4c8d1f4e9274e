"""Dielectric constant of TIP3P water to 10 %: simulated in rounds until its standard error is that small.

It comes from the fluctuations of the dipole moment, which take long: about an hour on two cores.

Expected output with --fast, which ends after two tiny rounds, far from 10 %, and says so:

    DielectricConstant of O at 298.15 K, 1 atm: 59 +/- 25 (not converged: 5 of at least 200 ...)
    status: not converged, rounds of each replica: (2, 2)
"""

import argparse
import sys

from protocols import (
    DielectricConstant,
    Limits,
    OpenMMForceField,
    SimulationSettings,
    Status,
    Substance,
    ThermodynamicState,
    estimate,
)
from workflow_backends import ComputeResources, MultiprocessingBackend

SETTINGS = SimulationSettings(production_time="200 ps")
FAST = SimulationSettings(
    number_of_molecules=60,
    cutoff="0.55 nm",
    equilibration_time="0.4 ps",
    production_time="1 ps",
    output_interval="0.05 ps",
    replicas=2,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--directory", default="water", help="where the run is kept (default: %(default)s)")
    parser.add_argument("--fast", action="store_true", help="two tiny rounds, to see that it runs")
    arguments = parser.parse_args()

    state = ThermodynamicState(temperature="298.15 K", pressure="1 atm")
    wanted = DielectricConstant(Substance.pure("O"), state, "10 %")

    with MultiprocessingBackend(2, ComputeResources(number_of_threads=1)) as backend:
        [dielectric] = estimate(
            [wanted],
            force_field=OpenMMForceField("tip3p.xml"),
            backend=backend,
            directory=arguments.directory,
            settings=FAST if arguments.fast else SETTINGS,
            limits=Limits(rounds=2 if arguments.fast else 20),
        )

    print(dielectric)
    if dielectric.status is Status.failed:
        return 1
    print(f"status: {dielectric.status}, rounds of each replica: {dielectric.rounds}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
