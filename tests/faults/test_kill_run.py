"""kill -9 of the script in the middle of an estimate on Parsl, then the same command again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import wait_until

_EXAMPLE = Path(__file__).parents[2] / "examples" / "02_argon_density.py"


def _start(directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(_EXAMPLE), "--fast", "--directory", str(directory)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(_EXAMPLE.parents[1])},
    )


def _finished(directory: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in directory.glob("*/result.json")}


def _stepping(directory: Path) -> bool:
    return bool(list(directory.glob("OpenMMSimulation-*/segments/0*")))


def _check_finish(script: subprocess.Popen[str], before: dict[Path, int], directory: Path) -> None:
    printed, errors = script.communicate(timeout=120)
    assert script.returncode == 0, errors
    assert printed.startswith("Density of [Ar] at 119.8 K, 10.453 bar: ")
    after = _finished(directory)
    assert {path: after[path] for path in before} == before


@pytest.mark.timeout(240)
def test_a_killed_script_goes_on_where_it_stopped(tmp_path: Path) -> None:
    directory = tmp_path / "run"
    script = _start(directory)
    assert wait_until(lambda: _stepping(directory), 60)
    script.kill()
    script.communicate()
    before = _finished(directory)
    assert any("Packmol" in str(path) for path in before)
    assert not any("AverageObservable" in str(path) for path in before)
    _check_finish(_start(directory), before, directory)
