"""ParslGridEngineBackend on a real Grid Engine; test_grid_engine.py runs this where only loopback is."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from argon_simulation import argon, finished_segments
from conformance_core import CoreConformance
from real_grid_engine import GridEngine
from water_example import run_water_example

from protocols.analysis.observables import read_observable
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.running.execution import execute_in
from workflow_backends import ComputeResources, ParslGridEngineBackend, QueueWorkerResources
from workflow_backends.errors import EngineError
from workflow_backends.testing import BackendConformance
from workflow_backends.testing.base import SuiteBase


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


class _OnGridEngine(SuiteBase):
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def scheduler(cls, cluster: GridEngine) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in cluster.environment.items():
                patch.setenv(name, value)
            yield
        assert cluster.queue() == []

    def make_resources(self, **resources: Any) -> QueueWorkerResources:
        return QueueWorkerResources(**resources)

    def make_backend(self, workers: int = 2, **resources: Any) -> ParslGridEngineBackend:
        owned = self.make_resources(**resources)
        return ParslGridEngineBackend(0, workers, owned, directory=tempfile.gettempdir())


class TestCore(_OnGridEngine, CoreConformance):
    pass


@pytest.mark.slow
class TestConformance(_OnGridEngine, BackendConformance):
    pass


def _wait_until(condition: Callable[[], bool], timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.1)


def _job(seconds: float = 0.0) -> str:
    time.sleep(seconds)
    return os.environ["JOB_ID"]


def _granted() -> tuple[str, int]:
    """What the host's daemon notes of the job, and the memory that the kernel grants."""
    notes = Path(os.environ["SGE_JOB_SPOOL_DIR"], "config").read_text(encoding="utf-8")
    return notes, resource.getrlimit(resource.RLIMIT_AS)[0]


def test_what_was_asked_for_is_granted(grid_engine: GridEngine, tmp_path: Path) -> None:
    """All but the time, which only the request shows; that it is kept to is another test's matter."""
    resources = QueueWorkerResources(
        *(3, 2), per_thread_memory_limit="1500 MB", wallclock_time_limit="1:29:10", platform="Reference"
    )
    free = grid_engine.run("qhost", "-F", "slots,gpu")
    assert "hc:slots=8.0" in free
    assert "hc:gpu=4.0" in free
    with ParslGridEngineBackend(1, 1, resources, "all.q", directory=tmp_path) as backend:
        notes, memory = backend.submit_task(_granted).result(60)
        left = grid_engine.run("qhost", "-F", "slots,gpu")
        asked = grid_engine.run("qstat", "-j", backend.submit_task(_job).result(60))
    assert {"pe=smp", "pe_slots=3", "host_slots=3", "queue=all.q"} <= set(notes.splitlines())
    assert memory == 3 * 1431 * 2**20
    assert "hc:slots=5.0" in left
    assert "hc:gpu=2.0" in left
    assert "h_rt=5350" in asked


def test_workers_come_with_tasks_and_go_when_idle(grid_engine: GridEngine, tmp_path: Path) -> None:
    with ParslGridEngineBackend(0, 3, directory=tmp_path, idle_time_limit=1) as backend:
        futures = [backend.submit_task(_job, 0.1) for _ in range(200)]
        jobs = {future.result(100) for future in futures}
        assert len(jobs) == 3
        _wait_until(lambda: grid_engine.queue() == [])
        assert backend.submit_task(_job).result(60) not in jobs


def _heedless(mark: Path) -> str:
    """Look at no wall: a job that runs it for the first time is ended by the scheduler."""
    job = os.environ["JOB_ID"]
    if not mark.exists():
        mark.write_text(job)
        time.sleep(600)
    return job


def test_a_simulation_goes_on_after_a_deletion_and_over_the_end_of_its_jobs(
    grid_engine: GridEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """16 s of work in jobs of 25 s, of which 15 are left for saving; beside a task that looks at no wall."""
    protocol, resources = argon(tmp_path, 1, 80), QueueWorkerResources(wallclock_time_limit="0:00:25")
    jobs, heedless, directory = tmp_path / "jobs", tmp_path / "heedless", tmp_path / "lost"

    def execute(available_resources: ComputeResources) -> OpenMMSimulation.Outputs:
        with jobs.open("a") as file:
            file.write(os.environ["JOB_ID"] + "\n")
        outputs: OpenMMSimulation.Outputs = execute_in(protocol, directory, available_resources)
        return outputs

    with ParslGridEngineBackend(0, 2, resources, directory=tmp_path) as backend:
        ignoring = backend.submit_task(_heedless, heedless)
        running = backend.options(retries=0).submit_task(execute)
        _wait_until(lambda: len(finished_segments(directory)) > 0)
        grid_engine.run("qdel", jobs.read_text(encoding="utf-8").strip())
        kept = finished_segments(directory)
        outputs = running.result(200)
        assert ignoring.result(60) != heedless.read_text(encoding="utf-8")
    assert read_observable(outputs.observables_file, "step")[0].tolist() == list(range(5, 401, 5))
    assert kept.items() <= finished_segments(directory).items()  # none was computed again
    assert len(set(jobs.read_text(encoding="utf-8").split())) >= 3
    assert caplog.text.count("its block of workers was lost") == 2  # all others ended by themselves


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
