"""Density of Lennard-Jones argon on its liquid-vapour coexistence line, against NIST's reference value.

Reduced temperature 1.0 and pressure 0.02495, that is 119.8 K and 10.453 bar; 500 atoms, cutoff 3 sigma,
switched over the last tenth of a sigma so that forces and volume moves see the same potential.
About three minutes on two local workers.

Expected output with --fast, which is far too short for numbers worth anything, and says so:

    Density of [Ar] at 119.8 K, 10.453 bar: 1.185 +/- 0.013 g/mL (too short: 10 effective samples of ...)
    reduced density: 0.7054, standard error: 0.0079
    published: 0.70094
    platform: CPU, 910.1 ns/day for each of the replicas
"""

import argparse
import sys

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

PUBLISHED = 0.70094  # +/- 0.00006, reduced; NIST Standard Reference Simulation Website, SAT-TMMC
SIGMA_NM, MASS_DALTON = 0.3405, 39.948
G_PER_ML = MASS_DALTON * 1.66053906660e-3 / SIGMA_NM**3  # a reduced density of 1

# Packed at the liquid's density: at its saturation pressure a sparse start may stay a vapour.
SETTINGS = SimulationSettings(
    number_of_molecules=500,
    initial_density="1.18 g/mL",
    cutoff="1.0215 nm",
    switching_distance="0.99 nm",
    timestep="5 fs",
    output_interval="1 ps",
    segment_time="100 ps",
    equilibration_time="100 ps",
    production_time="1 ns",
)
FAST = SimulationSettings(
    number_of_molecules=200,
    initial_density="1.18 g/mL",
    cutoff="0.85 nm",
    timestep="5 fs",
    equilibration_time="4.8 ps",
    production_time="20 ps",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--directory", default="argon", help="where the run is kept (default: %(default)s)")
    parser.add_argument("--fast", action="store_true", help="a few seconds, to see that it runs")
    arguments = parser.parse_args()

    argon = Substance.pure("[Ar]")
    state = ThermodynamicState(temperature="119.8 K", pressure="10.453 bar")

    with ParslLocalBackend(
        number_of_workers=2, resources_per_worker=ComputeResources(number_of_threads=1)
    ) as backend:
        [density] = estimate(
            [Density(argon, state)],
            force_field=OpenMMForceField("argon.xml"),
            backend=backend,
            directory=arguments.directory,
            settings=FAST if arguments.fast else SETTINGS,
        )

    print(density)
    if density.status is Status.failed:
        return 1
    reduced, error = density.value.m / G_PER_ML, density.standard_error.m / G_PER_ML
    print(f"reduced density: {reduced:.4f}, standard error: {error:.2g}")
    print(f"published: {PUBLISHED}")
    print(f"platform: {density.platform}, {density.ns_per_day:.1f} ns/day for each of the replicas")
    return 0


if __name__ == "__main__":
    sys.exit(main())
