"""What fault tests share: a look at processes, threads, files and sockets before and after."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from leaks import listening, our_processes, wait_until

from workflow_backends import ParslLocalBackend


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
