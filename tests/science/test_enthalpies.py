"""Enthalpies and volumes against published values, and of a mixture that is ideal."""

import pytest

from protocols import (
    EnthalpyOfMixing,
    EnthalpyOfVaporization,
    ExcessMolarVolume,
    OpenMMForceField,
    SimulationSettings,
    Status,
    Substance,
    ThermodynamicState,
    estimate,
)
from workflow_backends import ComputeResources, ParslLocalBackend

ARGON = OpenMMForceField("argon.xml")
EPSILON = 0.99607262  # kJ/mol


def estimated(properties, directory, settings):
    with ParslLocalBackend(
        number_of_workers=2, resources_per_worker=ComputeResources(number_of_threads=1)
    ) as backend:
        return estimate(properties, ARGON, backend, directory=directory, settings=settings)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_the_enthalpy_of_vaporization_of_argon_at_saturation(tmp_path):
    """6.358 at T* = 0.85, p* = 0.0076357: -U*_liq + T* - p* / rho*_liq of NIST's SAT-TMMC."""
    state = ThermodynamicState(temperature=f"{0.85 * 119.8} K", pressure="3.199 bar")
    settings = SimulationSettings(
        number_of_molecules=500, initial_density="1.25 g/mL", cutoff="1.0215 nm",
        switching_distance="0.99 nm", timestep="5 fs", output_interval="1 ps", segment_time="100 ps",
        equilibration_time="100 ps", production_time="1 ns",
    )  # fmt: skip
    [heat] = estimated([EnthalpyOfVaporization(Substance.pure("[Ar]"), state)], tmp_path, settings)
    assert heat.status is Status.converged, str(heat)
    value, error = (x.to("kJ/mol").magnitude / EPSILON for x in (heat.value, heat.standard_error))
    assert error < 0.005
    assert abs(value - 6.358) < 3 * (error**2 + 0.0003**2) ** 0.5


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_one_molecule_under_two_names_mixes_without_heat_or_volume(tmp_path):
    """A force field knows elements, not isotopes."""
    mixture = Substance.mixture({"[Ar]": 0.5, "[39Ar]": 0.5})
    state = ThermodynamicState(temperature="100 K", pressure="20 bar")
    settings = SimulationSettings(
        number_of_molecules=120, initial_density="1.3 g/mL", cutoff="0.8 nm", timestep="5 fs",
        output_interval="0.25 ps", segment_time="50 ps", equilibration_time="20 ps", production_time="250 ps",
    )  # fmt: skip
    heat, volume = estimated(
        [EnthalpyOfMixing(mixture, state), ExcessMolarVolume(mixture, state)], tmp_path, settings
    )
    for result, least, most in ((heat, 0.002, 0.05), (volume, 0.02, 0.4)):
        assert result.status is Status.converged, str(result)
        assert least < result.standard_error.magnitude < most
        assert abs(result.value.magnitude) < 3 * result.standard_error.magnitude
