"""What fault tests share: a look at processes, threads, files and sockets before and after."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from killing import Forks, Whole
from leaks import our_processes
from processes import listening
from waiting import wait_until

from protocols.running.execution import execute_in
from protocols.settings import InteractionSettings
from protocols.substance import Substance
from protocols.systems.coordinates import BuildCoordinatesPackmol
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.parameterise import BuildOpenMMSystem
from workflow_backends import ComputeResources, ParslLocalBackend


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


@pytest.fixture(scope="session")
def argon_inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with system.xml and state.xml of twenty argon atoms."""
    home, resources = tmp_path_factory.mktemp("argon"), ComputeResources()
    packed = execute_in(
        BuildCoordinatesPackmol(substance=Substance.pure("[Ar]"), number_of_molecules=20, density="1.2 g/mL"),
        home / "packed",
        resources,
    )
    built = BuildOpenMMSystem(
        coordinates_file=packed.coordinates_file,
        force_field=OpenMMForceField("argon.xml"),
        interactions=InteractionSettings(cutoff="0.5 nm"),
    )
    execute_in(built, home / "built", resources)
    return home / "built"


@pytest.fixture(scope="session")
def forks(argon_inputs: Path) -> Iterator[Forks]:
    """The server that forks runs."""
    server = Forks(argon_inputs)
    yield server
    server.close()


@pytest.fixture(scope="session")
def whole(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Whole]:
    """The uninterrupted run of each kind, made when first asked for."""
    home = tmp_path_factory.mktemp("whole")
    return cache(lambda kind: Whole(forks, kind, home))
