"""What fault tests share: a look at processes, threads, files and sockets before and after."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from workflow_backends import ParslLocalBackend


def wait_until(condition: Callable[[], bool], timeout: float) -> bool:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def our_processes(tag: str = "workflow_backends") -> list[psutil.Process]:
    """Every process of this package, or of a test's tag, on this machine, but for this one."""
    found = []
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
            marked = any(name.startswith("WORKFLOW_BACKENDS_") for name in process.environ())
            alive = process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            continue
        if process.pid != os.getpid() and alive and (marked or tag in command):
            found.append(process)
    return found


def listening() -> set[tuple[str, int]]:
    me = psutil.Process()
    return {
        c.laddr
        for p in [me, *me.children(recursive=True)]
        for c in p.net_connections()
        if c.status == "LISTEN"
    }


def leftovers() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("workflow-backends-*"))


@pytest.fixture
def place() -> Iterator[Path]:
    """A temporary folder with a path short enough for a socket in it."""
    with tempfile.TemporaryDirectory(prefix="fault-") as name:
        yield Path(name)


@pytest.fixture
def local(
    place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ParslLocalBackend]:
    """A fresh backend of two workers in a temporary folder of its own; nothing may be left of it."""
    tmp_path_factory.getbasetemp()  # before the place for temporary files moves
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    before, threads, sockets = {p.pid for p in our_processes()}, set(threading.enumerate()), listening()
    backend = ParslLocalBackend(number_of_workers=2)
    backend.start()
    yield backend
    started = time.monotonic()
    backend.stop()
    assert time.monotonic() - started < 10
    assert wait_until(lambda: not ({p.pid for p in our_processes()} - before), 2), our_processes()
    assert wait_until(lambda: set(threading.enumerate()) <= threads, 3), threading.enumerate()
    assert listening() <= sockets
