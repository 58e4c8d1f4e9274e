"""Densities of real length against published values; minutes to half an hour on two cores."""

import pytest

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


def density(directory, smiles, force_field, state, settings):
    with ParslLocalBackend(
        number_of_workers=2, resources_per_worker=ComputeResources(number_of_threads=1)
    ) as backend:
        [result] = estimate(
            [Density(Substance.pure(smiles), ThermodynamicState(**state))],
            OpenMMForceField(force_field),
            backend,
            directory=directory,
            settings=SimulationSettings(**settings),
        )
    assert result.status is Status.converged, str(result)
    return result.value.to("g/mL").magnitude, result.standard_error.to("g/mL").magnitude


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_tip3p_water(tmp_path):
    """0.9848(13) g/mL at these settings.

    Without the long-range correction the barostat misses the tail's part of the Hamiltonian, 130 bar at a
    cutoff of 0.9 nm, and the density 0.007 g/mL, where 0.005 are tolerated.
    """
    value, error = density(
        tmp_path,
        "O",
        "tip3p.xml",
        {"temperature": "298.15 K", "pressure": "1 atm"},
        {"equilibration_time": "30 ps", "production_time": "400 ps"},
    )
    assert error <= 0.001
    assert abs(value - 0.9848) < 3 * (error**2 + 0.0013**2) ** 0.5


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_argon_at_saturation(tmp_path):
    """Reduced density 0.70094(6) at T* = 1, p* = 0.02495: NIST, SAT-TMMC with long-range correction."""
    value, error = density(
        tmp_path,
        "[Ar]",
        "argon.xml",
        {"temperature": "119.8 K", "pressure": "10.453 bar"},
        {
            "number_of_molecules": 500,
            "initial_density": "1.18 g/mL",
            "cutoff": "1.0215 nm",
            "switching_distance": "0.99 nm",
            "timestep": "5 fs",
            "output_interval": "1 ps",
            "segment_time": "100 ps",
            "equilibration_time": "100 ps",
            "production_time": "2 ns",
        },
    )
    reduced = 0.3405**3 / (39.948 * 1.66053906660e-3)
    assert error * reduced <= 0.0015
    assert abs(value * reduced - 0.70094) < 3 * error * reduced
