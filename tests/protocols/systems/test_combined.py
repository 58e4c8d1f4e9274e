from pathlib import Path

import numpy as np
import pytest
from openmm import unit
from test_files import INTERACTIONS, assert_equal, computed

from protocols.errors import InputError
from protocols.systems.combined import CombinedForceField
from protocols.systems.files import AmberFiles, GromacsFiles
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.parameterise import BuildOpenMMSystem
from protocols.systems.topology import Molecule, box_topology

FILES = Path(__file__).parents[3] / "examples" / "files"
PEROXIDE = Path(__file__).parents[2] / "force_fields" / "peroxide.xml"


def ethanol():
    return AmberFiles(FILES / "ethanol.prmtop", FILES / "ethanol.inpcrd")


def box(*smiles, edge=2.0):
    molecules = [Molecule.from_smiles(each) for each in smiles]
    positions = np.concatenate([each.positions + 0.45 * number for number, each in enumerate(molecules)])
    return box_topology([(each, 1) for each in molecules], edge), positions * unit.nanometer


def test_two_sources_of_one_formula_make_what_openmm_makes_of_both_files():
    topology, positions = box("OO", "O", "OO", "O")
    combined = CombinedForceField(OpenMMForceField(PEROXIDE), OpenMMForceField("tip4pew.xml"))
    made = [
        each.parameterised(topology, positions, INTERACTIONS, periodic=True)
        for each in (combined, OpenMMForceField(PEROXIDE, "tip4pew.xml"))
    ]
    ours, theirs = (computed(each.system, each.positions) for each in made)
    assert_equal(ours, theirs)
    assert made[0].system.getNumConstraints() == made[1].system.getNumConstraints()


def test_a_solute_from_files_stands_in_water_of_a_force_field():
    """Far apart and in vacuum, each has its own energy, which is none for rigid water."""
    topology, positions = box("CCO", "O")
    far = [[0, 0, 0]] * 9 + [[1000.0, 0, 0]] * 3
    combined = CombinedForceField(ethanol(), OpenMMForceField("tip4pew.xml"))
    made = combined.parameterised(topology, positions + far * unit.nanometer, INTERACTIONS, periodic=False)
    alone = ethanol().parameterised(*box("CCO"), INTERACTIONS, periodic=False)
    energy, expected = computed(made.system, made.positions)[0], computed(alone.system, alone.positions)[0]
    assert energy == pytest.approx(expected, abs=1e-3)
    assert made.system.isVirtualSite(12)


def test_a_list_of_sources_is_a_combination_in_inputs_and_documents(tmp_path):
    (tmp_path / "box.cif").write_text("")
    given = [ethanol(), OpenMMForceField("tip3p.xml")]
    protocol = BuildOpenMMSystem(coordinates_file=tmp_path / "box.cif", force_field=given)
    assert protocol.force_field == CombinedForceField(*given)
    assert BuildOpenMMSystem.from_json(protocol.to_json()) == protocol


def test_what_no_source_covers_is_told_with_what_each_says():
    combined = CombinedForceField(ethanol(), OpenMMForceField("tip3p.xml"))
    combined.check_covers("O")
    combined.check_covers("CCO")
    with pytest.raises(InputError, match=r"no source covers C: ethanol.prmtop .*; tip3p.xml does not"):
        combined.check_covers("C")
    with pytest.raises(InputError, match=r"water.top is a whole box; it cannot be combined"):
        CombinedForceField(ethanol(), GromacsFiles(FILES / "water.top", FILES / "water.gro"))
    with pytest.raises(InputError, match="sources: 1 given; a combination needs at least two"):
        CombinedForceField("tip3p.xml")
    with pytest.raises(InputError, match=r"sources: CombinedForceField.* is not allowed"):
        CombinedForceField(combined, "tip3p.xml")
