import pickle
from pathlib import Path

import numpy as np
import openmm
import pytest
from openmm import app, unit

from protocols.errors import InputError
from protocols.identity import content
from protocols.model import Model
from protocols.settings import InteractionSettings
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.topology import Molecule, box_topology


def identity(force_field: OpenMMForceField) -> object:
    return content(force_field, "force_field")


class Takes(Model):
    force_field: OpenMMForceField


def test_an_unknown_file_lists_where_it_was_looked_for():
    with pytest.raises(InputError) as caught:
        OpenMMForceField("no-such.xml")
    message = str(caught.value)
    assert message.startswith("force_field: no file 'no-such.xml'; looked in ")
    assert "openmm/app/data" in message
    assert "protocols/data" in message
    assert "\n" not in message


def test_a_residue_that_is_not_covered_is_refused():
    with pytest.raises(InputError, match=r"force_field: tip3p.xml does not cover CCO") as caught:
        OpenMMForceField("tip3p.xml").check_covers("CCO")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("file", "smiles"), [("tip3p.xml", "O"), ("tip4pew.xml", "O"), ("argon.xml", "[Ar]")]
)
def test_molecules_are_matched_by_graph_virtual_sites_too(file, smiles):
    OpenMMForceField(file).check_covers(smiles)


def test_what_is_no_force_field_is_refused(tmp_path):
    (tmp_path / "broken.xml").write_text("<ForceField>")
    (tmp_path / "other.xml").write_text("<System/>")
    with pytest.raises(InputError, match="is not XML"):
        OpenMMForceField(tmp_path / "broken.xml")
    with pytest.raises(InputError, match="its root is <System>"):
        OpenMMForceField(tmp_path / "other.xml")
    with pytest.raises(InputError, match="no file given"):
        OpenMMForceField()


def test_content_and_not_the_name_is_the_identity(tmp_path):
    original = OpenMMForceField("argon.xml")
    file = tmp_path / "renamed.xml"
    file.write_text(original.files[0].xml)
    assert identity(OpenMMForceField(file)) == identity(original)
    file.write_text(original.files[0].xml.replace("0.3405", "0.3400"))
    assert identity(OpenMMForceField(file)) != identity(original)


@pytest.mark.parametrize(("name", "force"), [("swm4ndp", "DrudeForce"), ("iamoeba", "AmoebaMultipoleForce")])
def test_polarisable_force_fields_are_refused(name, force):
    with pytest.raises(InputError) as caught:
        OpenMMForceField(f"{name}.xml").check_covers("O")
    assert str(caught.value) == (
        f"force_field: {name}.xml has a {force}; polarisable force fields are not supported"
    )


def test_included_files_travel_with_the_object(tmp_path):
    inner, outer = tmp_path / "inner.xml", tmp_path / "outer.xml"
    inner.write_text(OpenMMForceField("argon.xml").files[0].xml)
    outer.write_text('<ForceField><Include file="inner.xml"/></ForceField>')
    force_field = OpenMMForceField(outer)
    inner.unlink()
    outer.unlink()
    pickle.loads(pickle.dumps(force_field)).check_covers("[Ar]")


@pytest.mark.parametrize(
    "given", ["tip3p.xml", Path("tip3p.xml"), ["tip3p.xml", "argon.xml"], ("argon.xml",)]
)
def test_an_input_takes_names_of_files(given):
    names = given if isinstance(given, list | tuple) else [given]
    assert Takes(force_field=given).force_field == OpenMMForceField(*names)


def test_the_file_that_an_input_names_is_read_at_once(tmp_path, monkeypatch):
    original = OpenMMForceField("argon.xml")
    (tmp_path / "mine.xml").write_text(original.files[0].xml)
    monkeypatch.chdir(tmp_path)
    taken = Takes(force_field="mine.xml")
    (tmp_path / "mine.xml").write_text("<ForceField/>")
    assert identity(taken.force_field) == identity(original)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, "force_field: 3 is not allowed; give a name such as 'tip3p.xml', a list of names, or an OpenMM"),
        (["tip3p.xml", 3], r"force_field: \['tip3p.xml', 3\] is not allowed"),
        ([], "force_field: no file given"),
        (
            "tip3.xml",
            r"force_field: no file 'tip3.xml' \(did you mean 'tip3p.xml' or 'tip3pfb.xml'\?\); looked in ",
        ),
        ({"file": "tip3p.xml"}, "file: not an input of OpenMMForceField .*; its inputs are files"),
    ],
)
def test_what_names_no_file_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        Takes(force_field=given)


@pytest.mark.parametrize("model", ["tip4pew.xml", "opc.xml", "tip5p.xml"])
def test_water_with_virtual_sites_is_that_of_openmm(model):
    """Energies, forces and the places of virtual sites, against Modeller and ForceField alone."""
    molecule = Molecule.from_smiles("O")
    places = np.stack(np.meshgrid(*[np.arange(2)] * 3), -1).reshape(-1, 1, 3) * 0.6
    positions = (molecule.positions[None] + places).reshape(-1, 3) * unit.nanometer
    topology = box_topology([(molecule, 8)], 1.2)
    made = OpenMMForceField(model).parameterised(
        topology, positions, InteractionSettings(cutoff="0.55 nm"), periodic=True
    )
    theirs = app.ForceField(model)
    modeller = app.Modeller(topology, positions)
    modeller.addExtraParticles(theirs)
    system = theirs.createSystem(
        modeller.topology, nonbondedMethod=app.PME, nonbondedCutoff=0.55, constraints=app.HBonds
    )
    states = []
    for each, start in ((made.system, made.positions), (system, modeller.positions)):
        platform = openmm.Platform.getPlatformByName("Reference")
        context = openmm.Context(each, openmm.VerletIntegrator(0.001), platform)
        context.setPositions(start)
        context.computeVirtualSites()
        states.append(context.getState(energy=True, forces=True, positions=True))
    ours, expected = states
    assert ours.getPotentialEnergy()._value == pytest.approx(expected.getPotentialEnergy()._value, rel=1e-6)
    forces = expected.getForces(asNumpy=True)._value
    assert np.abs(ours.getForces(asNumpy=True)._value - forces).max() < 1e-6 * np.abs(forces).max()
    apart = ours.getPositions(asNumpy=True) - expected.getPositions(asNumpy=True)
    assert np.abs(apart._value).max() < 1e-9
    assert sum(made.system.isVirtualSite(i) for i in range(made.system.getNumParticles())) in {8, 16}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ('type="argon-Ar"/>', 'type="argon-Kr"/>'),
            r"atom Ar of residue Ar has the type 'argon-Kr', which no <AtomTypes> defines",
        ),
        (
            ('<Atom type="argon-Ar" charge', '<Atom type="argon" charge'),
            r"does not cover \[Ar\] \(.*atom type argon-Ar, which is that of atom Ar of Ar\)",
        ),
        (('<Residue name="Ar">', '<Residue name="Ar"><Atom name="X" type="argon-Ar"/>'), r"not cover \[Ar\]"),
    ],
)
def test_a_file_that_lacks_something_is_refused_and_the_atom_named(tmp_path, change, message):
    text = OpenMMForceField("argon.xml").files[0].xml
    assert change[0] in text.replace(" />", "/>")
    extra = '<AtomTypes><Type name="argon" class="X" element="Ar" mass="40"/>'
    file = tmp_path / "mine.xml"
    file.write_text(text.replace(" />", "/>").replace(*change).replace("<AtomTypes>", extra))
    with pytest.raises(InputError, match=message) as caught:
        OpenMMForceField(file).check_covers("[Ar]")
    assert "\n" not in str(caught.value)
