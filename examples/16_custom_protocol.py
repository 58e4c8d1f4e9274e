"""A protocol of your own, and a property that ends in it: the cohesive energy density of water.

It is (enthalpy of vaporization - R T) times density, by molar mass; its root is Hildebrand's solubility
parameter. The protocol is one small class. What comes before it is wired from properties that exist, and is
simulated once although both need it. About five minutes on two cores, and two seconds in the
directory of example 08, whose simulations these are.

Expected output, up to chance:

    CohesiveEnergyDensity of O at 298.15 K, 1 atm: 2198 +/- 3 MPa
    measured: 2298 MPa

With --fast it is far off, and says that it is too short.
"""

import argparse
import sys

from protocols import (
    Density,
    EnthalpyOfVaporization,
    OpenMMForceField,
    Protocol,
    SimulationSettings,
    Status,
    Substance,
    ThermodynamicState,
    estimate,
)
from protocols.properties.base import Property, PropertyWorkflow
from protocols.quantities import AnyQuantity, registry
from workflow_backends import ComputeResources, MultiprocessingBackend

MEASURED = "2298 MPa"  # of real water
GAS_CONSTANT = registry.Quantity(8.314462618, "J/mol/K")
MOLAR_MASS = registry.Quantity(18.015, "g/mol")

SETTINGS = SimulationSettings(number_of_molecules=256, equilibration_time="20 ps", production_time="100 ps")
FAST = SimulationSettings(
    number_of_molecules=60,
    cutoff="0.55 nm",
    equilibration_time="0.4 ps",
    production_time="2 ps",
    output_interval="0.1 ps",
)


class Cohesion(Protocol):
    enthalpy: AnyQuantity
    enthalpy_error: AnyQuantity
    density: AnyQuantity
    temperature: AnyQuantity
    n_effective: float
    status: Status
    reason: str

    class Outputs(Protocol.Outputs):
        value: AnyQuantity
        standard_error: AnyQuantity
        n_effective: float
        status: Status
        reason: str

    def execute(self, directory, available_resources):
        energy = self.enthalpy - GAS_CONSTANT * self.temperature
        value = (energy * self.density / MOLAR_MASS).to("MPa")
        return self.Outputs(
            value=value,
            standard_error=value
            * (self.enthalpy_error / energy).to("dimensionless"),  # that of the density is small
            n_effective=self.n_effective,
            status=self.status,
            reason=self.reason,
        )


class CohesiveEnergyDensity(Property):
    unit = "MPa"

    def workflow(self, force_field, settings, rounds=None):
        enthalpy = EnthalpyOfVaporization(self.substance, self.state).workflow(force_field, settings, rounds)
        density = Density(self.substance, self.state).workflow(force_field, settings, rounds)
        gives = enthalpy.result.output
        cohesion = Cohesion(
            enthalpy=gives.value,
            enthalpy_error=gives.standard_error,
            density=density.result.output.value,
            temperature=self.state.temperature,
            n_effective=gives.n_effective,
            status=gives.status,
            reason=gives.reason,
        )
        return PropertyWorkflow(cohesion, enthalpy.simulations)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--directory", default="water", help="where the run is kept (default: %(default)s)")
    parser.add_argument("--fast", action="store_true", help="a few seconds, to see that it runs")
    arguments = parser.parse_args()

    state = ThermodynamicState(temperature="298.15 K", pressure="1 atm")
    with MultiprocessingBackend(2, ComputeResources(number_of_threads=1)) as backend:
        [density] = estimate(
            [CohesiveEnergyDensity(Substance.pure("O"), state)],
            force_field=OpenMMForceField("tip3p.xml"),
            backend=backend,
            directory=arguments.directory,
            settings=FAST if arguments.fast else SETTINGS,
        )

    print(density)
    print(f"measured: {MEASURED}")
    return 1 if density.status is Status.failed else 0


if __name__ == "__main__":
    sys.exit(main())
