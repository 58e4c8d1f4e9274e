"""The tasks that were sent and not answered yet: which answer is whose, and which are lost."""

from __future__ import annotations

import concurrent.futures
import contextlib
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from workflow_backends.celery_engine.app import ANSWERS, claim_file
from workflow_backends.celery_engine.parts import take_back
from workflow_backends.remote import take_result
from workflow_backends.runner import Ticket

__all__ = ["LostError", "Sent", "SentTasks"]

_CLAIM_SILENCE_S = 120.0  # file systems of several machines show changes late


class LostError(Exception):
    """A worker, or its message, was lost."""


@dataclass
class Sent:
    """A try of a task.

    Parameters
    ----------
    ticket, pool
        Which it is, and for whom.
    future
        Of the task's bytes.
    """

    ticket: Ticket
    pool: str
    future: concurrent.futures.Future[bytes] = field(default_factory=concurrent.futures.Future)
    _beat: float = 0.0
    _heard: float = field(default_factory=time.monotonic)

    def is_silent(self) -> bool:
        """Tell whether the worker that claimed it is dead, or silent for long; look again and again."""
        claim = claim_file(self.ticket)
        try:
            beat, claimant = claim.stat().st_mtime, claim.read_text(encoding="utf-8").split()
        except OSError:
            return False  # in the queue
        if beat != self._beat:
            self._beat, self._heard = beat, time.monotonic()
        here = len(claimant) == 2 and claimant[0] == socket.gethostname()
        if here and not psutil.pid_exists(int(claimant[1])):
            return True
        return time.monotonic() - self._heard > _CLAIM_SILENCE_S


class SentTasks:
    """All that were sent; each leaves once, with its answer or an error."""

    def __init__(self) -> None:
        self._by_attempt: dict[str, Sent] = {}

    def add(self, ticket: Ticket, pool: str) -> Sent:
        """Expect an answer from now on."""
        sent = self._by_attempt[ticket.attempt] = Sent(ticket, pool)
        return sent

    def answer(self, message: Any) -> None:
        """Take a worker's message: its task's result, or that the worker did not run it."""
        sent = self._by_attempt.pop(message.headers["attempt"], None)
        if sent is None:
            return
        kind = message.headers["kind"]
        if kind == ANSWERS[None]:  # its claim stays: another worker may hold it as well
            sent.future.set_exception(LostError("a worker gave it back"))
            return
        claim_file(sent.ticket).unlink(missing_ok=True)  # a worker that gets it again gives it back
        try:
            body = None if message.headers["aside"] else bytes(message.body)
            data = take_back(sent.ticket, "answer", body)
            sent.future.set_result(take_result((kind == ANSWERS[True], data)))
        except Exception as error:  # noqa: BLE001  # the task's failure
            sent.future.set_exception(error)

    def fail(self, sent: Sent, error: Exception) -> None:
        """Expect no answer any more."""
        if self._by_attempt.pop(sent.ticket.attempt, None) is not None:
            sent.future.set_exception(error)

    def lose_all_of(self, pool: str, how: str) -> None:
        """Take for lost what was sent to a pool."""
        self._lose([sent for sent in list(self._by_attempt.values()) if sent.pool == pool], how)

    def lose_silent(self) -> None:
        """Take for lost what is in no worker's hands any more."""
        self._lose([sent for sent in list(self._by_attempt.values()) if sent.is_silent()], "silent")

    def _lose(self, lost: list[Sent], how: str) -> None:
        for sent in lost:
            if self._by_attempt.pop(sent.ticket.attempt, None) is not None:
                with contextlib.suppress(OSError):
                    Path(sent.ticket.cancel_mark).touch()  # should it still come
                sent.future.set_exception(LostError(f"its worker of Celery was lost: {how}"))
