"""The queue backends as far as they need no scheduler."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any

import psutil
import pytest

from workflow_backends import (
    ComputeResources,
    ParslGridEngineBackend,
    ParslKubernetesBackend,
    ParslLSFBackend,
    ParslPBSBackend,
    ParslSlurmBackend,
    QueueWorkerResources,
)
from workflow_backends.errors import InvalidResourcesError
from workflow_backends.parsl_engine import cluster, lifeline
from workflow_backends.parsl_engine.network import worker_address

_PODS: dict[str, Any] = {"image": "image:1", "volumes": {"scratch": "/scratch"}, "directory": "/scratch/run"}


@pytest.fixture
def _nobody_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("something was started or contacted")

    monkeypatch.setattr("subprocess.Popen.__init__", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.usefixtures("_nobody_can_be_asked")
@pytest.mark.parametrize(
    ("kind", "settings", "shown"),
    [
        (ParslSlurmBackend, {}, "#SBATCH --cpus-per-task=2\n"),
        (ParslPBSBackend, {}, "#PBS -l select=1:ncpus=2:mem=3815mb\n"),
        (ParslLSFBackend, {}, "#BSUB -n 2\n"),
        (ParslGridEngineBackend, {"parallel_environment": "threads"}, "#$ -pe threads 2\n"),
        (ParslGridEngineBackend, {"memory_resource": "mem_free"}, "#$ -l mem_free=1908M\n"),
        (ParslKubernetesBackend, _PODS, "memory: 3815Mi\n"),
        (ParslKubernetesBackend, _PODS | {"namespace": "x"}, "  namespace: x\n"),
        (
            ParslKubernetesBackend,
            _PODS | {"pod_options": {"priorityClassName": "low"}},
            "priorityClassName: low",
        ),
    ],
)
def test_the_script_is_shown_without_asking_anyone(
    kind: type[ParslSlurmBackend], settings: dict[str, Any], shown: str, tmp_path: Path
) -> None:
    backend = kind(0, 4, QueueWorkerResources(2), **{"directory": tmp_path} | settings)
    assert shown in backend.job_script()
    assert " -P -m workflow_backends.parsl_engine.pool ..." in backend.job_script()
    assert backend.number_of_workers == 4
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (ParslSlurmBackend, {"minimum_number_of_workers": -1}, "minimum_number_of_workers: -1"),
        (ParslSlurmBackend, {"maximum_number_of_workers": 0}, "maximum_number_of_workers: 0"),
        (ParslSlurmBackend, {"minimum_number_of_workers": 2}, "minimum_number_of_workers: 2 is above"),
        (ParslSlurmBackend, {"workers_per_node": 4}, "maximum_number_of_workers: 1 is not a multiple"),
        (ParslSlurmBackend, {"resources_per_worker": ComputeResources()}, "give a QueueWorkerResources"),
        (ParslSlurmBackend, {"idle_time_limit": 0}, "idle_time_limit: 0"),
        (ParslSlurmBackend, {"directory": "/a b"}, "directory: '/a b'"),
        (ParslSlurmBackend, {"directory": "/a%j"}, "directory: '/a%j'"),
        (ParslPBSBackend, {"nodes_per_job": 2}, "nodes_per_job: 2"),
        (ParslGridEngineBackend, {"memory_resource": "h vmem"}, "memory_resource: 'h vmem'"),
        (ParslKubernetesBackend, _PODS | {"directory": "/home"}, "directory: '/home' is on none"),
        (ParslKubernetesBackend, _PODS | {"extra_script_options": ["-x"]}, "extra_script_options: pods"),
        (ParslKubernetesBackend, _PODS | {"image": "a b"}, "image: 'a b'"),
    ],
)
def test_bad_input_is_refused_by_name(
    kind: type[ParslSlurmBackend], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidResourcesError, match=re.escape(message)):
        kind(**settings)


def test_the_address_of_an_interface() -> None:
    assert worker_address("lo") == "127.0.0.1"
    assert worker_address("127.0.0.1") == "127.0.0.1"
    with pytest.raises(
        InvalidResourcesError, match=r"interface: 'ib7' is not of this machine; it has .*lo \("
    ):
        worker_address("ib7")


def test_the_address_by_default_is_the_one_of_the_hosts_name_or_of_the_route(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = psutil.net_if_addrs()["lo"][0]
    interfaces = {"lo": [entry], "ib0": [entry._replace(address="10.9.8.7")]}
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: interfaces)
    monkeypatch.setattr(socket, "gethostbyname", lambda _: "10.9.8.7")
    assert worker_address(None) == "10.9.8.7"
    monkeypatch.setattr(socket, "gethostbyname", lambda _: "127.0.1.1")  # as Debian has it
    monkeypatch.setattr(
        "workflow_backends.parsl_engine.network._address_of_default_route", lambda: "10.9.8.7"
    )
    assert worker_address(None) == "10.9.8.7"
    monkeypatch.setattr("workflow_backends.parsl_engine.network._address_of_default_route", lambda: None)
    assert worker_address(None) == "127.0.0.1"


@pytest.mark.usefixtures("_nobody_can_be_asked")
def test_each_pool_asks_for_its_own(tmp_path: Path) -> None:
    backend = ParslSlurmBackend(
        pools={
            "gpu": (4, QueueWorkerResources(2, 1, wallclock_time_limit="1:00")),
            "cpu": (6, QueueWorkerResources(wallclock_time_limit="2:00")),
        },
        queue_name={"gpu": "a100"},
        workers_per_node={"cpu": 3},
        account="chem-12",
        directory=tmp_path,
    )
    assert backend.number_of_workers == 10
    gpu, cpu = backend.job_script(), backend.job_script("cpu")
    assert gpu == backend.job_script("gpu")
    assert ("--partition=a100" in gpu, "--gres=gpu:1" in gpu, "--cpus-per-task=2" in gpu) == (True,) * 3
    assert ("--partition" in cpu, "--gres" in cpu, "--cpus-per-task=3" in cpu) == (False, False, True)
    assert ["--account=chem-12" in script for script in (gpu, cpu)] == [True, True]
    assert backend.options(time_limit=5000)._pool == "cpu"
    assert backend.options(time_limit=3000)._pool == "gpu"
    with pytest.raises(
        InvalidResourcesError, match=r"time_limit: 7200 s is not allowed; .* less than 7200 s"
    ):
        backend.options(time_limit=7200)


@pytest.mark.usefixtures("_nobody_can_be_asked")
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"queue_name": {"tpu": "x"}}, "queue_name: 'tpu' is no pool; the pools are 'gpu', 'cpu'"),
        ({"gpu_type": "a100"}, "gpu_type: 'a100' was given for workers without GPUs"),
        ({"minimum_number_of_workers": {"cpu": 3}}, "minimum_number_of_workers: 3 is above maximum_number"),
        ({"workers_per_node": {"gpu": 3}}, "maximum_number_of_workers: 4 is not a multiple"),
        ({"maximum_number_of_workers": 2}, "pools: give either pools or maximum_number_of_workers"),
    ],
)
def test_bad_pools_are_refused_by_name(settings: dict[str, Any], message: str) -> None:
    pools = {"gpu": (4, QueueWorkerResources(1, 1)), "cpu": (2, QueueWorkerResources())}
    with pytest.raises(InvalidResourcesError, match=message):
        ParslSlurmBackend(pools=pools, **settings)


def test_a_pool_that_is_not_there_has_no_script() -> None:
    with pytest.raises(InvalidResourcesError, match="pool: 'gpu' is not allowed; give one of 'workers'"):
        ParslSlurmBackend().job_script("gpu")


def test_heartbeats_come_sooner_than_a_clock_takes_for_a_stop() -> None:
    assert 2 * cluster._HEARTBEAT_S < lifeline._STALL_S
