"""Whether the job of this worker ends before more of a long piece of work can be done and saved."""

from __future__ import annotations

import time

from workflow_backends.block import time_left
from workflow_backends.errors import BlockEndingError

__all__ = ["Wall"]

_MARGIN_S = 15.0  # to write files, and for what takes longer than before
_SLOWER = 1.5


class Wall:
    """The end of this worker's block, seen from work that is done in steps of about the same length."""

    def __init__(self) -> None:
        self._longest = 0.0
        self._last = time.monotonic()

    def is_near(self) -> bool:
        """Tell, after each step, whether there may be no time for another; never where no end is known."""
        now = time.monotonic()
        self._longest, self._last = max(self._longest, now - self._last), now
        left = time_left()
        return left is not None and left < _MARGIN_S + _SLOWER * self._longest

    @staticmethod
    def go_elsewhere() -> None:
        """Let the task go on in another block, from what it has saved.

        Raises
        ------
        BlockEndingError
            Always.
        """
        raise BlockEndingError("the simulation saved its work, since its block of workers ends")
