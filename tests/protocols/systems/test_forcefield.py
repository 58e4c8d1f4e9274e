import pickle
from pathlib import Path

import pytest

from protocols.errors import InputError
from protocols.identity import content
from protocols.model import Model
from protocols.systems.forcefield import OpenMMForceField


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
        ("tip3.xml", "force_field: no file 'tip3.xml'; looked in "),
        ({"file": "tip3p.xml"}, "file: not an input of OpenMMForceField .*; its inputs are files"),
    ],
)
def test_what_names_no_file_is_refused(given, message):
    with pytest.raises(InputError, match=message):
        Takes(force_field=given)
