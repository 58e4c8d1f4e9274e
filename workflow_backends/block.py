"""When a block of workers ends, as those on it know it: a cluster's job has a time, and may be cancelled."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

__all__ = ["END_VARIABLE", "Departure", "departure", "time_left"]

END_VARIABLE = "WORKFLOW_BACKENDS_BLOCK_END"  # in seconds since the epoch; a job's script sets it

_CONCLUDING_S = 2.0  # a task's result is on its way
_LAST_WORDS_S = 2.0


def time_left() -> float | None:
    """Return the seconds that are left to the block of this worker; None where no end is known.

    A task that can go on from files of its own asks this now and then, saves its work shortly before the end
    and raises BlockEndingError: it is then run again, on another block.
    """
    end = os.environ.get(END_VARIABLE)
    return None if end is None else float(end) - _clock()


def _clock() -> float:
    return time.clock_gettime(time.CLOCK_REALTIME)  # time.time() of an engine's process leaves out stalls


class Departure:
    """How the workers of one engine's process leave a block that ends.

    From its beginning on they take no task. Those that run go on, unless the block is killed.
    """

    def __init__(self) -> None:
        self._started = _clock()
        self._begun = threading.Event()
        self._announce: Callable[[], None] = lambda: None
        self.killed = threading.Event()
        """Whether the block ends at once, by a signal."""

    def announce_with(self, announce: Callable[[], None]) -> None:
        """Call this once, when the departure begins: it keeps tasks from being sent here."""
        self._announce = announce

    def begin(self) -> None:
        """Take no task any more."""
        if not self._begun.is_set():
            self._begun.set()
            self._announce()

    def begin_at_once(self) -> None:
        """End what runs as well, and the process as soon as that was told; safe in a signal's handler."""
        self.killed.set()
        self.begin()
        threading.Thread(target=self._exit, name="departure", daemon=True).start()

    def _exit(self) -> None:
        time.sleep(_LAST_WORDS_S)
        os._exit(143)

    def refusal(self, time_limit: float | None) -> tuple[str, str] | None:
        """Return a kind of Failure and a reason why a task is not to start here; None if it is.

        Parameters
        ----------
        time_limit
            Of the task, in seconds, if it has one. One that does not fit begins the departure.
        """
        left = time_left()
        if time_limit is not None and left is not None and time_limit + _CONCLUDING_S > left:
            self.begin()
            at_start = left + _clock() - self._started
            kind = "block too short" if time_limit + _CONCLUDING_S > at_start else "block ends"
            return kind, f"its block of workers had {at_start:.0f} s, and {max(left, 0.0):.0f} s left"
        return ("block ends", "its block of workers ends") if self._begun.is_set() else None


departure = Departure()
"""That of this process."""
