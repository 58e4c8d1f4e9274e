"""Each question is put once per host and run, whoever asks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from workflow_backends import probing
from workflow_backends.machine import import_variables
from workflow_backends.probing import PROBES_VARIABLE, Trial, try_platform


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Replace the probe's process; remember what it was asked, and where."""
    asked: list[Any] = []

    def run(question: Any, environment: Any) -> dict[str, Any]:
        asked.append((question, environment))
        time.sleep(0.05)
        return {"integrates": True}

    monkeypatch.setattr(probing, "_run", run)
    monkeypatch.setattr(probing, "_answers", {})
    return asked


def test_a_process_asks_once(runs: list[Any]) -> None:
    assert (
        try_platform("CUDA", {}, {}) == try_platform("CUDA", {}, {"UNRELATED": "1"}) == Trial(integrates=True)
    )
    assert len(runs) == 1


@pytest.mark.parametrize(
    "changed",
    [("HIP", {}, {}), ("CUDA", {"Precision": "double"}, {}), ("CUDA", {}, {"CUDA_VISIBLE_DEVICES": "1"})],
)
def test_another_question_is_asked(runs: list[Any], changed: Any) -> None:
    try_platform("CUDA", {}, {})
    try_platform(*changed)
    assert len(runs) == 2


def test_processes_of_a_run_share_the_answer(
    runs: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = {PROBES_VARIABLE: str(tmp_path / "probes")}
    try_platform("CUDA", {}, run)
    monkeypatch.setattr(probing, "_answers", {})  # as in another process
    assert try_platform("CUDA", {}, run).integrates
    assert len(runs) == 1
    try_platform("CUDA", {}, {PROBES_VARIABLE: str(tmp_path / "another run")})
    assert len(runs) == 2


def test_another_host_boot_python_or_openmm_asks_again(
    runs: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = {PROBES_VARIABLE: str(tmp_path)}
    here = probing._here()
    assert len(here) == 4
    assert all(here)
    for n in range(4):
        monkeypatch.setattr(probing, "_here", lambda n=n: [*here[:n], "other", *here[n + 1 :]])
        try_platform("CUDA", {}, run)
    assert len(runs) == 4


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(
    ("failure", "passes"),
    [
        (("CUDA", "did not answer within 120 s"), True),
        (("CUDA", "the probe ended with signal 9"), True),
        (("CUDA", "Error creating array posq: CUDA_ERROR_OUT_OF_MEMORY (2)"), True),
        (("CUDA", "The requested CUDA device could not be loaded"), True),
        (("OpenCL", "Error creating array posq: clCreateBuffer (-4)"), True),
        (("CUDA", "the probe ended with signal 11"), False),
        (("CUDA", 'There is no registered Platform called "CUDA"'), False),
    ],
)
def test_a_failure_that_may_pass_is_asked_about_again(
    failure: tuple[str, str], passes: bool, shared: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (platform, error), clock = failure, [1e9]
    ends = [Trial(True, True), Trial(error=error)]

    def run(*_: Any) -> dict[str, Any]:
        clock[0] += 3.0
        return asdict(ends.pop())

    monkeypatch.setattr(probing, "_run", run)
    monkeypatch.setattr(probing, "_answers", {})
    monkeypatch.setattr(probing, "time", SimpleNamespace(time=lambda: clock[0], monotonic=lambda: clock[0]))
    environment = {PROBES_VARIABLE: str(tmp_path)} if shared else {}
    for wait in (0.0, 29.0, 2.0, 9e9):  # it holds for ten times the three seconds that it took
        clock[0] += wait
        if shared:
            monkeypatch.setattr(probing, "_answers", {})
        works = passes and wait in (2.0, 9e9)
        assert try_platform(platform, {}, environment) == (Trial(True, True) if works else Trial(error=error))


def test_who_asks_at_the_same_time_waits_for_the_answer(
    runs: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forgetful(dict[Any, Any]):  # so that only the files are shared, as between processes
        def __contains__(self, _: object) -> bool:
            return False

        def setdefault(self, _: Any, value: Any) -> Any:
            return value

    for name in ("_answers", "_locks"):
        monkeypatch.setattr(probing, name, Forgetful())
    with ThreadPoolExecutor(4) as threads:
        run = {PROBES_VARIABLE: str(tmp_path)}
        answers = [threads.submit(try_platform, "CUDA", {}, run) for _ in range(4)]
    assert {answer.result() for answer in answers} == {Trial(integrates=True)}
    assert len(runs) == 1


def test_a_damaged_answer_is_asked_for_again(
    runs: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = {PROBES_VARIABLE: str(tmp_path)}
    try_platform("CUDA", {}, run)
    [file] = tmp_path.glob("*.json")
    file.write_text(file.read_text(encoding="utf-8")[:5])
    monkeypatch.setattr(probing, "_answers", {})
    assert try_platform("CUDA", {}, run).integrates
    assert len(runs) == 2


def test_a_directory_that_cannot_be_written_is_no_reason_to_fail(runs: list[Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert try_platform("CUDA", {}, {PROBES_VARIABLE: str(tmp_path / "file" / "probes")}).integrates


def test_a_probe_that_crashes_or_hangs_is_an_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho a driver talks\necho '{\"integrates\": true}'\nkill -SEGV $$\n")
    fake.chmod(0o755)
    monkeypatch.setattr(probing, "_answers", {})
    monkeypatch.setattr(sys, "executable", str(fake))
    trial = try_platform("CUDA", {})
    assert trial == Trial(integrates=True, error="the probe ended with signal 11")
    fake.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(probing, "_TIMEOUT_S", 0.2)
    assert try_platform("HIP", {}) == Trial(error="did not answer within 0.2 s")


def test_asking_imports_neither_openmm_nor_a_driver(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from workflow_backends.probing import find_devices\n"
        "find_devices('OpenCL')\n"
        "assert 'openmm' not in sys.modules\n"
        "assert 'OpenCL' not in open('/proc/self/maps').read()\n"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env=os.environ | import_variables(), cwd=tmp_path
    )
