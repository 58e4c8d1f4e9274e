"""ParslGridEngineBackend on a real Grid Engine; test_grid_engine.py runs this where only loopback is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from real_grid_engine import GridEngine
from water_example import run_water_example

from workflow_backends import ParslGridEngineBackend, QueueWorkerResources
from workflow_backends.errors import EngineError


@pytest.fixture(scope="module")
def cluster() -> Iterator[GridEngine]:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place, GridEngine(Path(place)) as started:
        yield started


@pytest.fixture
def grid_engine(cluster: GridEngine, monkeypatch: pytest.MonkeyPatch) -> Iterator[GridEngine]:
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    yield cluster
    assert cluster.queue() == []


def _wait_until(condition: Callable[[], bool], timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.1)


def _job(seconds: float = 0.0) -> str:
    time.sleep(seconds)
    return os.environ["JOB_ID"]


def test_what_was_asked_for_is_granted(grid_engine: GridEngine, tmp_path: Path) -> None:
    resources = QueueWorkerResources(
        *(3, 2), per_thread_memory_limit="1500 MB", wallclock_time_limit="1:29:10", platform="Reference"
    )
    with ParslGridEngineBackend(1, 1, resources, "all.q", directory=tmp_path) as backend:
        job = backend.submit_task(_job).result(60)
        granted = grid_engine.run("qstat", "-j", job)
    assert "h_vmem=1431M" in granted
    assert "h_rt=5350" in granted
    assert "gpu=2" in granted
    assert "smp range: 3" in granted


def test_workers_come_with_tasks_and_go_when_idle(grid_engine: GridEngine, tmp_path: Path) -> None:
    with ParslGridEngineBackend(0, 3, directory=tmp_path, idle_time_limit=1) as backend:
        futures = [backend.submit_task(_job, 0.1) for _ in range(100)]
        assert len({future.result(100) for future in futures}) == 3
        _wait_until(lambda: grid_engine.queue() == [])


def test_a_deleted_job_loses_nothing(grid_engine: GridEngine, tmp_path: Path) -> None:
    mark = tmp_path / "job"

    def work() -> str:
        mark.write_text(os.environ["JOB_ID"])
        while not (tmp_path / "end").exists():
            time.sleep(0.1)
        return os.environ["JOB_ID"]

    with ParslGridEngineBackend(0, 1, directory=tmp_path) as backend:
        future = backend.submit_task(work)
        _wait_until(lambda: mark.exists() and mark.read_text(encoding="utf-8") != "")
        lost = mark.read_text(encoding="utf-8")
        grid_engine.run("qdel", lost)
        _wait_until(lambda: mark.read_text(encoding="utf-8") not in ("", lost))
        (tmp_path / "end").touch()
        assert future.result(60) != lost


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda n: n.name)
def test_no_job_outlives_its_script(grid_engine: GridEngine, tmp_path: Path, number: signal.Signals) -> None:
    code = f"""
    import time
    from workflow_backends import ParslGridEngineBackend, QueueWorkerResources
    with ParslGridEngineBackend(0, 3, QueueWorkerResources(4), directory={str(tmp_path)!r}) as backend:
        [backend.submit_task(time.sleep, 600) for _ in range(3)][0].result()
    """
    script = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _wait_until(lambda: grid_engine.run("qstat", "-u", "*").count(" r ") == 2)
    _wait_until(lambda: len(grid_engine.queue()) == 3)
    os.killpg(script.pid, number)
    script.wait(60)
    _wait_until(lambda: grid_engine.queue() == [])


def test_what_it_refuses_comes_back_in_its_words(grid_engine: GridEngine, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"qsub refused the job: .*Job was rejected because .*nope"):
        ParslGridEngineBackend(1, 1, queue_name="nope", directory=tmp_path).start()


def test_jobs_in_the_queue_are_cancelled_too(grid_engine: GridEngine, tmp_path: Path) -> None:
    with ParslGridEngineBackend(0, 3, QueueWorkerResources(4), directory=tmp_path) as backend:
        for _ in range(3):
            backend.submit_task(time.sleep, 100)
        _wait_until(lambda: len(grid_engine.queue()) == 3)
    assert grid_engine.queue() == []


def test_the_water_example_needs_another_backend_only(grid_engine: GridEngine, tmp_path: Path) -> None:
    run_water_example(tmp_path, "14_slurm.py", {"ParslSlurmBackend": "ParslGridEngineBackend"})
