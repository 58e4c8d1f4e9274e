"""TIP3P water against what was measured: four properties of a data set, and how far off the model is.

The data set is one of the package; a table of your own (CSV, JSON) or a ThermoML file does as well.
About five minutes on two cores, and three seconds in the directory of example 08, whose simulations
these are.

Expected output; heat capacity and expansion would need longer runs, and say so:

    Density of O at 298.15 K, 1.01325 bar: 0.986 +/- 0.002 g/mL
        measured: 0.997047 g/ml, IAPWS-95; Wagner and Pruss, J. Phys. Chem. Ref. Data 31, 387 (2002)
    EnthalpyOfVaporization of O at 298.15 K, 1.01325 bar: 42.62 +/- 0.06 kJ/mol
        measured: 44.004 kJ/mol, CODATA key values; Cox, Wagman and Medvedev (1989), to the ideal gas
    IsobaricHeatCapacity of O at 298.15 K, 1.01325 bar: 75 +/- 10 J/K/mol (too short: 50 effective ...)
    ...
    Density: off by -0.0106 g/mL
    EnthalpyOfVaporization: off by -1.39 kJ/mol
    ...
"""

import argparse
import sys

from protocols import (
    DataSet,
    OpenMMForceField,
    SimulationSettings,
    Status,
    estimate_data_set,
    read_data_set,
)
from workflow_backends import ComputeResources, MultiprocessingBackend

CHEAP = {"Density", "EnthalpyOfVaporization", "IsobaricHeatCapacity", "ThermalExpansion"}

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

    measured = read_data_set("water.csv")
    chosen = DataSet(measurements=[item for item in measured.measurements if item.property in CHEAP])

    with MultiprocessingBackend(2, ComputeResources(number_of_threads=1)) as backend:
        found = estimate_data_set(
            chosen,
            force_field=OpenMMForceField("tip3p.xml"),
            backend=backend,
            directory=arguments.directory,
            settings=FAST if arguments.fast else SETTINGS,
        )

    for measurement, result in zip(chosen.measurements, found.results, strict=True):
        print(result)
        print(f"    measured: {measurement.value:~P}, {measurement.source}")
    for comparison in filter(lambda compared: compared.number, found.comparisons):  # of what has a value
        print(f"{comparison.property}: off by {comparison.bias} {comparison.unit}")
    return 1 if any(result.status is Status.failed for result in found.results) else 0


if __name__ == "__main__":
    sys.exit(main())
