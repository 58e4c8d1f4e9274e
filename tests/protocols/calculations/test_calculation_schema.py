import json
import re
from pathlib import Path

import jsonschema
import pytest

from protocols.calculations.schema import calculation_schema
from protocols.text import parse_yaml

_DOCS = Path(__file__).parents[3] / "docs"
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
        ("{solute: C, solvent: O}", "{solute: C}"),
        ("water: O\n", "water: [Ar]\n"),
        ("  type: parsl-local\n", ""),
    ],
)
def test_what_is_wrong_is_not_valid(validator, before, after):
    [text, _] = _documented()
    assert before in text
    assert not validator.is_valid(parse_yaml(text.replace(before, after, 1)))


if __name__ == "__main__":
    _PUBLISHED.write_text(_text())
