"""The code of README and docs runs: the blocks of a page one after the other, in a process of their own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PAGES = [
    page
    for page in [_ROOT / "README.md", *sorted((_ROOT / "docs").rglob("*.md"))]
    if "```python\n" in page.read_text()
]


def _run(page: Path, place: Path) -> str:
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    run = subprocess.run(
        [sys.executable, "-"],  # a file would be imported again by the processes of Parsl's monitoring
        input="\n".join(blocks),
        capture_output=True,
        text=True,
        cwd=place,
        check=False,
        timeout=560,
        env=os.environ | {"PYTHONPATH": str(_ROOT)},
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", _PAGES, ids=lambda page: page.name)
def test_the_code_of_a_page_runs(page: Path, tmp_path: Path) -> None:
    printed = _run(page, tmp_path)
    if page.name == "README.md":
        shown = re.fullmatch(r"Density of O at 298\.15 K, 1 atm: (0\.\d+) \+/- (0\.\d+) g/mL\n", printed)
        assert shown is not None, printed
        value, error = map(float, shown.groups())
        assert error <= 0.004
        assert abs(value - 0.9848) <= 3 * (error**2 + 0.0013**2) ** 0.5
