from pathlib import Path

import pytest
from openmm import unit

from protocols.settings import InteractionSettings
from protocols.systems.constraints import constrained_pairs
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.topology import Molecule, box_topology

PEROXIDE = Path(__file__).parents[2] / "force_fields" / "peroxide.xml"


@pytest.mark.parametrize("constraints", [None, "HBonds", "AllBonds", "HAngles"])
@pytest.mark.parametrize("rigid_water", [True, False])
@pytest.mark.parametrize("smiles", ["O", "OO", "[Ar]"])
def test_the_pairs_are_those_that_openmm_fixes(smiles, constraints, rigid_water):
    molecule = Molecule.from_smiles(smiles)
    topology = box_topology([(molecule, 2)])
    interactions = InteractionSettings(constraints=constraints, rigid_water=rigid_water)
    positions = [*molecule.positions, *molecule.positions] * unit.nanometer
    force_field = OpenMMForceField("tip3p.xml", "argon.xml", PEROXIDE)
    system = force_field.parameterised(topology, positions, interactions, periodic=False).system
    fixed = {tuple(sorted(system.getConstraintParameters(i)[:2])) for i in range(system.getNumConstraints())}
    assert {tuple(sorted(pair)) for pair in constrained_pairs(topology, interactions)} == fixed
