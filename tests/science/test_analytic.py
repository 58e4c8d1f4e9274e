"""Cases whose answer is known exactly."""

import numpy as np
import openmm
import pytest

from protocols.analysis.observables import AverageObservable, read_observable
from protocols.analysis.statistics import pooled_mean
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.running.execution import execute_in
from protocols.settings import DynamicsSettings
from protocols.state import ThermodynamicState
from workflow_backends.resources import ComputeResources


def ideal_gas(directory, particles, edge):
    system = openmm.System()
    system.setDefaultPeriodicBoxVectors(*(np.eye(3) * edge))
    force = openmm.NonbondedForce()
    force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    force.setCutoffDistance(0.3)
    for _ in range(particles):
        system.addParticle(40.0)
        force.addParticle(0.0, 0.3, 0.0)
    system.addForce(force)
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    context.setPositions(np.random.default_rng(1).uniform(0, edge, (particles, 3)))
    files = directory / "system.xml", directory / "state.xml"
    files[0].write_text(openmm.XmlSerializer.serialize(system))
    files[1].write_text(openmm.XmlSerializer.serialize(context.getState(positions=True)))
    return files


def test_the_volume_of_an_ideal_gas_and_its_spread(tmp_path):
    """<V> = (N + 1) kT / p and its standard deviation sqrt(N + 1) kT / p."""
    particles, temperature, kt_over_p = 20, 300.0, 1.0
    pressure_bar = 1.380649e-23 * temperature / (kt_over_p * 1e-27) / 1e5
    files = ideal_gas(tmp_path, particles, edge=(particles + 1) ** (1 / 3))
    outputs = execute_in(
        OpenMMSimulation(
            system_file=files[0],
            state_file=files[1],
            state=ThermodynamicState(temperature="300 K", pressure=f"{pressure_bar} bar"),
            simulated_time="240 ps",
            dynamics=DynamicsSettings(
                timestep="2 fs", output_interval="0.04 ps", segment_time="60 ps", barostat_interval=1
            ),
            seed=3,
        ),
        tmp_path / "run",
        ComputeResources(platform="Reference"),
    )
    volume, _ = read_observable(outputs.observables_file, "volume")
    average = execute_in(
        AverageObservable(observable="volume", observables_files=(outputs.observables_file,)),
        tmp_path / "average",
        ComputeResources(),
    )
    error = average.standard_error.magnitude
    assert error < 0.5
    assert abs(average.value.magnitude - (particles + 1) * kt_over_p) < 4 * error
    assert volume.std() == pytest.approx(np.sqrt(particles + 1) * kt_over_p, rel=0.15)

    temperatures, _ = read_observable(outputs.observables_file, "temperature")
    assert temperatures.mean() == pytest.approx(temperature, rel=0.03)


def ar1(rng, count, length, tau):
    rho = np.exp(-1 / tau)
    series = np.empty((count, length))
    series[:, 0] = rng.normal(size=count)
    noise = rng.normal(size=(count, length)) * np.sqrt(1 - rho**2)
    for i in range(1, length):
        series[:, i] = rho * series[:, i - 1] + noise[:, i]
    return series


@pytest.mark.parametrize("tau", [3, 5, 10])
def test_the_statistical_inefficiency_of_a_first_order_process(tau):
    """g = (1 + rho) / (1 - rho) with rho = exp(-1 / tau)."""
    rho = np.exp(-1 / tau)
    rng = np.random.default_rng(tau)
    found = [pooled_mean(list(ar1(rng, 4, 8000, tau))).statistical_inefficiency for _ in range(20)]
    assert np.mean(found) == pytest.approx((1 + rho) / (1 - rho), rel=0.07)
