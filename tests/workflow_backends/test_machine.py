"""What the machine has and runs."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from workflow_backends import machine
from workflow_backends.machine import available_cpus, import_variables, kill_marked, total_memory

GB = 10**9
JOB = "system.slice/job 7"


@pytest.fixture
def cgroups(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str, dict[str, str]], None]:
    """Give this process cgroups, on a machine of 8 CPUs."""

    def arrange(own: str, files: dict[str, str]) -> None:
        (tmp_path / "own").write_text(own)
        for name, text in files.items():
            file = tmp_path / "cgroup" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{text}\n")

    monkeypatch.setattr(machine, "_OWN_CGROUPS", tmp_path / "own")
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    return arrange


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "max 100000"}, 8),
        ("0::/\n", {"cpu.max": "250000 100000"}, 2),
        ("0::/\n", {"cpu.max": "50000 100000"}, 1),
        ("0::/\n", {"cpu.max": "garbage"}, 8),
        (f"0::/{JOB}\n", {f"{JOB}/cpu.max": "300000 100000"}, 3),
        (f"0::/{JOB}/step\n", {f"{JOB}/step/cpu.max": "max 100000", f"{JOB}/cpu.max": "400000 100000"}, 4),
        (f"0::/{JOB}\n", {f"{JOB}/cpu.max": "600000 100000", "system.slice/cpu.max": "500000 100000"}, 5),
        (f"0::/{JOB}\n", {"other/cpu.max": "100000 100000"}, 8),
        ("0::/../../elsewhere\n", {"cpu.max": "200000 100000", "../../elsewhere/cpu.max": "1 1"}, 2),
        (
            f"5:cpu,cpuacct:/{JOB}\n3:cpuset:/\n0::/\n",
            {f"cpu/{JOB}/cpu.cfs_quota_us": "200000", f"cpu/{JOB}/cpu.cfs_period_us": "100000"},
            2,
        ),
        ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
        ("1:cpu:/seen/from/outside\n", {"cpu/cpu.cfs_quota_us": "6000", "cpu/cpu.cfs_period_us": "1000"}, 6),
    ],
)
def test_cpus_count_by_affinity_and_the_smallest_quota_around(
    cgroups: Callable[[str, dict[str, str]], None], own: str, files: dict[str, str], expected: int
) -> None:
    cgroups(own, files)
    assert available_cpus() == expected


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {"memory.max": "max"}, 16 * GB),
        (f"0::/{JOB}\n", {f"{JOB}/memory.max": f"{4 * GB}", "memory.max": f"{8 * GB}"}, 4 * GB),
        (f"0::/{JOB}/step\n", {f"{JOB}/step/memory.max": "max", f"{JOB}/memory.max": f"{2 * GB}"}, 2 * GB),
        (
            f"4:memory:/{JOB}\n0::/\n",
            {f"memory/{JOB}/memory.limit_in_bytes": f"{3 * GB}", "memory/memory.limit_in_bytes": f"{2**63}"},
            3 * GB,
        ),
        ("4:memory:/\n", {"memory/memory.limit_in_bytes": "9223372036854771712"}, 16 * GB),
    ],
)
def test_memory_is_that_of_the_machine_or_the_smallest_limit_around(
    cgroups: Callable[[str, dict[str, str]], None],
    monkeypatch: pytest.MonkeyPatch,
    own: str,
    files: dict[str, str],
    expected: int,
) -> None:
    cgroups(own, files)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 1000, "SC_PHYS_PAGES": 16 * GB // 1000}.__getitem__)
    assert total_memory() == expected


def test_a_machine_without_cgroups_has_no_limit(cgroups: Callable[[str, dict[str, str]], None]) -> None:
    assert available_cpus() == 8
    assert total_memory() > 10**8


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
