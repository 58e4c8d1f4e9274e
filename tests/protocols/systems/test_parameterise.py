import openmm
import pytest

from protocols.errors import InputError
from protocols.running.execution import execute_in
from protocols.settings import InteractionSettings
from protocols.substance import Substance
from protocols.systems.coordinates import BuildCoordinatesPackmol
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.parameterise import BuildOpenMMSystem


def nonbonded(outputs):
    system = openmm.XmlSerializer.deserialize(outputs.system_file.read_text(encoding="utf-8"))
    return system, next(f for f in system.getForces() if isinstance(f, openmm.NonbondedForce))


def water(directory, resources, force_field="tip3p.xml", **interactions):
    packed = execute_in(
        BuildCoordinatesPackmol(substance=Substance.pure("O"), number_of_molecules=40),
        directory / "packed",
        resources,
    )
    return execute_in(
        BuildOpenMMSystem(
            coordinates_file=packed.coordinates_file,
            force_field=OpenMMForceField(force_field),
            interactions=InteractionSettings(**({"cutoff": "0.5 nm"} | interactions)),
        ),
        directory / "built",
        resources,
    )


def test_water_has_pme_the_correction_and_rigid_molecules(tmp_path, resources):
    system, force = nonbonded(water(tmp_path, resources))
    assert force.getNonbondedMethod() == openmm.NonbondedForce.PME
    assert force.getUseDispersionCorrection()
    assert not force.getUseSwitchingFunction()
    assert force.getCutoffDistance()._value == 0.5
    assert system.getNumConstraints() == 40 * 3


def test_every_interaction_setting_reaches_the_system(tmp_path, resources):
    outputs = water(
        tmp_path, resources, long_range_correction=False, switching_distance="0.4 nm",
        ewald_error_tolerance=1e-5, hydrogen_mass="2 dalton", rigid_water=False, constraints=None,
    )  # fmt: skip
    system, force = nonbonded(outputs)
    assert not force.getUseDispersionCorrection()
    assert force.getSwitchingDistance()._value == 0.4
    assert force.getEwaldErrorTolerance() == 1e-5
    assert system.getParticleMass(1)._value == 2.0
    assert system.getNumConstraints() == 0


def test_virtual_sites_are_added_with_positions(tmp_path, resources):
    outputs = water(tmp_path, resources, force_field="tip4pew.xml")
    system, _ = nonbonded(outputs)
    state = openmm.XmlSerializer.deserialize(outputs.state_file.read_text(encoding="utf-8"))
    assert system.getNumParticles() == len(state.getPositions()) == 160
    assert system.isVirtualSite(3)


def test_a_system_without_charges_is_spared_the_ewald_sum(argon_box):
    _, force = nonbonded(argon_box)
    assert force.getNonbondedMethod() == openmm.NonbondedForce.CutoffPeriodic
    assert force.getUseDispersionCorrection()
    _, sigma, epsilon = force.getParticleParameters(0)
    assert sigma._value == 0.3405
    assert epsilon._value / 8.31446261815324e-3 == pytest.approx(119.8, rel=1e-7)


def test_a_box_too_small_for_the_cutoff_is_refused(tmp_path, resources):
    with pytest.raises(InputError, match=r"cutoff: 0\.9 nm is not allowed for the box of coordinates.cif"):
        water(tmp_path, resources, cutoff="0.9 nm")
