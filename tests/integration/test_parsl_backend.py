"""A user's own Parsl: Config, running kernel, retries, memoization, monitoring."""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import parsl
import psutil
import pytest
from parsl.executors import HighThroughputExecutor
from parsl.executors import ThreadPoolExecutor as ParslThreads
from parsl.monitoring import MonitoringHub

from workflow_backends import ComputeResources, ParslBackend
from workflow_backends.errors import EngineError, InvalidResourcesError


@pytest.fixture(autouse=True)
def _parsls_programs_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)


def _config(place: Path, **settings: Any) -> parsl.Config:
    executor = HighThroughputExecutor(label="mine", max_workers_per_node=1, address="127.0.0.1")
    return parsl.Config(
        executors=[executor], run_dir=str(place), strategy_period=0.5, initialize_logging=False, **settings
    )


def _count(file: Path) -> int:
    with file.open("a", encoding="utf-8") as lines:
        lines.write(f"{os.getpid()}\n")
    return len(file.read_text(encoding="utf-8").splitlines())


def test_a_running_kernel_stays_its_owners(tmp_path: Path) -> None:
    config = parsl.Config(executors=[ParslThreads(label="threads", max_threads=2)], run_dir=str(tmp_path))
    kernel = parsl.DataFlowKernel(config)
    try:
        with ParslBackend(kernel) as backend:
            pids = {f.result(20) for f in [backend.submit_task(os.getpid) for _ in range(4)]}
            assert os.getpid() not in pids
        assert parsl.python_app(abs, data_flow_kernel=kernel)(-3).result(20) == 3
    finally:
        kernel.cleanup()


def test_memoization_gives_an_equal_call_its_result(tmp_path: Path) -> None:
    with ParslBackend(_config(tmp_path), memoize=True) as backend:
        assert [backend.submit_task(_count, tmp_path / "count").result(60) for _ in range(3)] == [1, 1, 1]


def test_memoization_remembers_no_failure(tmp_path: Path) -> None:
    def fail_once(file: Path) -> int:
        tries = _count(file)
        if tries < 2:
            raise OSError(tries)
        return tries

    with ParslBackend(_config(tmp_path), memoize=True) as backend:
        with pytest.raises(OSError, match="1"):
            backend.submit_task(fail_once, tmp_path / "count").result(60)
        assert backend.submit_task(fail_once, tmp_path / "count").result(20) == 2


def test_workers_on_a_running_kernel_end_with_the_backend(tmp_path: Path) -> None:
    config = parsl.Config(executors=[ParslThreads(label="threads", max_threads=1)], run_dir=str(tmp_path))
    kernel = parsl.DataFlowKernel(config)
    try:
        for threads in (1, 2):
            with ParslBackend(kernel, ComputeResources(threads)) as backend:
                pid = backend.submit_task(os.getpid).result(20)
                assert backend.submit_task(os.getenv, "OMP_NUM_THREADS").result(20) == str(threads)
            deadline = time.monotonic() + 5
            while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
                time.sleep(0.1)
            assert psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    finally:
        kernel.cleanup()


def test_parsls_own_retries_and_handler_are_used(tmp_path: Path) -> None:
    seen: list[str] = []

    def handler(error: Exception, task: Any) -> float:
        seen.append(type(error).__name__)
        return 1

    def fail_twice() -> int:
        tries = _count(tmp_path / "tries")
        if tries < 3:
            raise ValueError(tries)
        return tries

    with ParslBackend(_config(tmp_path, retries=5, retry_handler=handler)) as backend:
        assert backend.submit_task(fail_twice).result(60) == 3
    assert seen == ["TaskFailed"] * 2


def test_monitoring_sees_the_tasks(tmp_path: Path) -> None:
    database = tmp_path / "monitoring.db"
    hub = MonitoringHub(logging_endpoint=f"sqlite:///{database}", resource_monitoring_enabled=False)
    with ParslBackend(_config(tmp_path, monitoring=hub)) as backend:
        assert backend.submit_task(pow, 2, 5).result(60) == 32
    with sqlite3.connect(database) as connection:
        assert connection.execute("select count(*) from task").fetchone() == (1,)


def test_a_path_without_parsls_programs_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin")
    with pytest.raises(EngineError, match=r"interchange\.py.*add .*bin"):
        ParslBackend(_config(tmp_path)).start()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({},), "parsl: {}"),
        ((_config(Path("unused")), {"other": ComputeResources()}), "other do not match .* mine"),
    ],
)
def test_bad_arguments_are_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(InvalidResourcesError, match=message):
        ParslBackend(*arguments)
