"""What the machine has and runs."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from workflow_backends import machine
from workflow_backends.machine import available_cpus, import_variables, kill_marked


@pytest.mark.parametrize(
    ("limit", "expected"), [("max 100000", 8), ("250000 100000", 2), ("50000 100000", 1), ("garbage", 8)]
)
def test_cpus_count_by_affinity_and_quota(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, limit: str, expected: int
) -> None:
    (tmp_path / "cpu.max").write_text(limit)
    monkeypatch.setattr(machine, "_CGROUP_CPU_MAX", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert available_cpus() == expected


def test_marked_processes_are_killed_wherever_they_moved_and_no_others() -> None:
    mark = uuid.uuid4().hex
    sleep = [sys.executable, "-c", "import time; time.sleep(1000)"]
    marked = subprocess.Popen(sleep, env=os.environ | {"TEST_MARK": mark}, start_new_session=True)
    other = subprocess.Popen(sleep, env=os.environ | {"TEST_MARK": "another"})
    try:
        assert kill_marked("TEST_MARK", mark) == [marked.pid]
        assert marked.wait(5) == -9
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_new_process_can_import_this_package() -> None:
    code = "import workflow_backends"
    environment = {"PATH": os.environ["PATH"]} | import_variables()
    subprocess.run([sys.executable, "-P", "-c", code], check=True, env=environment, cwd="/")
