import json
import re
import shutil
from pathlib import Path

import jsonschema
import pytest
from rdkit import Chem

from protocols.calculations.calculation import read_calculation
from protocols.calculations.problems import CalculationFileError
from protocols.calculations.schema import calculation_schema
from protocols.text import parse_yaml, yaml_text

_DOCS = Path(__file__).parents[3] / "docs"
_EXAMPLE = _DOCS.parent / "examples" / "water.yaml"
_PUBLISHED = _DOCS / "schema" / "calculation.json"


def _text():
    return json.dumps(calculation_schema(), indent=2, ensure_ascii=False) + "\n"


@pytest.fixture(scope="module")
def validator():
    schema = calculation_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def _documented():
    pages = [(_DOCS / name).read_text(encoding="utf-8") for name in ("command-line.md", "data-sets.md")]
    return [block for page in pages for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]


def test_the_published_schema_is_this_one():
    assert _PUBLISHED.read_text(encoding="utf-8") == _text(), f"write it anew: python {Path(__file__)}"


def test_the_docs_show_the_example_that_ships():
    assert _documented()[0] == _EXAMPLE.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", _documented())
def test_what_the_docs_show_is_valid(validator, text):
    validator.validate(parse_yaml(text))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("force_field: tip3p.xml", "forcefield: tip3p.xml"),
        ("property: Density", "property: Densty"),
        ("target: 0.2 %", "targt: 0.2 %"),
        ("state: room\n", "\n"),
        ("rounds: 10", "rounds: 0"),
        ("production_time: 200 ps", "production_tim: 200 ps"),
        ("production_time: 200 ps", "production_time: 200"),
        ("{solute: CCO, solvent: O}", "{solute: CCO}"),
        ('argon: "[Ar]"', "argon: [Ar]"),
        ("  type: parsl-local\n", ""),
    ],
)
def test_what_is_wrong_is_not_valid(validator, before, after):
    text = next(block for block in _documented() if before in block)
    assert not validator.is_valid(parse_yaml(text.replace(before, after, 1)))


_AMBER = "{type: AmberFiles, prmtop: ethanol.prmtop, inpcrd: ethanol.inpcrd}"
_FORCE_FIELDS = {
    "[tip3p.xml, argon.xml]": True,
    f"[{_AMBER}, tip3p.xml]": True,
    f"{{type: CombinedForceField, sources: [{_AMBER}, tip3p.xml]}}": True,
    "{type: GromacsFiles, top: water.top, gro: water.gro, include: ., defines: {FLEXIBLE: '1'}}": True,
    "{type: GaffForceField, version: gaff}": True,
    '{type: "elsewhere:Source", anything: 1}': True,
    "[]": False,
    "1": False,
    "{prmtop: ethanol.prmtop, inpcrd: ethanol.inpcrd}": False,
    "{type: AmberFiles, prmtop: ethanol.prmtop}": False,
    "{type: AmberFiles, prmtop: ethanol.prmtop, inpcrd: ethanol.inpcrd, top: water.top}": False,
    "{type: AmberFiles, prmtop: 1, inpcrd: ethanol.inpcrd}": False,
    "{type: GaffForceField, version: gaff3}": False,
    "{type: OpenMMForceField, files: [tip3p.xml]}": False,
    "{type: SmirnoffForceField}": False,
}
_BACKENDS = {
    "{type: parsl-local, number_of_workers: 2, resources_per_worker: {number_of_threads: 1}}": True,
    "{type: parsl-slurm, pools: {gpu: [1, {}]}, queue_name: {gpu: a100}, account: p1}": True,
    "{type: dask-slurm, resources_per_worker: {per_thread_memory_limit: 2 GB}, directory: runs}": True,
    "{type: multiprocessing, pools: {cpu: [1, {number_of_threads: 1}]}}": True,
    "{number_of_workers: 2}": False,
    "{type: parsl-local, workers: 2}": False,
    "{type: parsl-local, number_of_workers: two}": False,
    "{type: parsl-local, resources_per_worker: {threads: 1}}": False,
    "{type: parsl-local, resources_per_worker: {wallclock_time_limit: 05:00}}": False,
    "{type: parsl-kubernetes}": False,
}


_SUBSTANCES = {
    "{mixture: {O: 0.9, CCO: 0.1}}": True,
    "{solute: C, solvent: {file: ethanol.sdf}}": True,
    "{file: ethanol.sdf}": True,
    "{components: [{smiles: O, mole_fraction: 1}, {file: ethanol.sdf, count: 3, role: solute}]}": True,
    "{components: [{smiles: O, count: 200}, {smiles: CCO, count: 56}]}": True,
    "{components: []}": False,
    "{components: [{smiles: O}]}": False,
    "{components: [{mole_fraction: 1}]}": False,
    "{components: [{smiles: O, mole_fraction: 1, count: 3}]}": False,
    "{components: [{smiles: O, file: ethanol.sdf, mole_fraction: 1}]}": False,
    "{components: [{smiles: O, mole_fraction: 1, role: ion}]}": False,
    "{components: [{smiles: O, number: 3}]}": False,
    "{file: ethanol.sdf, count: 3}": False,
    "{solute: C, solvent: [O]}": False,
}


@pytest.mark.parametrize(
    ("key", "value", "right"),
    [
        *(("substances", f"{{argon: {text}}}", right) for text, right in _SUBSTANCES.items()),
        *(("force_field", text, right) for text, right in _FORCE_FIELDS.items()),
        *(("backend", text, right) for text, right in _BACKENDS.items()),
    ],
)
def test_schema_and_reader_agree(validator, tmp_path, key, value, right):
    for name in ("ethanol.prmtop", "ethanol.inpcrd", "water.top", "spce.itp", "water.gro"):
        shutil.copy(_DOCS.parent / "examples" / "files" / name, tmp_path)
    Chem.MolToMolFile(Chem.AddHs(Chem.MolFromSmiles("CCO")), str(tmp_path / "ethanol.sdf"))
    data = {
        "force_field": "argon.xml",
        "substances": {"argon": "[Ar]"},
        "states": {"cold": {"temperature": "90 K", "pressure": "1 bar"}},
        "properties": [{"property": "Density", "substance": "argon", "state": "cold"}],
        "settings": {"initial_density": "1.3 g/mL"},
    } | {key: parse_yaml(value)}
    assert validator.is_valid(data) is right
    (tmp_path / "argon.yaml").write_text(yaml_text(data))
    # What cannot be told from the file alone, such as whether there are parameters for argon.
    told = "does not cover|whole box|no source covers|cannot be imported|^$"
    try:
        read_calculation(tmp_path / "argon.yaml")
        message = ""
    except CalculationFileError as error:
        message = str(error)
    assert (re.search(told, message) is not None) is right, message


if __name__ == "__main__":
    _PUBLISHED.write_text(_text())
