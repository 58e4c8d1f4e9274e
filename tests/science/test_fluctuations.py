"""Response functions from fluctuations: where they are known exactly, and of a real liquid."""

import math
import re

import numpy as np
import openmm
import pytest

from protocols import (
    AverageFluctuations,
    Density,
    DielectricConstant,
    InputError,
    IsobaricHeatCapacity,
    IsothermalCompressibility,
    OpenMMForceField,
    OpenMMSimulation,
    SimulationSettings,
    Status,
    Substance,
    ThermalExpansion,
    ThermodynamicState,
    WorkflowGraph,
    estimate,
    execute_in,
)
from protocols.quantities import registry
from protocols.settings import DynamicsSettings
from workflow_backends import ComputeResources

GAS_CONSTANT, BAR_NM3 = 8.31446261815324e-3, 6.02214076e-2  # kJ/mol/K; kJ/mol
TEMPERATURE, PARTICLES = 300.0, 20
PRESSURE = GAS_CONSTANT * TEMPERATURE / BAR_NM3  # in bar, so that kT/p is 1 nm^3
STATE = ThermodynamicState(temperature=f"{TEMPERATURE} K", pressure=f"{PRESSURE} bar")
FROM_ONE_LIQUID = (
    Density,
    IsobaricHeatCapacity,
    ThermalExpansion,
    IsothermalCompressibility,
    DielectricConstant,
)


def averaged(response, directory, tables, system_file, state=STATE):
    protocol = AverageFluctuations(
        response=response, observables_files=tables, system_file=system_file, state=state
    )
    return execute_in(protocol, directory / "average", ComputeResources())


@pytest.fixture(scope="module")
def gas(tmp_path_factory):
    """Return two tables and the System of particles that do not interact."""
    home, edge = tmp_path_factory.mktemp("gas"), (PARTICLES + 1) ** (1 / 3)
    system, force = openmm.System(), openmm.NonbondedForce()
    force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    force.setCutoffDistance(0.3)
    system.setDefaultPeriodicBoxVectors(*(np.eye(3) * edge))
    for _ in range(PARTICLES):
        system.addParticle(40.0)
        force.addParticle(0.0, 0.3, 0.0)
    system.addForce(force)
    reference = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), reference)
    context.setPositions(np.random.default_rng(1).uniform(0, edge, (PARTICLES, 3)))
    (home / "system.xml").write_text(openmm.XmlSerializer.serialize(system))
    (home / "state.xml").write_text(openmm.XmlSerializer.serialize(context.getState(positions=True)))
    tables = [
        execute_in(
            OpenMMSimulation(
                system_file=home / "system.xml",
                state_file=home / "state.xml",
                state=STATE,
                simulated_time="100 ps",
                dynamics=DynamicsSettings(
                    timestep="4 fs", output_interval="0.04 ps", segment_time="50 ps", barostat_interval=1
                ),
                seed=seed,
            ),
            home / str(seed),
            ComputeResources(platform="Reference"),
        ).observables_file
        for seed in (1, 2)
    ]
    return tables, home / "system.xml"


# <V> = (N + 1) kT/p and var(V) = (N + 1) (kT/p)^2 exactly, and the energy is 0, so that H = p V.
@pytest.mark.parametrize(
    ("response", "unit", "exact"),
    [
        ("isothermal compressibility", "1/bar", 1 / PRESSURE),
        ("thermal expansion", "1/K", 1 / TEMPERATURE),
        ("isobaric heat capacity", "kJ/mol/K", (3 / 2 + (PARTICLES + 1) / PARTICLES) * GAS_CONSTANT),
    ],
)
def test_an_ideal_gas(tmp_path, gas, response, unit, exact):
    outputs = averaged(response, tmp_path, *gas)
    value, error = outputs.value.to(unit).magnitude, outputs.standard_error.to(unit).magnitude
    assert outputs.status is Status.converged, outputs.reason
    assert error < 0.15 * exact
    assert abs(value - exact) < 3.5 * error


def test_without_charges_the_dielectric_constant_is_exactly_one(tmp_path, gas):
    outputs = averaged("dielectric constant", tmp_path, *gas)
    assert (outputs.value.magnitude, outputs.standard_error) == (1.0, None)
    assert (outputs.status, outputs.reason) == (Status.converged, "1 exactly: no particle has a charge")


def written(directory, columns):
    """Write a table of replicas 0.4 ps apart."""
    table = directory / f"{len(list(directory.iterdir()))}.csv"
    frames = len(next(iter(columns.values())))
    data = {"time (ps)": 0.4 * np.arange(1, frames + 1)} | columns
    np.savetxt(
        table, np.stack(list(data.values()), axis=1), delimiter=",", header=",".join(data), comments=""
    )
    return table


def pairs(directory, charges, *, bonded=True, atoms=0):
    """Write a System of pairs of particles at a fixed distance, and of single atoms."""
    system, force = openmm.System(), openmm.NonbondedForce()
    for first, second in charges:
        for charge in (first, second):
            system.addParticle(10.0)
            force.addParticle(charge, 0.3, 0.0)
        if bonded:
            system.addConstraint(force.getNumParticles() - 2, force.getNumParticles() - 1, 0.1)
    for _ in range(atoms):
        system.addParticle(10.0)
        force.addParticle(0.0, 0.3, 0.0)
    system.addForce(force)
    file = directory / "system.xml"
    file.write_text(openmm.XmlSerializer.serialize(system))
    return file


def dipole_table(directory, dipole, volume=10.0):
    columns = {f"dipole {axis} (e*nm)": values for axis, values in zip("xyz", dipole.T, strict=True)}
    return written(directory, {"volume (nm^3)": np.full(len(dipole), volume)} | columns)


def free_dipoles(seed, mean=0.0, number=50, size=0.05, frames=3000):
    """Return the sum of rigid dipoles that turn freely, shape (frames, 3), moved by a mean along y."""
    directions = np.random.default_rng(seed).normal(size=(frames, number, 3))
    return (
        size * (directions / np.linalg.norm(directions, axis=2, keepdims=True)).sum(axis=1)
        + mean * np.eye(3)[1]
    )


def test_dipoles_that_turn_freely(tmp_path):
    """Langevin and Debye: <M^2> = N mu^2, so that epsilon - 1 = N mu^2 / (3 epsilon_0 V kT)."""
    tables = [dipole_table(tmp_path, free_dipoles(seed)) for seed in (1, 2)]
    outputs = averaged("dielectric constant", tmp_path, tables, pairs(tmp_path, [(0.5, -0.5)] * 50))
    moment = (50**0.5 * 0.05 * 1.602176634e-28) ** 2  # C^2 m^2
    exact = 1 + moment / (3 * 8.8541878128e-12 * 10e-27 * 1.380649e-23 * TEMPERATURE)
    value, error = outputs.value.magnitude, outputs.standard_error.magnitude
    assert outputs.status is Status.converged, outputs.reason
    assert error == pytest.approx((exact - 1) * math.sqrt(2 / 3 / 5700), rel=0.25)
    assert abs(value - exact) < 3.5 * error


def test_a_mean_dipole_that_is_not_zero_is_too_short(tmp_path):
    tables = [dipole_table(tmp_path, free_dipoles(seed, mean=0.3)) for seed in (1, 2)]
    outputs = averaged("dielectric constant", tmp_path, tables, pairs(tmp_path, [(0.5, -0.5)] * 50))
    assert outputs.status is Status.too_short
    assert "the mean dipole moment, 0 by symmetry, is off by" in outputs.reason
    factor = 4 * math.pi * 138.93545764 / (3 * GAS_CONSTANT * TEMPERATURE * 10)  # of M^2 about 0
    assert outputs.value.magnitude == pytest.approx(1 + factor * (50 * 0.05**2 + 0.3**2), rel=0.03)


def test_a_mean_dipole_that_is_not_zero_is_told_beside_other_reasons(tmp_path):
    tables = [dipole_table(tmp_path, free_dipoles(1, mean=0.3)[:150])]
    outputs = averaged("dielectric constant", tmp_path, tables, pairs(tmp_path, [(0.5, -0.5)] * 50))
    assert re.match(r"\d+ of at least 200 effective samples; the mean dipole moment, 0 by", outputs.reason)


def test_zero_dipoles_have_a_dielectric_constant_of_one(tmp_path):
    tables = [dipole_table(tmp_path, np.zeros((200, 3)))]
    outputs = averaged("dielectric constant", tmp_path, tables, pairs(tmp_path, [(0.5, -0.5)]))
    assert (outputs.value.magnitude, outputs.standard_error) == (1.0, None)


def test_the_dielectric_constant_of_ions_is_refused(tmp_path):
    tables = [written(tmp_path, {"volume (nm^3)": np.full(9, 10.0)})]
    with pytest.raises(InputError, match=r"system_file: no dipole moment .* molecules must be neutral"):
        averaged("dielectric constant", tmp_path, tables, pairs(tmp_path, [(1.0, -1.0)], bonded=False))


def test_a_table_without_the_dipole_is_refused(tmp_path):
    tables = [written(tmp_path, {"volume (nm^3)": np.full(9, 10.0)})]
    with pytest.raises(InputError, match=r"observable: 'dipole x' is not in .*; it has time, volume"):
        averaged("dielectric constant", tmp_path, tables, pairs(tmp_path, [(0.5, -0.5)]))


def test_the_kinetic_part_of_a_heat_capacity_is_that_of_free_molecules(tmp_path):
    """Two rigid pairs with 5 degrees of freedom each and six atoms with 3: 3.5 in the mean."""
    columns = {"potential energy (kJ/mol)": np.full(50, -7.0), "volume (nm^3)": np.full(50, 10.0)}
    system = pairs(tmp_path, [(0.5, -0.5)] * 2, atoms=6)
    outputs = averaged("isobaric heat capacity", tmp_path, [written(tmp_path, columns)], system)
    assert outputs.value.magnitude == pytest.approx(3.5 / 2 * GAS_CONSTANT)


def test_the_applied_pressure_counts_in_the_enthalpy(tmp_path):
    """A pressure at which p V undoes what the energy does."""
    volume = 10 + np.random.default_rng(1).normal(size=400)
    columns = {"potential energy (kJ/mol)": 500 - 3 * volume, "volume (nm^3)": volume}
    state = ThermodynamicState(temperature="300 K", pressure=f"{3 / BAR_NM3} bar")
    system = pairs(tmp_path, [(0.5, -0.5)])
    outputs = averaged("thermal expansion", tmp_path, [written(tmp_path, columns)], system, state)
    assert outputs.value.to("1/K").magnitude == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("property_class", FROM_ONE_LIQUID)
def test_a_state_without_pressure_is_refused(property_class):
    item = property_class(Substance.pure("[Ar]"), ThermodynamicState(temperature="90 K"))
    with pytest.raises(InputError, match="pressure: missing; "):
        item.workflow(OpenMMForceField("argon.xml"), SimulationSettings(number_of_molecules=200))


def test_fluctuations_at_constant_volume_are_refused(tmp_path, gas):
    state = ThermodynamicState(temperature="300 K")
    with pytest.raises(InputError, match="state: no pressure; thermal expansion needs one"):
        averaged("thermal expansion", tmp_path, *gas, state)


def test_the_dielectric_constant_of_a_charged_substance_is_refused():
    brine = DielectricConstant(Substance.mixture({"O": 0.9, "[Na+]": 0.05, "[Cl-]": 0.05}), STATE)
    with pytest.raises(InputError, match=r"substance: \[Cl-\] is charged"):
        brine.workflow(OpenMMForceField("tip3p.xml"), SimulationSettings())


ARGON, COLD = Substance.pure("[Ar]"), ThermodynamicState(temperature="90 K", pressure="1 bar")
SHORT = SimulationSettings(
    number_of_molecules=200,
    initial_density="1.3 g/mL",
    cutoff="0.8 nm",
    timestep="5 fs",
    equilibration_time="5 ps",
    production_time="20 ps",
    output_interval="0.1 ps",
)


def test_properties_of_one_state_share_their_simulations():
    force_field = OpenMMForceField("argon.xml")
    ends = [kind(ARGON, COLD).workflow(force_field, SHORT).result for kind in FROM_ONE_LIQUID]
    assert len(WorkflowGraph(ends)) == len(WorkflowGraph(ends[:1])) + len(ends) - 1


def test_argon_from_one_set_of_simulations(tmp_path, backend):
    items = [kind(ARGON, COLD) for kind in FROM_ONE_LIQUID]
    results = estimate(items, OpenMMForceField("argon.xml"), backend, directory=tmp_path, settings=SHORT)
    assert len(list(tmp_path.glob("OpenMMSimulation-*"))) == 4  # two replicas, equilibration and production
    *measured, dielectric = results
    for result, least, most in zip(measured, (1.2, 15, 5e-4, 2e-5), (1.5, 150, 3e-2, 2e-3), strict=True):
        assert result.value.units == registry.Unit(result.property.unit)
        assert least < result.value.magnitude < most, str(result)
        assert 0 < result.standard_error.magnitude < result.value.magnitude
    assert str(dielectric) == (
        "DielectricConstant of [Ar] at 90 K, 1 bar: 1 (1 exactly: no particle has a charge)"
    )
