"""Runs the water example on another backend: one line changes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

__all__ = ["only_progress", "run_water_example"]

_ROOT = Path(__file__).parents[2]


def run_water_example(place: Path, script: str, changes: dict[str, str], **environment: str) -> None:
    """Run an example of water's density, its parts that match a pattern changed, and look at its output."""
    text = (_ROOT / "examples" / script).read_text(encoding="utf-8")
    for pattern, new in changes.items():
        text, count = re.subn(pattern, new, text)
        assert count, pattern
    (place / "water.py").write_text(text, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "water.py", "--fast", "--directory", "water"],
        cwd=place,
        env=os.environ | {"PYTHONPATH": str(_ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert re.match(r"Density of O at 298\.15 K, 1 atm: \d\.\d+ \+/- 0\.\d+ g/mL", run.stdout), run.stdout
    assert only_progress(run.stderr), run.stderr


def only_progress(text: str) -> bool:
    """Tell whether there is nothing but progress, of a run that takes longer than half a minute here."""
    return all(re.match(r"\d\d:\d\d:\d\d ", line) for line in text.splitlines())
