"""The dispatcher's record of one task."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any

from workflow_backends.engine import TaskOptions
from workflow_backends.futures import TaskFuture
from workflow_backends.runner import Ticket

__all__ = ["Task"]


@dataclass(eq=False, slots=True)
class Task:
    """A submitted call and what became of it so far."""

    number: int
    future: TaskFuture[Any]
    pool: str
    call: bytes
    inputs: list[TaskFuture[Any]]
    options: TaskOptions
    waiting_for: int = 0
    deaths: int = 0
    failures: int = 0
    lost_blocks: int = 0
    moves: int = 0
    misfits: int = 0
    size: int = 0
    refusals: int = 0
    avoid: tuple[str, ...] = ()
    ticket: Ticket | None = None

    @property
    def attempt(self) -> str:
        """The name of this try of this task, fit for a file."""
        tries = 1 + self.deaths + self.failures + self.lost_blocks + self.moves
        return f"{self.number:06d}-{_as_file_name(self.future.name)}-{tries}"

    @property
    def label(self) -> str:
        """How the task is called in messages."""
        return f"task {self.future.name!r} (number {self.number})"


@functools.lru_cache(maxsize=64)
def _as_file_name(name: str) -> str:
    return re.sub(r"[^\w.-]+", "_", name)[:60]
