"""Published values again, by the command whose records docs/validation.md shows; hours on two cores."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

VALIDATION = Path(__file__).parents[2] / "benchmarks" / "validation"
sys.path.insert(0, str(VALIDATION))

from cases import GROUPS  # noqa: E402


@pytest.mark.validation
@pytest.mark.timeout(24 * 3600)
@pytest.mark.parametrize("name", GROUPS)
def test_no_row_is_beyond_three_standard_errors(name, tmp_path):
    command = [sys.executable, str(VALIDATION / "run.py"), name, "--directory", str(tmp_path), "--records"]
    subprocess.run([*command, str(tmp_path)], check=True)
    rows = json.loads((tmp_path / "seed-1.json").read_text(encoding="utf-8"))[name]["rows"]
    assert [row["row"] for row in rows] == [row.title for row in GROUPS[name].rows]
    assert not [row for row in rows if abs(row["z"]) > 3]


def test_a_row_is_in_its_own_unit():
    [row] = GROUPS["lennard-jones-viscosity"].rows
    assert row.convert(0.090346) == pytest.approx(1.0, rel=1e-4)  # mPa s: sqrt(m epsilon) / sigma^2 of argon
