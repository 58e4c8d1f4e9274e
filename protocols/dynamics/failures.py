"""What stopped OpenMM, told apart: meaningless numbers, a device that failed, memory that is too small."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import openmm

from protocols.errors import DeviceFailedError, NotFiniteError, OutOfMemoryError, SimulationError
from workflow_backends.platforms import GPU_PLATFORMS, PlatformChoice
from workflow_backends.probing import lacks_memory

__all__ = [
    "device_failures_noted",
    "failures_told_apart",
    "note_incident",
    "read_incidents",
    "with_one_restart",
]

T = TypeVar("T")

_INCIDENTS = "incidents.txt"
_NOT_FINITE = re.compile(r"\bnan\b", re.IGNORECASE)
_DRIVER = re.compile(r"CUDA_ERROR|hipError|\(-?\d+\)\s*$|FFT: -?\d+")
_NO_DEVICE = re.compile(  # it was there when the platform was chosen, and is gone or full
    r"device could not be loaded|No compatible \w+ (device|platform) is|Illegal value for DeviceIndex"
)


@contextmanager
def failures_told_apart(choice: PlatformChoice, particles: int, doing: str) -> Iterator[None]:
    """Raise what an OpenMMException means.

    Parameters
    ----------
    choice
        The platform on which it happens.
    particles
        In the System.
    doing
        What is being done, for messages.

    Raises
    ------
    NotFiniteError
        Coordinates or energies are not finite.
    OutOfMemoryError
        The device, or this machine, has too little memory; the message has both numbers.
    DeviceFailedError
        The device or its driver failed; another may do.
    SimulationError
        Anything else.
    """
    try:
        yield
    except openmm.OpenMMException as error:
        text = str(error)
        where = f"{doing}: OpenMM stopped on {choice.name} ({choice.device})"
        if _NOT_FINITE.search(text):
            raise NotFiniteError(f"{doing}: {text}") from error
        if lacks_memory(choice.name, text):
            has = f"{choice.memory / 1e9:.3g} GB" if choice.memory else "unknown"
            raise OutOfMemoryError(
                f"{where}: out of memory with {particles} atoms; its memory is {has}: {text}"
            ) from error
        if choice.name in GPU_PLATFORMS and (_DRIVER.search(text) or _NO_DEVICE.search(text)):
            raise DeviceFailedError(f"{where}: {text}") from error
        raise SimulationError(f"{where}: {text}") from error


@contextmanager
def device_failures_noted(directory: Path, choice: PlatformChoice) -> Iterator[None]:
    """Note a device that failed, and let the error go on: the task runs again on another worker."""
    try:
        yield
    except DeviceFailedError as error:
        note_incident(directory, choice, error)
        raise


def with_one_restart(
    attempt: Callable[[int], T], *, before: int, directory: Path, choice: PlatformChoice
) -> tuple[T, int]:
    """Run a segment, and once more if its numbers become meaningless.

    Parameters
    ----------
    attempt
        Runs it from the last checkpoint, with the random numbers of this attempt, counted from 0.
    before
        Restarts that the simulation has had: there is one in all.
    directory, choice
        For the incident.

    Returns
    -------
    tuple
        What it returned, and how often it was begun again.

    Raises
    ------
    NotFiniteError
        The second time.
    """
    restarts = 0
    while True:
        try:
            return attempt(restarts), restarts
        except NotFiniteError as error:
            if before + restarts:
                raise
            note_incident(directory, choice, error)
            restarts += 1


def note_incident(directory: Path, choice: PlatformChoice, error: Exception) -> None:
    """Keep what happened for the report of a protocol that goes on after it."""
    when = datetime.now(UTC).isoformat(timespec="seconds")
    cause = " ".join(f"{type(error).__name__}: {error}".split())
    with (directory / _INCIDENTS).open("a", encoding="utf-8") as file:
        file.write(f"{when} {socket.gethostname()} {choice.name}: {cause}\n")


def read_incidents(directory: Path) -> tuple[str, ...]:
    """Return what was noted in this directory, one line each."""
    try:
        return tuple((directory / _INCIDENTS).read_text(encoding="utf-8").splitlines())
    except FileNotFoundError:
        return ()
