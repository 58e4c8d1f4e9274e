"""Free energy of solvation of ethanol in water: it vanishes in 15 windows, and MBAR joins them.

Needs openmmtools: pip install 'estimate-properties[free-energy]'. About two hours on two cores; all windows
run side by side, so that more workers help.

Expected output with --fast, which leaves windows out, and says so:

    SolvationFreeEnergy of CCO in O at 298.15 K, 1 atm: -24 +/- 48 kJ/mol (not converged: solution: ...)
    measured: -20.9 kJ/mol
"""

import argparse
import sys
from pathlib import Path

from protocols import (
    AmberFiles,
    CombinedForceField,
    SimulationSettings,
    SolvationFreeEnergy,
    Status,
    Substance,
    ThermodynamicState,
    estimate,
)
from workflow_backends import ComputeResources, MultiprocessingBackend

FILES = Path(__file__).parent / "files"
MEASURED = "-20.9 kJ/mol"

SETTINGS = SimulationSettings(equilibration_time="50 ps", production_time="200 ps", replicas=1)
FAST = SimulationSettings(
    number_of_molecules=50,
    cutoff="0.5 nm",
    equilibration_time="0.1 ps",
    production_time="0.4 ps",
    output_interval="0.02 ps",
    replicas=1,
    lambda_electrostatics=(1, 0),
    lambda_sterics=(1, 0.5, 0),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--directory", default="solvated", help="where the run is kept (default: %(default)s)"
    )
    parser.add_argument("--fast", action="store_true", help="a few seconds, to see that it runs")
    arguments = parser.parse_args()

    solution = Substance.solution(solute="CCO", solvent="O")
    state = ThermodynamicState(temperature="298.15 K", pressure="1 atm")
    ethanol = AmberFiles(FILES / "ethanol.prmtop", FILES / "ethanol.inpcrd")

    with MultiprocessingBackend(2, ComputeResources(number_of_threads=1)) as backend:
        [result] = estimate(
            [SolvationFreeEnergy(solution, state)],
            force_field=CombinedForceField(ethanol, "tip3p.xml"),
            backend=backend,
            directory=arguments.directory,
            settings=FAST if arguments.fast else SETTINGS,
        )

    print(result)
    print(f"measured: {MEASURED}")
    return 1 if result.status is Status.failed else 0


if __name__ == "__main__":
    sys.exit(main())
