import pytest
from openmm import app, unit

from protocols.errors import InputError
from protocols.molecule_files import smiles_of_file
from protocols.names import NAMES
from protocols.substance import Component, Substance, canonical_smiles
from protocols.systems.topology import Molecule, box_topology


def test_a_name_stands_for_its_smiles_and_is_none_itself():
    from rdkit import Chem, rdBase

    assert Substance.pure("Water") == Substance.pure("O")
    assert Substance.mixture({"ethanol": 0.5, "water": 0.5}) == Substance.mixture({"CCO": 0.5, "O": 0.5})
    for name, smiles in NAMES.items():
        assert canonical_smiles(smiles) == smiles
        with rdBase.BlockLogs():
            assert Chem.MolFromSmiles(name) is None


def test_an_unknown_name_lists_what_is_known():
    with pytest.raises(
        InputError,
        match=r"smiles: 'watr' does not parse \(did you mean 'water'\?\); .*, or a name: acetone, .*, xenon",
    ):
        Substance.pure("watr")


def test_a_site_is_one_particle_with_its_hydrogens():
    methane = Substance.pure("{CH4}")
    assert methane == Substance.pure("united-atom methane") != Substance.pure("C")
    molecule = Molecule.from_smiles("{CH4}")
    assert (molecule.elements, molecule.atom_names, molecule.residue_name) == ((6,), ("C",), "CH4")
    assert molecule.mass == pytest.approx(16.043, abs=1e-3)


@pytest.mark.parametrize("smiles", ["CCO", "c1ccccc1", "CC(=O)O", "O"])
@pytest.mark.parametrize("kind", ["sdf", "pdb", "cif"])
def test_the_molecule_of_a_file_is_its_smiles(tmp_path, smiles, kind):
    from rdkit import Chem
    from rdkit.Chem import AllChem

    file = tmp_path / f"molecule.{kind}"
    if kind == "sdf":
        built = Chem.AddHs(Chem.MolFromSmiles(smiles))
        AllChem.EmbedMolecule(built, randomSeed=1)
        Chem.MolToMolFile(built, str(file))
    else:
        molecule = Molecule.from_smiles(canonical_smiles(smiles))
        writer = app.PDBFile if kind == "pdb" else app.PDBxFile
        with file.open("w") as stream:
            writer.writeFile(box_topology([(molecule, 1)]), molecule.positions * unit.nanometer, stream)
    assert Component.from_file(file, mole_fraction=1.0).smiles == canonical_smiles(smiles)


MOL2 = """@<TRIPOS>MOLECULE
water
3 2 1 0 0
SMALL
NO_CHARGES

@<TRIPOS>ATOM
1 O  0.000 0.000 0.000 O.3 1 WAT
2 H1 0.957 0.000 0.000 H   1 WAT
3 H2 -0.240 0.927 0.000 H  1 WAT
@<TRIPOS>BOND
1 1 2 1
2 1 3 1
"""


def test_mol2_files_are_read_and_what_is_no_molecule_is_refused(tmp_path):
    (tmp_path / "water.mol2").write_text(MOL2)
    assert smiles_of_file(tmp_path / "water.mol2") == "O"
    (tmp_path / "empty.pdb").write_text("END\n")
    for name, message in [
        ("water.xyz", r"file: 'water.xyz' is not allowed; give one of .sdf"),
        ("none.sdf", r"file: 'none.sdf' cannot be read"),
        ("empty.pdb", r"file: no molecule is found in 'empty.pdb'"),
    ]:
        with pytest.raises(InputError, match=message) as caught:
            smiles_of_file(tmp_path / name)
        assert "\n" not in str(caught.value)
