"""DaskSlurmBackend on a real SLURM of three nodes."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conformance_core import CoreConformance
from distributed.utils import offload
from processes import listening
from real_slurm import Slurm, missing
from water_example import run_water_example

from workflow_backends import DaskSlurmBackend, QueueWorkerResources
from workflow_backends.errors import EngineError
from workflow_backends.testing import BackendConformance
from workflow_backends.testing.base import SuiteBase

_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def slurm() -> Iterator[Slurm]:
    if reason := missing():
        (pytest.fail if os.environ.get("REQUIRE_SLURM") else pytest.skip)(reason)
    place = Path(tempfile.mkdtemp(prefix="slurm-"))  # short, for munge's socket is in it
    try:
        with Slurm(place) as started, pytest.MonkeyPatch.context() as patch:
            for name, value in started.environment.items():
                patch.setenv(name, value)
            patch.setattr("workflow_backends.dask_engine.jobs._LOOK_S", 1.0)
            yield started
            assert started.queue() == []
    finally:
        shutil.rmtree(place, ignore_errors=True)


class _OnSlurm(SuiteBase):
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def offload(cls) -> None:
        asyncio.run(offload(abs, -1))  # starts the one thread that Dask keeps in a process for good

    def make_backend(self, workers: int = 2, **resources: Any) -> DaskSlurmBackend:
        return DaskSlurmBackend(
            0, workers, QueueWorkerResources(**resources), directory=tempfile.gettempdir()
        )


class TestCore(_OnSlurm, CoreConformance):
    pass


@pytest.mark.slow
class TestDaskSlurm(_OnSlurm, BackendConformance):
    pass


def test_the_water_example_needs_another_backend_only(slurm: Slurm, tmp_path: Path) -> None:
    run_water_example(tmp_path, "14_slurm.py", {"ParslSlurmBackend": "DaskSlurmBackend"})


def _wait_until(condition: Callable[[], bool], timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.1)


def test_jobs_get_what_was_asked_for_and_go_when_idle(slurm: Slurm, tmp_path: Path) -> None:
    resources = QueueWorkerResources(2, 2, per_thread_memory_limit="1500 MB", platform="Reference")
    backend = DaskSlurmBackend(
        *(0, 4, resources, "main"), workers_per_node=2, directory=tmp_path, idle_time_limit=2
    )

    def where() -> tuple[str, str]:
        time.sleep(1)
        return os.environ["SLURMD_NODENAME"], os.environ["CUDA_VISIBLE_DEVICES"]

    before = listening()
    with backend:
        assert slurm.queue() == []
        places = {future.result(60) for future in [backend.submit_task(where) for _ in range(12)]}
        granted = [slurm.run("scontrol", "show", "job", job) for job in slurm.queue()]
        heard = listening() - before
        nodes = {node for node, _ in places}
        assert places == {(node, devices) for node in nodes for devices in ("0,1", "2,3")}  # each its own
        assert len(granted) == len(nodes) == 2
        assert all("CPUs/Task=4" in job and "MinMemoryNode=5723M" in job for job in granted)
        assert {address for address, _ in heard} == {"127.0.0.1"}
        _wait_until(lambda: slurm.queue() == [])
        assert backend.submit_task(abs, -1).result(60) == 1
    assert slurm.queue() == []
    assert list(tmp_path.iterdir()) == []


def test_a_cancelled_job_loses_nothing(slurm: Slurm, tmp_path: Path) -> None:
    mark = tmp_path / "job"

    def work() -> str:
        mark.write_text(os.environ["SLURM_JOB_ID"])
        while not (tmp_path / "end").exists():
            time.sleep(0.1)
        return os.environ["SLURM_JOB_ID"]

    with DaskSlurmBackend(0, 1, directory=tmp_path) as backend:
        future = backend.options(retries=0).submit_task(work)
        _wait_until(lambda: mark.exists() and bool(mark.read_text(encoding="utf-8")))
        lost = mark.read_text(encoding="utf-8")
        slurm.run("scancel", lost)
        _wait_until(lambda: mark.read_text(encoding="utf-8") not in ("", lost))
        (tmp_path / "end").touch()
        assert future.result(60) == mark.read_text(encoding="utf-8") != lost


@pytest.mark.slow
def test_a_task_with_no_time_left_for_it_runs_in_the_next_job(slurm: Slurm, tmp_path: Path) -> None:
    def work(seconds: float) -> str:
        time.sleep(seconds)
        return os.environ["SLURM_JOB_ID"]

    resources = QueueWorkerResources(wallclock_time_limit="0:01")
    with DaskSlurmBackend(0, 1, resources, directory=tmp_path) as backend:
        first = backend.submit_task(work, 12).result(60)
        assert backend.options(time_limit=50).submit_task(work, 0).result(60) != first


def test_a_queue_that_is_not_there_is_told(slurm: Slurm, tmp_path: Path) -> None:
    with DaskSlurmBackend(0, 1, queue_name="nope", directory=tmp_path) as backend:
        with pytest.raises(EngineError, match=r"sbatch refused the job: .*invalid partition specified: nope"):
            backend.submit_task(abs, 1).result(100)


def test_a_queue_that_never_answers_is_told(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    squeue = slurm.hanging("squeue", tmp_path / "bin")
    monkeypatch.setenv("PATH", str(squeue.parent), prepend=os.pathsep)
    monkeypatch.setattr("workflow_backends.parsl_engine.commands._ANSWER_S", 1.0)
    with DaskSlurmBackend(0, 1, extra_script_options=["--hold"], directory=tmp_path) as backend:
        with pytest.raises(EngineError, match="squeue did not answer within 1 s: trying again"):
            backend.submit_task(abs, -1).result(60)
        squeue.unlink()


def test_what_ends_jobs_is_told_though_the_last_of_them_say_nothing(slurm: Slurm, tmp_path: Path) -> None:
    command = f"mkdir {tmp_path}/first 2>/dev/null && module_of_ours load || exit 1"
    with DaskSlurmBackend(0, 1, setup_script_commands=[command], directory=tmp_path) as backend:
        with pytest.raises(
            EngineError, match=r"the last \d jobs .*FAILED.* module_of_ours: command not found"
        ):
            backend.submit_task(abs, 1).result(100)


_SCRIPT = """
import sys, time
from workflow_backends import DaskSlurmBackend, QueueWorkerResources
with DaskSlurmBackend(0, 5, QueueWorkerResources(8), directory=sys.argv[1]) as backend:
    for future in [backend.submit_task(time.sleep, 600) for _ in range(5)]:
        future.result()
"""


def test_no_job_outlives_a_killed_script(slurm: Slurm, tmp_path: Path) -> None:
    script = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, tmp_path],
        env=os.environ | {"PYTHONPATH": str(_ROOT)},
        start_new_session=True,
    )
    _wait_until(lambda: len(slurm.queue()) == 5)  # two of them wait
    os.killpg(script.pid, signal.SIGKILL)
    script.wait()
    _wait_until(lambda: slurm.queue() == [])
