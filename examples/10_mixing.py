"""Enthalpy of mixing and excess molar volume of ethanol in water, at a mole fraction of 0.2.

Ethanol has parameters from Amber files, water those of TIP3P. Three liquids are simulated: the mixture and
each component pure. Both properties share them. About an hour and a half on two cores.

Expected output with --fast, which is far too short for numbers worth anything, and says so:

    EnthalpyOfMixing of 0.2 CCO + 0.8 O at 298.15 K, 1 atm: 2.0 +/- 0.7 kJ/mol (too short: 0.2 CCO + ...)
    ExcessMolarVolume of 0.2 CCO + 0.8 O at 298.15 K, 1 atm: -0.1 +/- 0.3 cm³/mol (too short: 0.2 CCO ...)
    measured: about -0.75 kJ/mol, -0.9 cm^3/mol
"""

import argparse
import sys
from pathlib import Path

from protocols import (
    AmberFiles,
    CombinedForceField,
    EnthalpyOfMixing,
    ExcessMolarVolume,
    SimulationSettings,
    Status,
    Substance,
    ThermodynamicState,
    estimate,
)
from workflow_backends import ComputeResources, MultiprocessingBackend

FILES = Path(__file__).parent / "files"
MEASURED = "about -0.75 kJ/mol, -0.9 cm^3/mol"

SETTINGS = SimulationSettings(
    initial_densities={"CCO": "0.75 g/mL"}, equilibration_time="100 ps", production_time="400 ps"
)
FAST = SimulationSettings(
    number_of_molecules=50,
    initial_densities={"CCO": "0.7 g/mL"},
    cutoff="0.5 nm",
    equilibration_time="0.2 ps",
    production_time="1 ps",
    output_interval="0.05 ps",
    replicas=1,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--directory", default="mixing", help="where the run is kept (default: %(default)s)")
    parser.add_argument("--fast", action="store_true", help="a few seconds, to see that it runs")
    arguments = parser.parse_args()

    mixture = Substance.mixture({"CCO": 0.2, "O": 0.8})
    state = ThermodynamicState(temperature="298.15 K", pressure="1 atm")
    ethanol = AmberFiles(FILES / "ethanol.prmtop", FILES / "ethanol.inpcrd")

    with MultiprocessingBackend(2, ComputeResources(number_of_threads=1)) as backend:
        results = estimate(
            [EnthalpyOfMixing(mixture, state), ExcessMolarVolume(mixture, state)],
            force_field=CombinedForceField(ethanol, "tip3p.xml"),
            backend=backend,
            directory=arguments.directory,
            settings=FAST if arguments.fast else SETTINGS,
        )

    print(*results, sep="\n")
    print(f"measured: {MEASURED}")
    return 1 if any(result.status is Status.failed for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
