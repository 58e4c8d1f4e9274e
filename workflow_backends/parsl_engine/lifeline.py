"""What keeps an engine's processes from outliving their owner, and from giving up after a sleep."""

from __future__ import annotations

import os
import threading
import time

from workflow_backends.machine import RUN_VARIABLE

__all__ = ["StallProofClock", "exit_with_parent", "run_owner"]

_PARENT_CHECK_S = 1.0
_STALL_S = 5.0


def run_owner() -> int:
    """Return the pid of the script that owns the run this process belongs to."""
    return int(os.environ[RUN_VARIABLE].partition(":")[0])


def exit_with_parent(parent: int) -> None:
    """End this process, at once and from a thread, when `parent` is no longer its parent."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_CHECK_S)
        os._exit(70)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


class StallProofClock:
    """A ``time.time`` that does not count the time during which this process was stopped.

    A laptop that slept, or a tree of processes that was suspended, is no reason to declare anyone lost: all
    heartbeats stood still together. Installed as ``time.time`` of a process that asks it every second or
    so, it takes a pause of more than five for a stop.
    """

    def __init__(self) -> None:
        self._time = time.time
        self._last = self._time()
        self._stalled = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """Return seconds since the epoch, less the stalls."""
        with self._lock:
            now = self._time()
            if now - self._last > _STALL_S:
                self._stalled += now - self._last
            self._last = now
            return now - self._stalled

    def install(self) -> None:
        """Replace ``time.time`` in this process."""
        time.time = self
