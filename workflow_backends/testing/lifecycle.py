"""Start and stop, pools, and what is left behind; each test has a backend of its own."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from workflow_backends.engine import Capability
from workflow_backends.errors import BackendStateError, EngineError, InvalidResourcesError
from workflow_backends.machine import import_variables
from workflow_backends.resources import ComputeResources
from workflow_backends.testing.base import PATIENCE_S, SuiteBase, children, is_running, kill, wait_until

__all__ = ["LifecycleTests"]

_STOP_S = 20.0
_ON_S = 3.0
_MANY = 100_000

# Given to an interpreter's standard input: what it defines is in no file that a worker could import.
_SCRIPT = """
import importlib, os, sys, time

class Problem(Exception):
    pass

def task(value):
    if value < 0:
        raise Problem("negative")
    return 2 * value

def stay(note):
    note.write_text(str(os.getpid()))
    time.sleep(1000)

if sys.argv[1:]:
    from pathlib import Path
    sys.path[:0] = sys.argv[4:]
    case = getattr(importlib.import_module(sys.argv[1]), sys.argv[2])()
    backend = case.make_backend(1).start()
    print(backend.submit_task(task, 4).result(100), flush=True)
    try:
        backend.submit_task(task, -1).result(100)
    except Problem as problem:
        print("Problem", problem, flush=True)
    backend.submit_task(stay, Path(sys.argv[3])).result()
"""


def _touch_and_sleep(note: Path) -> None:
    note.touch()
    time.sleep(1000)


def _files(place: Path) -> set[str]:
    """Return what lies there, but for what the standard library removes when this process ends."""
    return {path.name for path in place.iterdir() if not path.name.startswith("pymp-")}


class LifecycleTests(SuiteBase):
    """Tests that start backends."""

    def test_before_the_start_tasks_are_refused(self) -> None:
        backend = self.make_backend()
        assert not backend.started
        with pytest.raises(BackendStateError, match="not started"):
            backend.submit_task(abs, 1)
        backend.stop()

    def test_a_stop_is_bounded_ends_all_futures_and_leaves_nothing(
        self, tmp_path: Path, temporary: Path
    ) -> None:
        threads, processes, files = set(threading.enumerate()), children(), _files(temporary)
        backend = self.make_backend(1)
        with backend:
            done = backend.submit_task(os.getpid)
            pid = done.result(PATIENCE_S)
            running = backend.submit_task(_touch_and_sleep, tmp_path / "runs")
            queued = [backend.submit_task(time.sleep, 1000) for _ in range(20)]
            assert wait_until((tmp_path / "runs").exists)
            stopped = time.monotonic()
        assert time.monotonic() - stopped < _STOP_S
        assert done.result() == pid
        assert all(future.cancelled() for future in [running, *queued])
        assert wait_until(lambda: not is_running(pid))
        assert wait_until(lambda: not {p for p in children() - processes if is_running(p)})
        assert wait_until(lambda: set(threading.enumerate()) <= threads), threading.enumerate()
        assert wait_until(lambda: _files(temporary) <= files), _files(temporary)
        with pytest.raises(BackendStateError, match="not started"):
            backend.submit_task(abs, 1)
        backend.stop()  # a second time does nothing
        if self.lacks(Capability.restart):
            with pytest.raises(BackendStateError, match="once"):
                backend.start()
        else:
            with backend:
                assert backend.submit_task(abs, -2).result(PATIENCE_S) == 2

    def test_it_starts_and_stops_in_asyncio_with_the_resources_asked_for(self) -> None:
        async def script() -> tuple[ComputeResources, str]:
            async with self.make_backend(1, number_of_threads=2) as backend:
                assert backend.resources_per_worker.number_of_threads == 2
                resources = await backend.submit_task(lambda available_resources: available_resources)
                return resources, await backend.submit_task(lambda: os.environ["OPENMM_CPU_THREADS"])

        resources, threads = asyncio.run(script())
        assert (resources.number_of_threads, threads) == (2, "2")

    def test_no_worker_has_more_threads_than_its_machine(self) -> None:
        """Who cannot count them takes the user's word; in a cluster's queue the job may wait for ever."""

        def given(seconds: float) -> str | None:
            with self.make_backend(1, number_of_threads=_MANY) as backend:
                future = backend.submit_task(lambda: os.environ["OPENMM_CPU_THREADS"])
                return future.result() if future.wait(seconds) else None

        if self.lacks(Capability.placement):
            assert given(PATIENCE_S) == str(_MANY)
            return
        with contextlib.suppress(InvalidResourcesError, EngineError):
            assert given(_ON_S) is None

    def test_tasks_go_to_the_pool_that_has_what_they_need(self) -> None:
        plain, reference = self.make_resources(), self.make_resources(platform="Reference")
        pools = {"plain": (1, plain), "reference": (1, reference)}

        def where(available_resources: ComputeResources) -> Any:
            return os.getpid(), available_resources

        if self.lacks(Capability.pools):
            with pytest.raises((TypeError, InvalidResourcesError), match="pools"):
                self.make_pools(pools)
            return
        with self.make_pools(pools) as backend:
            first, seen = backend.submit_task(where).result(PATIENCE_S)
            assert seen == plain
            other = backend.options(resources=reference).submit_task(where)
            assert other.result(PATIENCE_S)[1] == reference
            assert other.result()[0] != first
            with pytest.raises(InvalidResourcesError, match=r"number_of_gpus=1.*plain: .*reference: "):
                backend.options(resources=ComputeResources(number_of_gpus=1))

    def test_a_script_from_standard_input_works_and_leaves_nothing_when_it_is_killed(
        self, tmp_path: Path
    ) -> None:
        kind, note = type(self), tmp_path / "pid"
        place = str(Path(inspect.getfile(kind)).parent)
        script = subprocess.Popen(
            [sys.executable, "-", kind.__module__, kind.__qualname__, str(note), place, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | import_variables(),
            start_new_session=True,
        )
        assert script.stdin is not None
        assert script.stdout is not None
        try:
            script.stdin.write(_SCRIPT)
            script.stdin.close()
            printed = [script.stdout.readline(), script.stdout.readline()]
            assert printed == ["8\n", "Problem negative\n"], script.stderr.read() if script.stderr else ""
            assert wait_until(lambda: note.exists() and bool(note.read_text(encoding="utf-8")))
            family = {int(note.read_text(encoding="utf-8")), *children(script.pid)}
        finally:
            script.kill()
            script.stdout.close()
            script.wait()
        try:
            if self.lacks(Capability.end_with_script):
                time.sleep(_ON_S)
                assert any(map(is_running, family)), "it ends them: cannot says too much"
            else:
                assert wait_until(lambda: not any(map(is_running, family)))
        finally:
            kill(family)
