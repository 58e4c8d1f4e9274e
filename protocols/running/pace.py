"""How far a simulation is, in a file that other processes read."""

from __future__ import annotations

import contextlib
import json
import math
import time
from pathlib import Path

from protocols.running.storage import write_atomically

__all__ = ["PROGRESS_NAME", "ProgressFile", "ns_per_day"]

PROGRESS_NAME = "progress.json"

_EVERY_S = 1.0


class ProgressFile:
    """Tells other processes, at most once a second, how far a simulation is.

    Parameters
    ----------
    file
        To write.
    steps
        In all.
    done
        Of these, before this process began.
    timestep_ps
        In picoseconds.
    """

    def __init__(self, file: Path, *, steps: int, done: int, timestep_ps: float) -> None:
        self._file = file
        self._steps, self._first, self._timestep_ps = steps, done, timestep_ps
        self._began, self._last = time.monotonic(), -math.inf

    def report(self, step: int) -> None:
        """Say that so many steps are done."""
        now = time.monotonic()
        if now - self._last < _EVERY_S:
            return
        self._last = now
        seconds = max(now - self._began, 1e-9)
        data = {
            "steps_done": step,
            "steps_total": self._steps,
            "ns_total": self._steps * self._timestep_ps / 1000,
            "ns_per_day": ns_per_day(step - self._first, self._timestep_ps, seconds),
        }
        with contextlib.suppress(OSError):  # nothing depends on it, and a full disk may have space again
            write_atomically(self._file, json.dumps(data))


def ns_per_day(steps: int, timestep_ps: float, seconds: float) -> float:
    """Return the speed of so many steps in so many seconds."""
    return steps * timestep_ps / 1000 * 86400 / seconds
