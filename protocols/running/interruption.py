"""How long work in a thread of this process is told to stop: it asks between steps.

A worker process is ended by a signal; a thread cannot be.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from protocols.errors import InterruptedRunError

__all__ = ["check_interruption", "interruptible"]

_here = threading.local()


@contextmanager
def interruptible(wanted: threading.Event) -> Iterator[None]:
    """Let `check_interruption` raise in this thread, while the block runs, once the event is set."""
    _here.wanted = wanted
    try:
        yield
    finally:
        del _here.wanted


def check_interruption() -> None:
    """Raise InterruptedRunError if this thread's work was told to stop."""
    wanted = getattr(_here, "wanted", None)
    if wanted is not None and wanted.is_set():
        raise InterruptedRunError("the run was told to stop")
