"""The backends of schedulers that no test can install, on stand-ins that run the real jobs here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kubernetes.client
import kubernetes.config
import pytest
import stand_in_kubernetes
from processes import named
from real_opencl import needs_opencl
from stand_in_jobs import Job, Request
from stand_in_queue import StandIn
from stand_in_sites import SITES, Site, notice_ends_soon
from water_example import run_water_example

import workflow_backends
from workflow_backends import QueueWorkerResources
from workflow_backends.errors import EngineError
from workflow_backends.pinning import GPU_VARIABLE
from workflow_backends.probing import find_devices

_HERE = Path(__file__).parent


@pytest.fixture(scope="module", params=SITES)
def started(request: pytest.FixtureRequest) -> Iterator[tuple[Site, StandIn]]:
    with SITES[request.param].stand_in() as stand_in:
        stand_in.submit(Request("another", "", ["/bin/sleep", "9000"], cpus=1, memory=1, seconds=9000))
        yield SITES[request.param], stand_in
        assert [job.asked.name for job in stand_in.queue()] == ["another"]  # the user's, and none of ours


def _queue(stand_in: StandIn) -> list[Job]:
    return [job for job in stand_in.queue() if job.asked.name != "another"]


@pytest.fixture
def site(started: tuple[Site, StandIn], monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name, value in started[1].environment.items():
        monkeypatch.setenv(name, value)
    yield started[0]
    assert _queue(started[1]) == []


@pytest.fixture(autouse=True)
def what_ends_is_noticed_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    notice_ends_soon(monkeypatch)


@pytest.fixture
def stand_in(started: tuple[Site, StandIn]) -> StandIn:
    return started[1]


def _backend(site: Site, place: Path, *arguments: Any, **settings: Any) -> Any:
    settings = {"interface": "lo", "directory": place} | site.settings(place) | settings
    return getattr(workflow_backends, site.backend)(*arguments, **settings)


def _is(job: Job, told: str) -> bool:
    """Whether what a task read in its environment is this job."""
    return told.partition(".")[0] == str(job.number) or told == job.asked.name


def _wait_until(condition: Callable[[], bool], timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


def _variables(*names: str, seconds: float = 0.0) -> list[str | None]:
    time.sleep(seconds)
    return [os.environ.get(name) for name in names]


def test_the_life_of_workers(site: Site, stand_in: StandIn, tmp_path: Path) -> None:
    def work(number: int) -> str:
        (tmp_path / f"running-{number}").touch()
        while not (tmp_path / "end").exists():
            time.sleep(0.1)
        return os.environ[site.id_variable]

    resources = QueueWorkerResources(
        *(3, 2), per_thread_memory_limit="1500 MB", wallclock_time_limit="1:29:10", platform="Reference"
    )
    with _backend(site, tmp_path, 0, 1, resources, "gpu", idle_time_limit=0.5) as backend:
        assert _queue(stand_in) == []
        name, devices = backend.submit_task(_variables, site.id_variable, site.devices).result(60)
        granted = stand_in.jobs()[-1]
        _wait_until(lambda: _queue(stand_in) == [])  # idle, it went

        future = backend.submit_task(work, 0)
        _wait_until((tmp_path / "running-0").exists)
        [lost] = _queue(stand_in)
        stand_in.delete(lost)
        _wait_until(lambda: stand_in.jobs()[lost.number - 1].state == "ended")
        (tmp_path / "end").touch()
        assert not _is(lost, future.result(60))  # it ran again, elsewhere

        (tmp_path / "end").unlink()
        backend.submit_task(work, 1)
        _wait_until((tmp_path / "running-1").exists)
    assert _queue(stand_in) == []
    asked = granted.asked
    assert _is(granted, name)
    assert (asked.cpus, asked.gpus, asked.queue, devices) == (3, 2, "gpu", "0,1")
    assert 0 <= asked.memory - 3 * 1500e6 < 2**20  # rounded up to a MiB
    assert 0 <= asked.seconds - 5350 < 60


@pytest.mark.slow
@pytest.mark.parametrize("started", ["pbs", "lsf"], indirect=True)
@pytest.mark.parametrize("engine", ["Parsl", "Dask"])
def test_the_water_example_needs_another_backend_only(site: Site, engine: str, tmp_path: Path) -> None:
    backend = site.backend.replace("Parsl", engine)
    settings = {"interface": "lo"} | site.settings(tmp_path)
    changes = {"ParslSlurmBackend": backend, r"WORKER, queue_name=.*\)": f"WORKER, **{settings!r})"}
    run_water_example(tmp_path, "14_slurm.py", changes)


def test_what_it_refuses_comes_back_in_its_words(site: Site, tmp_path: Path) -> None:
    with _backend(site, tmp_path, 0, 1, **site.unknown_queue) as backend:
        with pytest.raises(EngineError, match=site.refusal):
            backend.submit_task(abs, 1).result(60)


def test_no_scheduler_on_this_machine(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "env").symlink_to("/usr/bin/env")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    with pytest.raises(EngineError, match=site.absence):
        _backend(site, tmp_path, 1, 1).start()


def test_no_job_outlives_its_script(site: Site, stand_in: StandIn, tmp_path: Path) -> None:
    settings = json.dumps({"interface": "lo"} | site.settings(tmp_path))
    script = subprocess.Popen(
        [sys.executable, _HERE / "script_to_end.py", tmp_path, site.backend, settings],
        env=os.environ | {"PYTHONPATH": str(_HERE.parents[1])},
        start_new_session=True,
    )
    with script:
        _wait_until(lambda: len(_queue(stand_in)) == 5 and len(list(tmp_path.glob("running-*"))) == 2)
        assert (
            len({path.read_text(encoding="utf-8") for path in tmp_path.glob("workflow-backends-*/jobs/*.id")})
            == 5
        )
        [canceller] = named("canceller", script.pid)
        os.killpg(script.pid, signal.SIGKILL)
    _wait_until(lambda: not canceller.is_running())
    assert _queue(stand_in) == []


@pytest.mark.parametrize("started", ["kubernetes"], indirect=True)
def test_an_image_that_cannot_be_had_is_named(site: Site, tmp_path: Path) -> None:
    with _backend(site, tmp_path, 0, 1, image="registry.example.org/estimat:1") as backend:
        with pytest.raises(EngineError, match=r'ImagePullBackOff: .*"registry.example.org/estimat:1"'):
            backend.submit_task(abs, 1).result(60)


@pytest.mark.parametrize("started", ["kubernetes"], indirect=True)
def test_a_set_up_command_that_fails_in_a_pod_is_named(site: Site, tmp_path: Path) -> None:
    with _backend(site, tmp_path, 0, 1, setup_script_commands=["module_of_ours load openmm"]) as backend:
        with pytest.raises(EngineError, match=r"Failed \(Error: .*module_of_ours: command not found"):
            backend.submit_task(abs, 1).result(60)


def _own_devices(barrier: Path) -> str | None:
    """Tell a worker's devices once both workers are at it."""
    (barrier / str(os.getpid())).touch()
    _wait_until(lambda: len(list(barrier.iterdir())) == 2)
    return os.environ.get(GPU_VARIABLE)


@needs_opencl([device for device in find_devices("OpenCL") if not device.is_gpu], "PoCL")
@pytest.mark.parametrize("started", ["kubernetes"], indirect=True)
def test_workers_of_a_pod_divide_the_devices_that_no_mask_divides(site: Site, tmp_path: Path) -> None:
    resources = QueueWorkerResources(1, 1, "OpenCL")
    two = {"workers_per_node": 2, "setup_script_commands": ["export POCL_DEVICES='pthread basic'"]}
    (barrier := tmp_path / "barrier").mkdir()
    with _backend(site, tmp_path, 0, 2, resources, **two) as backend:
        futures = [backend.submit_task(_own_devices, barrier) for _ in range(2)]
        assert {future.result(60) for future in futures} == {"OpenCL:0", "OpenCL:1"}


@pytest.mark.parametrize("started", ["kubernetes"], indirect=True)
def test_no_pod_is_left_that_has_ended(site: Site, stand_in: StandIn) -> None:
    config = stand_in.environment["KUBECONFIG"]
    with kubernetes.config.new_client_from_config(config) as client:
        api = kubernetes.client.CoreV1Api(client)
        assert api.list_namespaced_pod(stand_in_kubernetes.NAMESPACE).items == []
