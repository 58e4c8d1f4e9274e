"""Diffusion and viscosity of the Lennard-Jones liquid against published values; minutes on one core."""

import math

import pytest

from protocols import (
    OpenMMForceField,
    SelfDiffusion,
    ShearViscosity,
    SimulationSettings,
    Status,
    Substance,
    ThermodynamicState,
    estimate,
)

EPSILON, SIGMA, MASS = 0.99607262, 0.3405, 39.948  # kJ/mol, nm, Da
DIFFUSION = SIGMA * math.sqrt(EPSILON / MASS) * 1000  # nm^2/ns
VISCOSITY = math.sqrt(EPSILON * MASS) / SIGMA**2 * 1.66053906660e-3  # mPa s
PRESSURE = EPSILON / SIGMA**3 / 0.0602214076  # bar
DENSITY = MASS / SIGMA**3 * 1.66053906660e-3  # g/mL


def estimated(directory, temperature, density, **settings):
    state = ThermodynamicState(temperature=f"{temperature * 119.8} K")
    argon = Substance.pure("[Ar]")
    results = estimate(
        [SelfDiffusion(argon, state), ShearViscosity(argon, state)],
        OpenMMForceField("argon.xml"),
        directory=directory,
        settings=SimulationSettings(
            initial_density=f"{density * DENSITY} g/mL", cutoff="1.0215 nm", timestep="5 fs",
            equilibration_time="50 ps", nve_spacing="3 ps", stress_interval="100 fs", **settings,
        ),
    )  # fmt: skip
    assert [result.status for result in results] == [Status.converged] * 2, str(results)
    return results


@pytest.mark.validation
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("temperature", "density", "published", "pressure"),
    [(0.852, 0.820, 0.048, 0.573), (0.851, 0.776, 0.061, None)],
)
def test_diffusion_in_the_box(tmp_path, temperature, density, published, pressure):
    """NIST's molecular dynamics (NVE, N = 500), not corrected for the size of the box; 10 % are allowed."""
    diffusion, _ = estimated(
        tmp_path, temperature, density, number_of_molecules=500, nve_time="30 ps", nve_segments=10
    )
    in_box, error = (diffusion.details[name].magnitude for name in ("D_PBC", "D_PBC standard error"))
    assert error / DIFFUSION < 0.04 * published
    assert abs(in_box / DIFFUSION - published) < 0.1 * published
    if pressure is not None:
        assert diffusion.details["pressure"].magnitude / PRESSURE == pytest.approx(pressure, abs=0.15)


@pytest.mark.validation
@pytest.mark.timeout(7200)
def test_viscosity_near_the_triple_point(tmp_path):
    """3.2 to 3.3 at T* 0.722, rho* 0.8442."""
    _, viscosity = estimated(
        tmp_path, 0.722, 0.8442, number_of_molecules=400, nve_time="60 ps", nve_segments=30
    )
    value, error = (x.to("mPa*s").magnitude / VISCOSITY for x in (viscosity.value, viscosity.standard_error))
    assert error < 0.2
    assert abs(value - 3.25) < 3 * math.hypot(error, 0.05)
