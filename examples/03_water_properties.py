"""Every property of TIP3P water that one state can give, from shared simulations, in one table.

The first seven share the same simulations; diffusion and viscosity go on from them at constant energy,
the surface tension in a slab. About two hours on two local workers.

Expected output with --fast, which is far too short for numbers worth anything:

    TIP3P water at 298.15 K, 1 atm        value      error  unit
    Density                           0.96572      0.013  g/mL      too short
    EnthalpyOfVaporization             43.159       0.17  kJ/mol    too short
    IsobaricHeatCapacity               50.018        8.9  J/mol/K   too short
    ThermalExpansion               -0.0006857    0.00041  1/K       too short
    IsothermalCompressibility      4.5975e-05    3.2e-05  1/bar     too short
    DielectricConstant                 65.917         21            too short
    SelfDiffusion                      7.7091       0.52  nm^2/ns   too short
    ShearViscosity                    0.20107      0.034  mPa*s     too short
    SurfaceTension                     46.853         29  mN/m      too short
"""

import argparse
import sys

from protocols import (
    Density,
    DielectricConstant,
    EnthalpyOfVaporization,
    IsobaricHeatCapacity,
    IsothermalCompressibility,
    OpenMMForceField,
    SelfDiffusion,
    ShearViscosity,
    SimulationSettings,
    Status,
    Substance,
    SurfaceTension,
    ThermalExpansion,
    ThermodynamicState,
    estimate,
)
from workflow_backends import ComputeResources, ParslLocalBackend

PROPERTIES = [
    Density,
    EnthalpyOfVaporization,
    IsobaricHeatCapacity,
    ThermalExpansion,
    IsothermalCompressibility,
    DielectricConstant,
    SelfDiffusion,
    ShearViscosity,
    SurfaceTension,
]
SETTINGS = SimulationSettings(production_time="1 ns")
FAST = SimulationSettings(
    number_of_molecules=220,
    cutoff="0.8 nm",
    equilibration_time="0.4 ps",
    production_time="1.2 ps",
    output_interval="0.1 ps",
    nve_time="0.4 ps",
    nve_segments=2,
    nve_spacing="0.1 ps",
    displacement_interval="0.02 ps",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--directory", default="water", help="where the run is kept (default: %(default)s)")
    parser.add_argument("--fast", action="store_true", help="a minute, to see that it runs")
    arguments = parser.parse_args()

    water = Substance.pure("O")
    state = ThermodynamicState(temperature="298.15 K", pressure="1 atm")

    with ParslLocalBackend(
        number_of_workers=2, resources_per_worker=ComputeResources(number_of_threads=1)
    ) as backend:
        results = estimate(
            [kind(water, state) for kind in PROPERTIES],
            force_field=OpenMMForceField("tip3p.xml"),
            backend=backend,
            directory=arguments.directory,
            settings=FAST if arguments.fast else SETTINGS,
        )

    print(f"{'TIP3P water at ' + str(state):<28} {'value':>12} {'error':>10}  unit")
    for result in results:
        name, unit = type(result.property).__name__, result.property.unit
        symbol = unit.replace("dimensionless", "")
        if result.value is None:
            print(f"{name:<28} {result.status}: {result.error}")
            continue
        error = "" if result.standard_error is None else f"{result.standard_error.to(unit).m:.2g}"
        print(f"{name:<28} {result.value.to(unit).m:>12.5g} {error:>10}  {symbol:<9} {result.status}")
    return 1 if any(result.status is Status.failed for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
