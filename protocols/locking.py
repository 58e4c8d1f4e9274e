"""One writer a directory, across processes and nodes that share a file system.

The lock is a file that names its holder. On the holder's own machine a dead process is recognised at once;
from another machine a holder counts as dead when its heartbeat has not moved while it was watched, which
needs no agreement between clocks.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

import psutil

from protocols.errors import DirectoryLockedError

__all__ = ["LOCK_NAME", "DirectoryLock", "Holder"]

LOCK_NAME = "lock.json"
HEARTBEAT_S = 5.0
STALE_AFTER_S = 45.0
PATIENCE_S = 10.0


@dataclass(frozen=True)
class Holder:
    """The process that holds a lock.

    Parameters
    ----------
    host, boot, namespace
        Name the machine, its start and the container, without which a process id means nothing.
    pid, started
        Name the process; ids are used again, start times are not.
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
        process = psutil.Process()
        return cls(*_machine(), process.pid, process.create_time(), uuid.uuid4().hex)

    @property
    def is_local(self) -> bool:
        """Whether the holder's process id can be looked up here."""
        return (self.host, self.boot, self.namespace) == _machine()

    @property
    def is_alive(self) -> bool:
        """Whether a local holder's process still runs."""
        try:
            process = psutil.Process(self.pid)
            return (
                abs(process.create_time() - self.started) < 1.0 and process.status() != psutil.STATUS_ZOMBIE
            )
        except psutil.NoSuchProcess:
            return False

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def _machine() -> tuple[str, str, str]:
    boot_id, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    boot = boot_id.read_text().strip() if boot_id.exists() else f"{psutil.boot_time():.0f}"
    return socket.gethostname(), boot, str(namespace.readlink()) if namespace.is_symlink() else ""


class DirectoryLock:
    """Hold a directory while the `with` block runs.

    Parameters
    ----------
    directory
        That must exist.
    stale_after
        Seconds without a heartbeat after which a holder on another machine counts as dead.
    patience
        Seconds to wait for a living holder on this machine: a worker that lost its run exits soon.

    Raises
    ------
    DirectoryLockedError
        On entering, when a living process holds the directory; the message says which.
    """

    def __init__(
        self, directory: Path, stale_after: float = STALE_AFTER_S, patience: float = PATIENCE_S
    ) -> None:
        self._path = directory / LOCK_NAME
        self._stale_after = stale_after
        self._patience = patience
        self._holder = Holder.here()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> DirectoryLock:
        while not self._try_to_create():
            holder = _read(self._path)
            if self._lives(holder):
                raise DirectoryLockedError(f"{self._path.parent} is in use by {holder or 'another process'}")
            self._take_away(holder)
        self._thread = threading.Thread(target=self._beat, name="directory lock", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        if _read(self._path) == self._holder:
            self._path.unlink(missing_ok=True)

    def _try_to_create(self) -> bool:
        # A hard link appears complete or not at all, on network file systems too.
        draft = self._path.with_name(f".{LOCK_NAME}.{self._holder.token}")
        draft.write_text(json.dumps(asdict(self._holder)))
        try:
            os.link(draft, self._path)
        except FileExistsError:
            return False
        finally:
            draft.unlink()
        return True

    def _lives(self, holder: Holder | None) -> bool:
        if holder is not None and holder.is_local:
            return self._outlives_patience(holder)
        first, end = _beat_of(self._path), time.monotonic() + self._stale_after
        while time.monotonic() < end:
            time.sleep(min(1.0, self._stale_after / 10))
            if _beat_of(self._path) != first:
                return _read(self._path) is not None
        return False

    def _outlives_patience(self, holder: Holder) -> bool:
        end = time.monotonic() + (0 if holder.pid == self._holder.pid else self._patience)
        while holder.is_alive and time.monotonic() < end:
            time.sleep(0.1)
            if _read(self._path) != holder:
                return False
        return holder.is_alive

    def _take_away(self, dead: Holder | None) -> None:
        """Remove a dead holder's lock, unless another process was faster."""
        if _read(self._path) != dead:
            return
        aside = self._path.with_name(f".{LOCK_NAME}.{self._holder.token}.stale")
        try:
            self._path.rename(aside)
        except FileNotFoundError:
            return
        if _read(aside) != dead:
            os.link(aside, self._path)
        aside.unlink()

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT_S):
            if _read(self._path) != self._holder:
                return
            with contextlib.suppress(OSError):  # a file system that hangs a moment; the next beat comes
                os.utime(self._path)


def _read(path: Path) -> Holder | None:
    try:
        return Holder(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _beat_of(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
