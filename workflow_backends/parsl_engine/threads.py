"""What Parsl's pool takes for its multiprocessing context: threads in place of processes.

A Parsl worker of ours runs no user code: it hands each task to a process that it may kill (see runner.py). A
thread does for that. It spares a process on every task's way, its queues, and a lock that a killed process
would keep for ever.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from typing import Any

from workflow_backends.runner import settle

__all__ = ["ThreadContext"]


class _Worker(threading.Thread):
    """A thread that is used like a multiprocessing.Process; it ends with the pool's process."""

    exitcode = 0
    pid = os.getpid()

    def __init__(self, target: Callable[..., None], args: tuple[Any, ...], name: str) -> None:
        super().__init__(target=target, args=args, name=name, daemon=True)
        self._rank: int = args[0]  # which Parsl puts into the environment, and that all threads share

    def run(self) -> None:
        """Serve Parsl's pool."""
        settle(self._rank)
        super().run()

    def terminate(self) -> None:
        """Leave the end to the process's own."""

    kill = terminate

    def join(self, timeout: float | None = None) -> None:
        """Do not wait, for nothing was told to end."""

    def close(self) -> None:
        """Free nothing, for nothing is held."""


class _Count:
    """A number with a lock, like a multiprocessing.Value."""

    def __init__(self, _: str, value: int) -> None:
        self.value = value
        self._lock = threading.Lock()

    def get_lock(self) -> threading.Lock:
        return self._lock


class ThreadContext:
    """The multiprocessing context, and the manager process, that Parsl's pool asks for."""

    Process = _Worker
    Queue = queue.SimpleQueue
    Value = _Count
    cpu_count = staticmethod(os.cpu_count)
    dict = dict

    def Manager(self) -> ThreadContext:  # noqa: N802  # the standard library's name
        """Return what makes shared objects."""
        return self
