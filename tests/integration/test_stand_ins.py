"""The backends of schedulers that no test can install, on stand-ins that run the real jobs here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from stand_in_jobs import Job, Request
from stand_in_queue import StandIn

import workflow_backends
from workflow_backends import QueueWorkerResources
from workflow_backends.errors import EngineError

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class _Site:
    """A scheduler, and what differs between them."""

    stand_in: Callable[[], StandIn]
    backend: str
    id_variable: str
    submit: str
    unknown_queue: str
    devices: str = "CUDA_VISIBLE_DEVICES"


_SITES = {
    "pbs": _Site(
        lambda: StandIn("stand_in_pbs", ("qsub", "qstat", "qdel")),
        "ParslPBSBackend",
        "PBS_JOBID",
        "qsub",
        "qsub refused the job: qsub: Unknown queue",
    ),
    "lsf": _Site(
        lambda: StandIn("stand_in_lsf", ("bsub", "bjobs", "bkill")),
        "ParslLSFBackend",
        "LSB_JOBID",
        "bsub",
        "bsub refused the job: nope: No such queue. Job not submitted.",
    ),
}


@pytest.fixture(scope="module", params=_SITES.values(), ids=_SITES)
def started(request: pytest.FixtureRequest) -> Iterator[tuple[_Site, StandIn]]:
    with request.param.stand_in() as stand_in:
        stand_in.submit(Request("another", "", ["/bin/sleep", "9000"], cpus=1, memory=1, seconds=9000))
        yield request.param, stand_in
        assert [job.asked.name for job in stand_in.queue()] == ["another"]  # the user's, and none of ours


def _queue(stand_in: StandIn) -> list[Job]:
    return [job for job in stand_in.queue() if job.asked.name != "another"]


@pytest.fixture
def site(started: tuple[_Site, StandIn], monkeypatch: pytest.MonkeyPatch) -> Iterator[_Site]:
    for name, value in started[1].environment.items():
        monkeypatch.setenv(name, value)
    yield started[0]
    assert _queue(started[1]) == []


@pytest.fixture(autouse=True)
def losses_are_noticed_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflow_backends.parsl_engine.cluster._HEARTBEAT_S", 1)
    monkeypatch.setattr("workflow_backends.parsl_engine.cluster._HEARTBEAT_LIMIT_S", 5)


@pytest.fixture
def stand_in(started: tuple[_Site, StandIn]) -> StandIn:
    return started[1]


def _backend(site: _Site, *arguments: Any, **settings: Any) -> Any:
    return getattr(workflow_backends, site.backend)(*arguments, interface="lo", **settings)


def _wait_until(condition: Callable[[], bool], timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


def _variables(*names: str, seconds: float = 0.0) -> list[str | None]:
    time.sleep(seconds)
    return [os.environ.get(name) for name in names]


def test_a_worker_comes_with_a_task_has_what_was_asked_for_and_goes(
    site: _Site, stand_in: StandIn, tmp_path: Path
) -> None:
    resources = QueueWorkerResources(
        *(3, 2), per_thread_memory_limit="1500 MB", wallclock_time_limit="1:29:10", platform="Reference"
    )
    settings = {"account": "chem-12", "directory": tmp_path, "idle_time_limit": 0.5}
    with _backend(site, 0, 1, resources, "gpu", **settings) as backend:
        assert _queue(stand_in) == []
        name, devices = backend.submit_task(_variables, site.id_variable, site.devices).result(60)
        job = stand_in.jobs()[-1]
        _wait_until(lambda: _queue(stand_in) == [])
    assert (job.asked.cpus, job.asked.gpus, job.asked.queue) == (3, 2, "gpu")
    assert 0 <= job.asked.memory - 3 * 1500e6 < 2**20  # rounded up to a MiB
    assert 0 <= job.asked.seconds - 5350 < 60
    assert name.partition(".")[0] == str(job.number)
    assert devices == "0,1"
    assert not list(tmp_path.glob("workflow-backends-*"))


def test_a_deleted_job_loses_nothing_and_jobs_that_wait_go_too(
    site: _Site, stand_in: StandIn, tmp_path: Path
) -> None:
    def work(number: int) -> str:
        (tmp_path / f"running-{number}").touch()
        while not (tmp_path / "end").exists():
            time.sleep(0.1)
        return os.environ[site.id_variable]

    resources = QueueWorkerResources(8)  # a whole node, of which two are free
    with _backend(site, 0, 3, resources, directory=tmp_path) as backend:
        future = backend.submit_task(work, 0)
        _wait_until((tmp_path / "running-0").exists)
        [lost] = _queue(stand_in)
        stand_in.delete(lost)
        (tmp_path / "end").touch()
        assert future.result(60).partition(".")[0] > str(lost.number)
        (tmp_path / "end").unlink()
        for number in range(1, 4):
            backend.submit_task(work, number)
        _wait_until(lambda: sorted(job.state for job in _queue(stand_in)) == ["runs", "runs", "waits"])


def test_what_it_refuses_comes_back_in_its_words(site: _Site, tmp_path: Path) -> None:
    with _backend(site, 0, 1, queue_name="nope", directory=tmp_path) as backend:
        with pytest.raises(EngineError, match=site.unknown_queue):
            backend.submit_task(abs, 1).result(60)


def test_no_scheduler_on_this_machine(site: _Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "env").symlink_to("/usr/bin/env")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match=f"{site.submit} cannot be run: No such file or directory"):
        _backend(site, 1, 1, directory=tmp_path).start()


def test_no_job_outlives_its_script(site: _Site, stand_in: StandIn, tmp_path: Path) -> None:
    script = subprocess.Popen(
        [
            *(sys.executable, _HERE / "script_to_end.py", tmp_path, site.backend),
            json.dumps({"interface": "lo"}),
        ],
        env=os.environ | {"PYTHONPATH": str(_HERE.parents[1])},
        start_new_session=True,
    )
    with script:
        _wait_until(lambda: len(_queue(stand_in)) == 5 and len(list(tmp_path.glob("running-*"))) == 2)
        assert len({path.read_text() for path in tmp_path.glob("workflow-backends-*/jobs/*.id")}) == 5
        os.killpg(script.pid, signal.SIGKILL)
    _wait_until(lambda: _queue(stand_in) == [])
