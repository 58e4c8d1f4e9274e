import sys
from pathlib import Path

import numpy as np
import openmm
import pytest

from protocols.dynamics.gas import BuildGasMolecule
from protocols.dynamics.minimisation import OpenMMEnergyMinimisation
from protocols.errors import InputError
from protocols.running.execution import execute_in
from protocols.settings import InteractionSettings
from protocols.substance import Substance
from protocols.systems.alchemy import BuildAlchemicalSystem, check_alchemy, load_alchemy
from protocols.systems.coordinates import BuildCoordinatesPackmol
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.parameterise import BuildOpenMMSystem
from workflow_backends.resources import ComputeResources

FORCE_FIELDS = Path(__file__).parents[2] / "force_fields"
METHANE_FILE = Path(__file__).parents[3] / "benchmarks" / "validation" / "gaff_methane.xml"
REFERENCE = ComputeResources(platform="Reference")


def energy(system, state, **parameters):
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    if system.usesPeriodicBoundaryConditions():
        context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    context.setPositions(state.getPositions())
    for name, value in parameters.items():
        context.setParameter(name, value)
    return context.getState(energy=True).getPotentialEnergy()._value


def read(file):
    return openmm.XmlSerializer.deserialize(file.read_text(encoding="utf-8"))


def boxed(home, substance, force_field, density):
    packed = execute_in(
        BuildCoordinatesPackmol(substance=substance, number_of_molecules=300, density=density),
        home / "packed", REFERENCE,
    )  # fmt: skip
    built = execute_in(
        BuildOpenMMSystem(
            coordinates_file=packed.coordinates_file, force_field=force_field,
            interactions=InteractionSettings(cutoff="1 nm", switching_distance="0.9 nm"),
        ),
        home / "built", REFERENCE,
    )  # fmt: skip
    relaxed = execute_in(
        OpenMMEnergyMinimisation(
            system_file=built.system_file, state_file=built.state_file
        ),
        home / "relaxed", ComputeResources(number_of_threads=1),
    )  # fmt: skip
    return built.system_file, relaxed.state_file


@pytest.fixture(scope="module")
def systems(tmp_path_factory):
    """Files of System and State, the number of the solute among the molecules, and its particles, by name."""
    home = tmp_path_factory.mktemp("solutions")
    argon = OpenMMForceField("argon.xml")
    methane = OpenMMForceField("tip3p.xml", METHANE_FILE)
    peroxide = OpenMMForceField("tip3p.xml", FORCE_FIELDS / "peroxide.xml")
    gas = execute_in(BuildGasMolecule(smiles="OO", force_field=peroxide), home / "gas", REFERENCE)
    return {
        "argon in argon": (
            *boxed(home / "a", Substance.solution("[Ar]", "[Ar]"), argon, "1.2 g/mL"), 0, [0]
        ),
        "methane in water": (
            *boxed(home / "m", Substance.solution("C", "O"), methane, "0.95 g/mL"), 0, range(5)
        ),
        "peroxide in water": (
            *boxed(home / "p", Substance.solution("OO", "O"), peroxide, "0.95 g/mL"),
            299, range(299 * 3, 299 * 3 + 4),
        ),
        "peroxide in vacuum": (gas.system_file, gas.state_file, 0, range(4)),
    }  # fmt: skip


def alchemical(tmp_path, system_file, solute):
    outputs = execute_in(BuildAlchemicalSystem(system_file=system_file, molecule=solute), tmp_path, REFERENCE)
    return read(outputs.system_file)


def without_interactions(system, state, solute):
    """Take the solute's interactions from a System; return the Lennard-Jones energy within the solute."""
    [force] = [force for force in system.getForces() if isinstance(force, openmm.NonbondedForce)]
    within = 0.0
    for index in range(force.getNumExceptions()):
        i, j, _, sigma, epsilon = force.getExceptionParameters(index)
        if i in solute and j in solute:
            r = np.linalg.norm(np.subtract(*state.getPositions(asNumpy=True)._value[[i, j]]))
            within += 4 * epsilon._value * ((sigma._value / r) ** 12 - (sigma._value / r) ** 6)
            force.setExceptionParameters(index, i, j, 0, sigma, 0)
    for i in solute:
        _, sigma, _ = force.getParticleParameters(i)
        force.setParticleParameters(i, 0, sigma, 0)
    return within


SOLUTIONS = ["argon in argon", "methane in water", "peroxide in water"]


@pytest.mark.parametrize("name", [*SOLUTIONS, "peroxide in vacuum"])
def test_with_all_there_the_energy_is_that_of_the_unmodified_system(tmp_path, systems, name):
    system_file, state_file, molecule, _ = systems[name]
    state = read(state_file)
    expected = energy(read(system_file), state)
    assert abs(expected) > 1
    assert energy(alchemical(tmp_path, system_file, molecule), state) == pytest.approx(expected, rel=2e-6)


@pytest.mark.parametrize("name", SOLUTIONS)
def test_with_nothing_there_the_solute_feels_only_itself(tmp_path, systems, name):
    system_file, state_file, molecule, solute = systems[name]
    state, system = read(state_file), read(system_file)
    within = without_interactions(system, state, solute)
    expected = energy(system, state) + within
    made = alchemical(tmp_path, system_file, molecule)
    found = energy(made, state, lambda_sterics=0, lambda_electrostatics=0)
    assert found == pytest.approx(expected, rel=2e-6)
    assert abs(energy(made, state) - expected) > 1


def test_charges_within_a_molecule_in_vacuum_vanish_with_it(tmp_path, systems):
    system_file, state_file, molecule, solute = systems["peroxide in vacuum"]
    state, system = read(state_file), read(system_file)
    [force] = [force for force in system.getForces() if isinstance(force, openmm.NonbondedForce)]
    for index in range(force.getNumExceptions()):
        i, j, _, sigma, epsilon = force.getExceptionParameters(index)
        force.setExceptionParameters(index, i, j, 0, sigma, epsilon)
    for i in solute:
        _, sigma, epsilon = force.getParticleParameters(i)
        force.setParticleParameters(i, 0, sigma, epsilon)
    made = alchemical(tmp_path, system_file, molecule)
    there, half, gone = (energy(made, state, lambda_electrostatics=value) for value in (1, 0.5, 0))
    assert gone == pytest.approx(energy(system, state), rel=1e-6)
    assert abs(there - gone) > 1
    assert min(there, gone) < half < max(there, gone)


def test_no_force_is_left_that_no_pair_feels(tmp_path, systems):
    system_file, _, molecule, _ = systems["argon in argon"]
    forces = alchemical(tmp_path, system_file, molecule).getForces()
    assert sorted(type(force).__name__ for force in forces) == [
        "CMMotionRemover", "CustomNonbondedForce", "NonbondedForce",
    ]  # fmt: skip
    [force] = [force for force in forces if isinstance(force, openmm.NonbondedForce)]
    assert force.getNonbondedMethod() == openmm.NonbondedForce.CutoffPeriodic


def test_a_molecule_that_is_not_there_is_refused(tmp_path, systems):
    with pytest.raises(InputError, match="molecule: 300 is not allowed; the system has 300"):
        alchemical(tmp_path, systems["argon in argon"][0], 300)


def test_forces_and_sites_that_cannot_be_scaled_are_refused():
    system = openmm.System()
    system.addParticle(1.0)
    with pytest.raises(InputError, match="one NonbondedForce only; the system has 0 of them"):
        check_alchemy(system, [0])
    system.addForce(openmm.NonbondedForce())
    check_alchemy(system, [0])
    system.addForce(openmm.CustomNonbondedForce("0"))
    with pytest.raises(InputError, match="the system has CustomNonbondedForce"):
        check_alchemy(system, [0])
    system.removeForce(1)
    system.addParticle(0.0)
    system.setVirtualSite(1, openmm.TwoParticleAverageSite(0, 0, 0.5, 0.5))
    with pytest.raises(InputError, match="solute: it has virtual sites"):
        check_alchemy(system, [0, 1])


def test_without_openmmtools_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "openmmtools.alchemy", None)
    with pytest.raises(InputError) as caught:
        load_alchemy()
    assert "pip install 'estimate-properties[free-energy]'" in str(caught.value)
    assert "\n" not in str(caught.value)
