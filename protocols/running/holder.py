"""The process that holds a directory: named so that another one can tell whether it still lives."""

from __future__ import annotations

import math
import os
import socket
import uuid
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import psutil

__all__ = ["Holder"]

_PROC = Path("/proc/self/stat").exists()


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock.

    Parameters
    ----------
    host, boot, namespace
        Name the machine, its start and the container, without which a process id means nothing.
    pid, started
        Name the process; ids are used again, start times are not. Seconds since the machine's start where
        the system tells them, so that setting the clock changes nothing.
    token
        Names this one locking of the directory.
    """

    host: str
    boot: str
    namespace: str
    pid: int
    started: float
    token: str

    @classmethod
    def here(cls) -> Holder:
        """Return this process as a holder, with a token of its own."""
        return cls(*_this_process(os.getpid()), uuid.uuid4().hex)

    @classmethod
    def of(cls, record: Any) -> Holder | None:
        """Return whom a lock or the record that it became names; None when it cannot be read."""
        try:
            holder = cls(**record["process"])
            return holder if holder.pid > 0 and math.isfinite(holder.started) else None
        except (KeyError, TypeError):
            return None

    @property
    def is_local(self) -> bool:
        """Whether the holder's process id can be looked up here."""
        return (self.host, self.boot, self.namespace) == _this_process(os.getpid())[:3]

    @property
    def is_alive(self) -> bool:
        """Whether a local holder's process still runs."""
        started = _start_of(self.pid)
        return (
            started is not None and not abs(started - self.started) >= 1.0
        )  # not a number: one we may not see

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@cache
def _this_process(pid: int) -> tuple[str, str, str, int, float]:
    """Return host, boot, namespace, id and start of this process, which a fork changes."""
    boot_id, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    boot = boot_id.read_text(encoding="utf-8").strip() if boot_id.exists() else f"{psutil.boot_time():.0f}"
    container = str(namespace.readlink()) if namespace.is_symlink() else ""
    return socket.gethostname(), boot, container, pid, _start_of(pid) or 0.0


def _start_of(pid: int) -> float | None:
    """Return when a process started; None if it is dead or a zombie, not a number if it may not be seen."""
    if not _PROC:
        try:
            process = psutil.Process(pid)
            return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
        except psutil.NoSuchProcess:
            return None
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
    except OSError:
        return math.nan if _exists(pid) else None
    return None if state in "ZX" else int(fields[18]) / os.sysconf("SC_CLK_TCK")


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
