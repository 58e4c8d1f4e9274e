"""Every property of TIP3P water that one state can give, from shared simulations, in one table.

The first six share the same simulations, of which a density takes a part; diffusion and viscosity go on
from them at constant energy. The surface tension has a slab of 512 molecules, the free energy of one water in
water 15 windows. About two and a half hours on two local workers, half of it for the windows.
Needs openmmtools: pip install 'estimate-properties[free-energy]'.

Expected output with --fast, which is far too short for numbers worth anything:

    TIP3P water at 298.15 K, 1 atm        value      error  unit
    Density                           0.97372      0.015  g/mL      too short
    EnthalpyOfVaporization              42.97       0.16  kJ/mol    too short
    IsobaricHeatCapacity               41.082         15  J/mol/K   too short
    ThermalExpansion              -0.00036081     0.0014  1/K       too short
    IsothermalCompressibility      6.3635e-05      6e-05  1/bar     too short
    DielectricConstant                 87.316         10            too short
    SelfDiffusion                      8.0425       0.71  nm^2/ns   too short
    ShearViscosity                    0.19761      0.037  mPa*s     too short
    SurfaceTension                     19.763         51  mN/m      too short
    SolvationFreeEnergy               -46.197    7.6e+02  kJ/mol    not converged
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
    SolvationFreeEnergy,
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
SETTINGS = SimulationSettings()  # each property has defaults that suit it
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
    replicas=1,
    lambda_electrostatics=(1, 0),
    lambda_sterics=(1, 0.5, 0),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--directory", default="water", help="where the run is kept (default: %(default)s)")
    parser.add_argument("--fast", action="store_true", help="a minute, to see that it runs")
    arguments = parser.parse_args()

    water, in_water = Substance.pure("O"), Substance.solution(solute="O", solvent="O")
    state = ThermodynamicState(temperature="298.15 K", pressure="1 atm")

    with ParslLocalBackend(
        number_of_workers=2, resources_per_worker=ComputeResources(number_of_threads=1)
    ) as backend:
        results = estimate(
            [*(kind(water, state) for kind in PROPERTIES), SolvationFreeEnergy(in_water, state)],
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
