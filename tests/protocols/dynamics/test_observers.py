import numpy as np
import openmm
import pytest

from protocols.dynamics.observers import DensityProfile, SlabTension

BAR = 16.6053906660  # of 1 kJ/mol/nm^3
BOX, MASS = np.diag([4.0, 5.0, 12.0]), 40.0


def context_of(observer, positions, velocities=None, epsilon=0.0):
    """Return the observer of atoms of Lennard-Jones 0.3 nm, and their Context."""
    system, force = openmm.System(), openmm.NonbondedForce()
    force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    force.setCutoffDistance(1.5)
    force.setUseDispersionCorrection(False)
    system.setDefaultPeriodicBoxVectors(*BOX)
    for _ in positions:
        system.addParticle(MASS)
        force.addParticle(0.0, 0.3, epsilon)
    system.addForce(force)
    made = observer(system)
    reference = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), reference)
    context.setPositions(positions)
    context.setVelocities(np.zeros((len(positions), 3)) if velocities is None else velocities)
    return made, context


def values(made, context):
    state = context.getState(positions=True)
    return dict(zip(made.columns, made.values(context, state), strict=True))


def test_the_pressure_of_free_atoms_is_kinetic_and_that_of_each_axis():
    rng = np.random.default_rng(1)
    velocities = rng.normal(size=(50, 3)) * [0.1, 0.2, 0.4]
    found = values(*context_of(SlabTension, rng.uniform(0, 4, (50, 3)), velocities))
    expected = MASS * (velocities**2).sum(axis=0) / np.linalg.det(BOX) * BAR
    assert [found[f"pressure {a} (bar)"] for a in ("xx", "yy", "zz")] == pytest.approx(expected, rel=1e-3)
    tension = 12 / 2 * (expected[2] - (expected[0] + expected[1]) / 2) * 0.1
    assert found["surface tension (mN/m)"] == pytest.approx(tension, rel=1e-3)


@pytest.mark.parametrize("axis", range(3))
def test_a_pair_pulls_along_its_axis(axis):
    """The virial of one pair: -r U'(r) / V."""
    r, epsilon = 0.4, 1.0
    positions = np.array([[2.0, 2.0, 2.0], [2.0, 2.0, 2.0]])
    positions[1, axis] += r
    found = values(*context_of(SlabTension, positions, epsilon=epsilon))
    slope = 4 * epsilon * (-12 * 0.3**12 / r**13 + 6 * 0.3**6 / r**7)
    expected = np.where(np.arange(3) == axis, -r * slope / np.linalg.det(BOX) * BAR, 0)
    pressures = [found[f"pressure {a} (bar)"] for a in ("xx", "yy", "zz")]
    assert pressures == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_looking_at_the_pressure_moves_nothing():
    rng = np.random.default_rng(2)
    made, context = context_of(SlabTension, rng.uniform(0, 12, (20, 3)), rng.normal(size=(20, 3)), 1.0)
    before = context.getState(positions=True, velocities=True, forces=True)
    values(made, context)
    after = context.getState(positions=True, velocities=True, forces=True)
    for read in ("getPositions", "getVelocities", "getForces", "getPeriodicBoxVectors"):
        first, second = (np.array(getattr(state, read)(asNumpy=True)._value) for state in (before, after))
        assert np.array_equal(first, second)


@pytest.mark.parametrize("shift", [0.0, 5.9, -37.3])
def test_the_profile_is_centred_and_adds_up_to_the_mass(shift):
    z = np.linspace(-1.5, 1.5, 300)
    positions = np.column_stack([np.full((300, 2), 1.0), z + shift])
    profile = np.array(list(values(*context_of(DensityProfile, positions)).values()))
    volume = np.linalg.det(BOX)
    assert profile.mean() * volume / 1.66053906660e-3 == pytest.approx(300 * MASS, rel=1e-4)
    inside = np.abs(np.arange(100) - 49.5) < 12  # 3 nm of 12
    assert (profile[inside] > 0).all()
    assert profile[np.abs(np.arange(100) - 49.5) > 14].max() == 0
    assert profile[inside].mean() == pytest.approx(300 * MASS / (volume / 4) * 1.66053906660e-3, rel=0.06)
