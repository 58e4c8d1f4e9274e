"""The processes on this machine that an engine of ours consists of: started, replaced, ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workflow_backends.machine import RUN_VARIABLE, kill_marked, run_mark

__all__ = ["RunProcesses", "last_line"]

_SOON_S, _SOON_LIMIT = 20.0, 3  # a process that ends so soon, so often, will never run
_TAIL_BYTES = 2000
_STOP_S = 4.0


@dataclass
class _Process:
    command: list[str]
    environment: dict[str, str]
    handle: subprocess.Popen[bytes]
    started: float
    soon: int = 0


class RunProcesses:
    """Processes of a run, which end with it, and with the script.

    Parameters
    ----------
    directory
        The run's own; what a process prints is in ``NAME.err`` there.
    environment
        What all of them get beside the inherited variables; RUN_VARIABLE is among it.
    """

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._directory = directory
        self._environment = dict(environment)
        self._processes: dict[str, _Process] = {}
        self._all: list[subprocess.Popen[bytes]] = []
        self._launch("reaper", ["workflow_backends.reaper"], self._environment)

    def start(self, name: str, module: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start a module with its arguments; it ends when this process does."""
        command = ["workflow_backends.child", *module]
        variables = self._environment | dict(environment or {})
        self._processes[name] = _Process(
            command, variables, self._launch(name, command, variables), time.monotonic()
        )

    def end_of(self, name: str) -> str | None:
        """Say how a process ended, with its last words; None while it runs."""
        if (status := self._processes[name].handle.poll()) is None:
            return None
        words = last_line(self._directory / f"{name}.err")
        return " ".join(filter(None, (f"(status {status})", words)))

    def revive(self, name: str) -> str | None:
        """Start a process anew if it ended; say how it ended if it does so again and again."""
        process = self._processes[name]
        if (end := self.end_of(name)) is None:
            return None
        soon = time.monotonic() - process.started < _SOON_S
        process.soon = process.soon + 1 if soon else 1
        if process.soon > _SOON_LIMIT:
            return end
        process.handle = self._launch(name, process.command, process.environment)
        process.started = time.monotonic()
        return None

    def stop(self) -> None:
        """Kill them all, and what they started."""
        deadline = time.monotonic() + _STOP_S
        while kill_marked(RUN_VARIABLE, run_mark(self._directory)) and time.monotonic() < deadline:
            pass
        for handle in self._all:
            handle.kill()  # where its environment could not be read
            handle.wait()

    def _launch(
        self, name: str, module: Sequence[str], environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        with (self._directory / f"{name}.err").open("ab") as log:
            handle = subprocess.Popen(
                [sys.executable, "-P", "-m", *module],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | environment,
                start_new_session=True,
            )
        self._all.append(handle)
        return handle


def last_line(file: Path) -> str:
    """Return the last line of a file that a process wrote to, nothing if there is none."""
    if not file.exists():
        return ""
    with file.open("rb") as text:
        text.seek(max(0, file.stat().st_size - _TAIL_BYTES))
        return (text.read().decode(errors="replace").strip().splitlines() or [""])[-1]
