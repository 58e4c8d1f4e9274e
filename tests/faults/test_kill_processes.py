"""kill -9 of script, workers, manager or all at once, then the same command: equal to a run without kills."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import parsl_run
import psutil
import pytest
from killing import contents, finished
from processes import descendants, named
from waiting import wait_until

from workflow_backends.testing.base import kill

_SCRIPT = Path(parsl_run.__file__)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the simulations leave when nothing is killed, and no worker is used."""
    directory = tmp_path_factory.mktemp("undisturbed")
    outcomes = parsl_run.graph().execute(directory, parsl_run.REFERENCE)
    assert not [outcome for outcome in outcomes.values() if isinstance(outcome, Exception)]
    return _simulations(directory)


def _simulations(directory: Path) -> dict[str, Any]:
    found = contents(directory)
    return {name: item for name, item in found.items() if name.startswith("OpenMMSimulation-")}


def _start(directory: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(_SCRIPT), str(directory)],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(_SCRIPT.parents[2]), "TMPDIR": str(directory.parent)},
    )


def _managers(script: subprocess.Popen[str]) -> list[psutil.Process]:
    return [
        child
        for guard in named("workflow_backends.parsl_engine.guard", script.pid)
        for child in descendants(guard.pid, recursive=False)
    ]


VICTIMS: dict[str, Callable[[subprocess.Popen[str]], list[Any]]] = {
    "script": lambda script: [script],
    "workers": lambda script: named("workflow_backends.worker", script.pid),
    "manager": _managers,
    "machine": lambda script: [script, *descendants(script.pid)],
}


def _kill(script: subprocess.Popen[str], victim: str) -> int:
    """Kill; return whether there was anything to kill."""
    victims = VICTIMS[victim](script)
    kill(process.pid for process in victims)
    if script in victims:
        script.communicate()
    return bool(victims)


def _stepping(directory: Path) -> bool:
    return len(list(directory.glob("OpenMMSimulation-*/segments/000001"))) == 2


def _finish(script: subprocess.Popen[str], directory: Path, undisturbed: dict[str, Any]) -> None:
    _, errors = script.communicate(timeout=150)
    assert script.returncode == 0, errors
    assert _simulations(directory) == undisturbed


@pytest.mark.timeout(280)
@pytest.mark.parametrize("victim", VICTIMS)
def test_what_is_killed_while_it_simulates_costs_a_segment(place, undisturbed, victim) -> None:
    directory = place / "run"
    script = _start(directory)
    assert wait_until(lambda: _stepping(directory), 90)
    before = finished(directory)
    assert len(before) == 2
    segments = {path: path.stat().st_ino for path in directory.glob("*/segments/*[0-9]")}
    assert _kill(script, victim)
    if script.poll() is not None:
        script = _start(directory)
    _finish(script, directory, undisturbed)
    assert {name: finished(directory)[name] for name in before} == before
    assert {path: path.stat().st_ino for path in segments} == segments


@pytest.mark.repeated
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_killed_at_random_moments(place, undisturbed, seed) -> None:
    rng, directory, kills = random.Random(seed), place / "run", 0
    script = _start(directory)
    while kills < 12:
        time.sleep(rng.uniform(0, 8))
        if script.poll() is not None:
            break
        kills += _kill(script, rng.choice(list(VICTIMS)))
        if script.poll() is not None:
            script = _start(directory)
    _finish(script, directory, undisturbed)
    print(f"seed {seed}: {kills} kills of processes")
