import numpy as np
import openmm
import pytest

from protocols.systems.particles import degrees_of_freedom, dipole_charges, fixed_charges, molecules


def system_of(charges, bonds=(), constraints=(), masses=None):
    """Return a System of so many particles in a row."""
    system, force, bond_force = openmm.System(), openmm.NonbondedForce(), openmm.HarmonicBondForce()
    for i, charge in enumerate(charges):
        system.addParticle(1.0 if masses is None else masses[i])
        force.addParticle(charge, 0.3, 0.0)
    for first, second in bonds:
        bond_force.addBond(first, second, 0.1, 1000.0)
    for first, second in constraints:
        system.addConstraint(first, second, 0.1)
    system.addForce(force)
    system.addForce(bond_force)
    return system


def test_bonds_constraints_and_virtual_sites_make_molecules():
    system = system_of([0.0] * 5, bonds=[(0, 1)], constraints=[(2, 3)], masses=[1, 1, 1, 1, 0])
    system.setVirtualSite(4, openmm.TwoParticleAverageSite(2, 3, 0.5, 0.5))
    assert sorted(map(sorted, molecules(system))) == [[0, 1], [2, 3, 4]]
    assert degrees_of_freedom(system) == 11


def test_the_charges_of_neutral_molecules_count():
    system = system_of([0.4, -0.4, 0.4, -0.4], bonds=[(0, 1), (2, 3)])
    assert dipole_charges(system, molecules(system)).tolist() == [0.4, -0.4, 0.4, -0.4]


def test_what_rounding_leaves_of_a_net_charge_is_taken_off():
    system = system_of([0.402, -0.4], bonds=[(0, 1)])
    charges = dipole_charges(system, molecules(system))
    assert charges.sum() == pytest.approx(0, abs=1e-15)
    assert charges == pytest.approx([0.401, -0.401])


@pytest.mark.parametrize("charges", [[0.0, 0.0], [1.0, 0.0], [0.5, 0.5]])
def test_no_charges_and_ions_have_no_dipole(charges):
    system = system_of(charges, bonds=[(0, 1)])
    assert dipole_charges(system, molecules(system)) is None


def test_ions_that_neutralise_each_other_have_no_dipole():
    system = system_of([1.0, -1.0])
    assert dipole_charges(system, molecules(system)) is None


def test_charges_that_are_not_fixed_are_not_known():
    scaled = system_of([0.0, 0.0])
    scaled.getForce(0).addGlobalParameter("scale", 1.0)
    scaled.getForce(0).addParticleParameterOffset("scale", 0, 1.0, 0.0, 0.0)
    assert fixed_charges(scaled) is None
    assert fixed_charges(openmm.System()) is None
    assert np.array_equal(fixed_charges(system_of([0.5, -0.5])), [0.5, -0.5])
