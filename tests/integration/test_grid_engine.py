"""ParslGridEngineBackend on a real Grid Engine, in a network of its own that has loopback only."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from real_grid_engine import missing

_HERE = Path(__file__).parent


@pytest.mark.timeout(500)
def test_tasks_on_grid_engine(tmp_path: Path) -> None:
    _run_cases(tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_whole_conformance_suite_on_grid_engine(tmp_path: Path) -> None:
    _run_cases(tmp_path, "-m", "slow")


def _run_cases(place: Path, *options: str) -> None:
    if reason := missing():
        (pytest.fail if os.environ.get("REQUIRE_GRID_ENGINE") else pytest.skip)(reason)
    cases = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        f"--basetemp={place}/cases",
        *options,
        _HERE / "grid_engine_cases.py",
    ]
    run = subprocess.run(
        ["unshare", "--net", "bash", "-c", 'ip link set lo up && exec "$@"', "bash", *cases],
        cwd=_HERE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    print(run.stdout)
    assert run.returncode == 0, run.stdout + run.stderr
