"""What the parts of the suite share: how backends are made, and a look at processes."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from workflow_backends.backend import CalculationBackend
from workflow_backends.engine import Capability
from workflow_backends.resources import ComputeResources

__all__ = ["PATIENCE_S", "SuiteBase", "children", "is_running", "kill", "wait_until"]

PATIENCE_S = 120.0  # for what a busy machine, or a cluster's scheduler, does late


class SuiteBase:
    """Makes backends, in a temporary folder of their own."""

    def make_backend(self, workers: int = 2, **resources: Any) -> CalculationBackend:
        """Return a backend that is not started, with as many workers, each with such ComputeResources."""
        raise NotImplementedError("make_backend: say how to make your backend")

    def make_resources(self, **resources: Any) -> ComputeResources:
        """Return what a worker of yours owns; of a class of your own if the backend asks for one."""
        return ComputeResources(**resources)

    def make_pools(self, pools: Mapping[str, tuple[int, ComputeResources]]) -> CalculationBackend:
        """Return a backend with these pools; by default the constructor of `make_backend`'s takes them."""
        kind: Any = type(self.make_backend())
        backend: CalculationBackend = kind(pools=pools)
        return backend

    def lacks(self, capability: Capability) -> bool:
        """Tell whether the backend declares that it cannot do something."""
        return capability in self.make_backend().cannot

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def temporary(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
        """Yield the place for temporary files, with a path short enough for a socket in it."""
        tmp_path_factory.getbasetemp()  # before the place moves
        with tempfile.TemporaryDirectory(prefix="suite-", ignore_cleanup_errors=True) as name:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("TMPDIR", name)
                patch.setattr(tempfile, "tempdir", name)
                yield Path(name)

    @pytest.fixture(scope="class")
    @classmethod
    def backend(cls, temporary: Path) -> Iterator[CalculationBackend]:  # noqa: ARG003  # made in it
        """Yield a backend with two workers, for tests that leave it as they found it."""
        with cls().make_backend(2) as started:
            yield started


def wait_until(condition: Callable[[], bool], timeout: float = PATIENCE_S) -> bool:
    """Wait until something holds; return whether it does."""
    deadline = time.monotonic() + timeout
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def is_running(pid: int) -> bool:
    """Tell whether a process of this machine runs; one that waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def children(pid: int | None = None) -> set[int]:
    """Return the pids of all that a process, by default this one, and its children started."""
    return {child.pid for child in psutil.Process(pid).children(recursive=True)}


def kill(pids: Iterable[int]) -> None:
    """Kill processes that may have ended already."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
