"""One writer a directory, across processes and nodes that share a file system.

The lock is a file that names its holder. On the holder's own machine a dead process is recognised at once;
from another machine a holder counts as dead when its heartbeat has not moved while it was watched, which
needs no agreement between clocks.

When the work is done the file stays, renamed, as the record of it: a file less to make and to delete for each
directory, which file systems are slow at.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from protocols.errors import DirectoryLockedError
from protocols.running.holder import Holder

__all__ = [
    "LOCK_NAME",
    "PROVENANCE_NAME",
    "DirectoryLock",
    "has_beaten",
    "holder_of",
    "is_locked",
    "seconds_since_beat",
    "still_holds",
]

LOCK_NAME = "lock.json"
PROVENANCE_NAME = "provenance.json"
HEARTBEAT_S = 5.0
STALE_AFTER_S = 45.0
PATIENCE_S = 10.0


class _Heart:
    """One thread that beats for all locks of this process, and ends when there are none."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start anew: in a forked child there is no thread, and the locks are its parent's."""
        self._guard = threading.Lock()
        self._locks: set[DirectoryLock] = set()
        self._thread: threading.Thread | None = None

    def add(self, lock: DirectoryLock) -> None:
        with self._guard:
            self._locks.add(lock)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="directory locks", daemon=True)
                self._thread.start()

    def remove(self, lock: DirectoryLock) -> None:
        with self._guard:
            self._locks.discard(lock)

    def _run(self) -> None:
        while True:
            time.sleep(HEARTBEAT_S)
            with self._guard:
                locks = list(self._locks)
                if not locks:
                    self._thread = None
                    return
            for lock in locks:
                lock.beat()


_heart = _Heart()
os.register_at_fork(after_in_child=_heart.forget)


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
        self._started = datetime.now(UTC).isoformat()
        self._recorded = False

    def __enter__(self) -> DirectoryLock:
        while not self._try_to_create():
            holder = _read(self._path)
            if self._lives(holder):
                raise DirectoryLockedError(f"{self._path.parent} is in use by {holder or 'another process'}")
            self._take_away(holder)
        self._sweep()
        _heart.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _heart.remove(self)
        if self._holder.pid != os.getpid() or _read(self._path) != self._holder:
            return
        if self._recorded and kind is None:
            self._path.replace(self._path.with_name(PROVENANCE_NAME))
        else:
            self._path.unlink(missing_ok=True)

    def record(self, provenance: dict[str, Any], *, durable: bool = False) -> None:
        """Write down how the work was done; once the lock is released, the file is provenance.json.

        Parameters
        ----------
        provenance
            As plain data, with when it was "finished"; process and start are added.
        durable
            Whether to wait until the disk has it.
        """
        if _read(self._path) == self._holder:
            with self._path.open(
                "r+", encoding="utf-8"
            ) as file:  # longer than what it replaces, and written at once
                file.write(self._text(provenance))
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            self._recorded = True

    def beat(self) -> None:
        """Show that the holder lives."""
        with contextlib.suppress(OSError):  # a file system that hangs a moment; the next beat comes
            if _read(self._path) in {self._holder, None}:
                os.utime(self._path)

    def _text(self, provenance: dict[str, Any]) -> str:
        return json.dumps({"process": vars(self._holder), "started": self._started} | provenance)

    def _try_to_create(self) -> bool:
        # A hard link appears complete or not at all, on network file systems too.
        draft = self._path.with_name(f".{LOCK_NAME}.{self._holder.token}")
        try:
            draft.write_text(self._text({}), encoding="utf-8")
            os.link(draft, self._path)
        except FileExistsError:
            return False
        except FileNotFoundError:
            if not self._path.parent.exists():
                raise
            return False  # a holder has swept the draft
        finally:
            draft.unlink(missing_ok=True)
        return True

    def _sweep(self) -> None:
        """Remove what processes left that died while they locked."""
        for name in _traces(self._path.parent) - {LOCK_NAME}:
            self._path.with_name(name).unlink(missing_ok=True)

    def _lives(self, holder: Holder | None) -> bool:
        if holder is not None and holder.is_local:
            return self._outlives_patience(holder)
        # What cannot be read was damaged by a power cut; should its holder live, its beat will show.
        watch = self._stale_after if holder is not None else min(self._stale_after, 3 * HEARTBEAT_S)
        first, end = _beat_of(self._path), time.monotonic() + watch
        while time.monotonic() < end:
            time.sleep(min(1.0, watch / 10))
            if _beat_of(self._path) != first:
                return self._path.exists() and _read(self._path) == holder
        return False

    def _outlives_patience(self, holder: Holder) -> bool:
        end = time.monotonic() + (0 if holder.pid == self._holder.pid else self._patience)
        while holder.is_alive and time.monotonic() < end:
            time.sleep(0.1)
            if _read(self._path) != holder:
                return False
        return holder.is_alive

    def _take_away(self, dead: Holder | None) -> None:
        """Remove a dead holder's lock; who else wants to waits, looks again and finds another."""
        with contextlib.suppress(FileNotFoundError), self._path.open("r+b") as file:
            with contextlib.suppress(OSError):  # a file system without such locks
                fcntl.flock(file, fcntl.LOCK_EX)
            record = _record_in(self._path)
            if Holder.of(record) == dead:
                if dead is not None and "finished" in record:  # it may belong to a result
                    self._path.replace(self._path.with_name(PROVENANCE_NAME))
                else:
                    self._path.unlink(missing_ok=True)


def holder_of(directory: Path) -> Holder | None:
    """Return who holds a directory, dead or alive; None when nobody does, or the lock cannot be read."""
    return _read(directory / LOCK_NAME)


def seconds_since_beat(directory: Path) -> float | None:
    """Return how old a holder's heartbeat is, if clocks agree; None when nobody holds the directory."""
    beat = _beat_of(directory / LOCK_NAME)
    return None if beat is None else max(0.0, time.time() - beat / 1e9)


def has_beaten(directory: Path) -> bool:
    """Tell whether a holder's heartbeat is recent, if clocks agree: good for a look, not for a lock."""
    age = seconds_since_beat(directory)
    return age is not None and age < STALE_AFTER_S


def still_holds(directory: Path, holder: Holder) -> bool:
    """Tell whether a lock's holder still works, as far as can be told without waiting."""
    return holder.is_alive if holder.is_local else has_beaten(directory)


def is_locked(directory: Path) -> bool:
    """Return whether somebody holds or held the directory, or died while locking it."""
    return bool(_traces(directory))


def _traces(directory: Path) -> set[str]:
    with os.scandir(directory) as entries:
        return {entry.name for entry in entries if entry.name.lstrip(".").startswith(LOCK_NAME)}


def _read(path: Path) -> Holder | None:
    return Holder.of(_record_in(path))


def _record_in(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError, RecursionError):
        return None


def _beat_of(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None
