import numpy as np
import openmm
import pytest

from protocols.dynamics import nve_engine
from protocols.dynamics.nve_engine import NVEEngine, pressure_tensor, stress_barostat
from protocols.dynamics.plans import SegmentPlan
from protocols.errors import InputError, SimulationError
from workflow_backends.platforms import PlatformChoice

SIGMA, EPSILON, MASS = 0.3405, 0.99607262, 39.948
BAR = 0.0602214076  # kJ/mol/nm^3
REFERENCE = PlatformChoice("Reference", {}, "")
PLAN = SegmentPlan(timestep_ps=0.005, spacing_steps=40, steps_a_frame=4, frames=60, stride=2)


def reference_context(system, integrator, state):
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName("Reference"))
    context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    context.setPositions(state.getPositions())
    return context


@pytest.fixture(scope="module")
def liquid(argon_box):
    """System and State of argon at 90 K, after 10 ps."""
    system = openmm.XmlSerializer.deserialize(argon_box.system_file.read_text(encoding="utf-8"))
    start = openmm.XmlSerializer.deserialize(argon_box.state_file.read_text(encoding="utf-8"))
    integrator = openmm.LangevinMiddleIntegrator(90, 5, 0.004)
    integrator.setRandomNumberSeed(3)
    context = reference_context(system, integrator, start)
    openmm.LocalEnergyMinimizer.minimize(context, 10, 100)
    context.setVelocitiesToTemperature(90, 1)
    integrator.step(2500)
    return system, context.getState(positions=True, velocities=True)


def smooth(system, state, switch):
    """Return a copy of the system whose potential, switched or short, has no jump among these positions."""
    copy = openmm.XmlSerializer.deserialize(openmm.XmlSerializer.serialize(system))
    [force] = [each for each in copy.getForces() if isinstance(each, openmm.NonbondedForce)]
    force.setUseDispersionCorrection(False)
    force.setUseSwitchingFunction(True)
    force.setSwitchingDistance(switch)
    return copy, force.getCutoffDistance()._value


def virial_tensor(positions, velocities, edges, switch, cutoff):
    """Return (sum m v v + sum r F) / V in bar, all nine elements, with OpenMM's switching function."""
    separations = positions[:, np.newaxis] - positions
    separations -= edges * np.round(separations / edges)
    first, second = np.triu_indices(len(positions), 1)
    pairs = separations[first, second]
    r = np.linalg.norm(pairs, axis=1)
    pairs, r = pairs[r < cutoff], r[r < cutoff]
    six = (SIGMA / r) ** 6
    energy, slope = 4 * EPSILON * (six**2 - six), -24 * EPSILON * (2 * six**2 - six) / r
    x = np.clip((r - switch) / (cutoff - switch), 0, 1)
    s, ds = 1 - 10 * x**3 + 15 * x**4 - 6 * x**5, -30 * x**2 * (1 - x) ** 2 / (cutoff - switch)
    over_r = -(slope * s + energy * ds) / r
    virial = np.einsum("p,pi,pj->ij", over_r, pairs, pairs)
    return (MASS * velocities.T @ velocities + virial) / np.prod(edges) / BAR


def test_the_pressure_tensor_is_that_of_the_virial(liquid):
    system, state = liquid
    copy, cutoff = smooth(system, state, 0.75)
    barostat = stress_barostat(90)
    copy.addForce(barostat)
    context = reference_context(copy, openmm.VerletIntegrator(0.004), state)
    context.setVelocities(state.getVelocities())
    edges = np.diag(state.getPeriodicBoxVectors(asNumpy=True)._value)
    positions = np.array(state.getPositions(asNumpy=True)._value)
    velocities = np.array(state.getVelocities(asNumpy=True)._value)
    expected = virial_tensor(positions, velocities, edges, 0.75, cutoff)
    found = pressure_tensor(barostat, context)
    wanted = expected[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    assert np.allclose(found[:3], wanted[:3], atol=0.1)  # finite differences of a sum of several kilobars
    assert np.allclose(found[3:], wanted[3:], atol=0.01)


def engine(liquid, tmp_path, plan=PLAN):
    (tmp_path / "state.xml").write_text(openmm.XmlSerializer.serialize(liquid[1]))
    (tmp_path / "system.xml").write_text(openmm.XmlSerializer.serialize(liquid[0]))
    return NVEEngine(
        system_file=tmp_path / "system.xml",
        state_file=tmp_path / "state.xml",
        temperature=90,
        friction=1,
        plan=plan,
        components=[60, 40],
        seed=4,
        choice=REFERENCE,
    )


def with_barostat(system, _):
    system.addForce(openmm.MonteCarloBarostat(1, 90))


def with_thermostat(system, _):
    system.addForce(openmm.AndersenThermostat(90, 1))


def with_heavy_hydrogens(system, _):
    system.setParticleMass(7, 3.0)


def with_rough_sums(_, force):
    force.setNonbondedMethod(openmm.NonbondedForce.PME)
    force.setEwaldErrorTolerance(5e-4)
    for number, charge in ((0, 0.5), (1, -0.5)):
        force.setParticleParameters(number, charge, 0.34, 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_barostat, "MonteCarloBarostat is not allowed at constant energy; take it out"),
        (with_thermostat, "AndersenThermostat is not allowed at constant energy; take it out"),
        (with_heavy_hydrogens, "a particle of 3 Da is not allowed at constant energy; hydrogens must have"),
        (with_rough_sums, "an Ewald error tolerance of 0.0005 is not allowed; it must be at most 1e-05"),
    ],
)
def test_a_system_that_would_not_move_by_itself_is_refused(liquid, tmp_path, change, message):
    system = openmm.XmlSerializer.deserialize(openmm.XmlSerializer.serialize(liquid[0]))
    [force] = [each for each in system.getForces() if isinstance(each, openmm.NonbondedForce)]
    change(system, force)
    with pytest.raises(InputError, match=f"^system_file: {message}"):
        engine((system, liquid[1]), tmp_path)


def test_constraints_hold_to_a_millionth_in_segments_and_between(liquid, tmp_path, monkeypatch):
    opened, open_context = [], nve_engine.open_context

    def remember(*arguments):
        opened.append(open_context(*arguments))
        return opened[-1]

    monkeypatch.setattr(nve_engine, "open_context", remember)
    engine(liquid, tmp_path)
    [context] = opened
    both = [context.getIntegrator().getIntegrator(number) for number in range(2)]
    assert [type(each).__name__ for each in both] == ["LangevinMiddleIntegrator", "VerletIntegrator"]
    assert [each.getConstraintTolerance() for each in both] == [1e-6, 1e-6]


def columns(rows):
    return np.array([[float(value) for value in row.split(",")] for row in rows])


def test_a_segment_keeps_energy_and_volume_and_has_every_row(liquid, tmp_path):
    steps = []
    measured, seconds = engine(liquid, tmp_path).measure(7, None, steps.append)
    [[number, temperature, drift, pressure, volume]] = columns([measured.segment])
    stress, displacements = columns(measured.stress), columns(measured.displacements)
    assert number == 7
    assert temperature == pytest.approx(90, abs=20)
    assert abs(drift) < 1
    assert volume == pytest.approx(liquid[1].getPeriodicBoxVolume()._value)
    assert set(stress[:, 0]) == set(displacements[:, 0]) == {7}
    assert np.allclose(stress[:, 1], 0.02 * np.arange(61))
    assert pressure == pytest.approx(stress[:, 2:5].mean())
    assert np.allclose(displacements[:, 1], 0.04 * np.arange(31))
    assert displacements[0, 2:].tolist() == [0, 0]
    thermal = np.sqrt(3 * 8.31446e-3 * temperature / MASS)  # ballistic: <v^2> t^2
    assert np.allclose(np.sqrt(displacements[1, 2:]), thermal * 0.04, rtol=0.2)
    assert displacements[5, 2] != displacements[5, 3]
    assert (steps[0], steps[-1]) == (0, PLAN.steps)
    assert seconds > 0


def test_what_is_measured_does_not_disturb_the_motion(liquid, tmp_path):
    often = engine(liquid, tmp_path)
    rarely = SegmentPlan(0.005, spacing_steps=40, steps_a_frame=80, frames=3, stride=1)
    seldom = engine(liquid, tmp_path, plan=rarely)
    ends = []
    for each in (often, seldom):
        each.measure(0, None, lambda _: None)
        ends.append(each.checkpoint())
    assert np.allclose(ends[0].positions, ends[1].positions, atol=1e-9)


def test_segments_differ_and_start_anew(liquid, tmp_path):
    one = engine(liquid, tmp_path)
    first, _ = one.measure(0, None, lambda _: None)
    end = one.checkpoint()
    second, _ = one.measure(1, end, lambda _: None)
    again, _ = engine(liquid, tmp_path).measure(1, end, lambda _: None)
    assert first.segment.split(",")[1:] != second.segment.split(",")[1:]
    assert again == second


@pytest.mark.parametrize(
    ("timestep", "message"), [(0.07, r"drifts by .* K of kinetic energy in 4\.2 ps"), (0.1, "not finite")]
)
def test_energy_that_is_not_kept_is_told(liquid, tmp_path, timestep, message):
    plan = SegmentPlan(timestep_ps=timestep, spacing_steps=1, steps_a_frame=1, frames=60, stride=2)
    with pytest.raises(SimulationError, match=f"segment 2: .*{message}"):
        engine(liquid, tmp_path, plan).measure(2, None, lambda _: None)
