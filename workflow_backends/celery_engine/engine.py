"""A Celery application as the dispatcher's engine."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import queue
import shutil
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kombu
import psutil
import redis

from workflow_backends.celery_engine.app import (
    ANSWERS,
    BEAT_S,
    claim_file,
    make_app,
    make_queue,
    owner_file,
)
from workflow_backends.celery_engine.broker import Broker
from workflow_backends.celery_engine.parts import put_aside, take_back
from workflow_backends.errors import EngineError
from workflow_backends.machine import run_mark
from workflow_backends.processes import RunProcesses
from workflow_backends.remote import take_result
from workflow_backends.runner import Ticket

__all__ = ["CeleryEngine"]

_DRAIN_S = 0.3
_AGAIN_S = 0.5
_BROKER_SILENCE_S = 15.0
_CLAIM_SILENCE_S = 120.0  # file systems of several machines show changes late
_STOP_S = 4.0
_RETRIES = {"max_retries": 20, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5}


class _LostError(Exception):
    """A worker, or its message, was lost."""


@dataclass
class _Sent:
    ticket: Ticket
    pool: str
    future: concurrent.futures.Future[bytes] = field(default_factory=concurrent.futures.Future)
    beat: float = 0.0
    heard: float = field(default_factory=time.monotonic)


class CeleryEngine:
    """Sends tasks to queues, and takes the answers from a queue of its own.

    Parameters
    ----------
    broker
        Carries both.
    directory
        For logs and marks; workers see it under the same path.
    queues
        The queue of each pool.
    prefix
        Of the keys in a Redis.
    processes
        The workers by the pools' names, where they are ours.

    Raises
    ------
    EngineError
        The broker cannot be reached.
    """

    def __init__(
        self,
        broker: Broker,
        directory: Path,
        queues: Mapping[str, str],
        prefix: str,
        processes: RunProcesses | None = None,
    ) -> None:
        self.directory = directory
        self._broker, self._queues, self._prefix, self._processes = broker, queues, prefix, processes
        own = processes is not None
        self._app = make_app(broker, prefix, [make_queue(name, of_one_run=own) for name in queues.values()])
        self._task = self._app.tasks["workflow_backends.run"]
        self._answers = make_queue(f"answers-{uuid.uuid4().hex}", of_one_run=True)
        self._sent: dict[str, _Sent] = {}
        self._heard = time.monotonic()
        self._stopping = False
        self._outgoing: queue.SimpleQueue[tuple[_Sent, bytes, bytes] | None] = queue.SimpleQueue()
        owner_file(directory).touch()
        try:
            with self._app.connection_for_write() as connection:
                connection.ensure_connection(max_retries=1, timeout=_STOP_S)
                self._answers(connection.default_channel).declare()
        except Exception as error:  # noqa: BLE001  # each transport has its own
            raise EngineError(f"the broker {broker} cannot be used: {_words(error)}") from None
        self._threads = [
            threading.Thread(target=self._collect, name="celery-answers", daemon=True),
            threading.Thread(target=self._send, name="celery-tasks", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def submit(
        self, pool: str, prefix: bytes, call: bytes, ticket: Ticket
    ) -> concurrent.futures.Future[bytes]:
        """Send the task to the pool's queue, in a thread that may wait for the broker."""
        sent = self._sent[ticket.attempt] = _Sent(ticket, pool)
        self._outgoing.put((sent, call, prefix))
        return sent.future

    def _send(self) -> None:
        while (item := self._outgoing.get()) is not None:
            sent, call, prefix = item
            if self._stopping:
                continue
            parts = put_aside(sent.ticket, "call", call), put_aside(sent.ticket, "prefix", prefix)
            try:
                self._task.apply_async(
                    (*parts, list(sent.ticket), run_mark(self.directory), self._answers.name),
                    queue=self._queues[sent.pool],
                    argsrepr="",
                    kwargsrepr="",
                    retry_policy=_RETRIES,
                )
            except Exception as error:  # noqa: BLE001  # each transport has its own
                if self._sent.pop(sent.ticket.attempt, None) is not None:
                    message = f"the broker {self._broker} took no task: {_words(error)}"
                    sent.future.set_exception(EngineError(message))

    def is_lost_block(self, error: BaseException) -> bool:
        """Tell whether a worker's process of Celery was lost."""
        return isinstance(error, _LostError)

    def failure(self) -> str | None:
        """Find lost workers, start ours anew; say why no task can run any more, None while all is well."""
        if time.monotonic() - self._heard > _BROKER_SILENCE_S:
            return f"the broker {self._broker} does not answer"
        if self._processes is not None:
            for pool in self._queues:
                ended = self._processes.end_of(pool)
                if ended is not None and (end := self._processes.revive(pool)):
                    return f"Celery's worker ended {end}"
                if ended is not None:  # with it went what it had taken and not yet claimed
                    self._lose([sent for sent in list(self._sent.values()) if sent.pool == pool], ended)
        else:
            self._lose([sent for sent in list(self._sent.values()) if self._is_lost(sent)], "silent")
        return None

    def stop(self, *, keep_files: bool) -> None:
        """End our workers and all tasks; remove our queues, and the files unless told to keep them."""
        if not keep_files:
            shutil.rmtree(self.directory, ignore_errors=True)
        if self._processes is not None:
            self._processes.stop()
        self._stopping = True
        self._outgoing.put(None)
        deadline = time.monotonic() + _STOP_S
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        with contextlib.suppress(Exception):  # of a broker that is gone
            self._clear()
        self._app.close()
        if not keep_files:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _clear(self) -> None:
        with self._app.connection_for_write() as connection:
            channel = connection.default_channel
            channel.queue_delete(self._answers.name)
            if self._processes is None:
                return
            for name in self._queues.values():
                channel.queue_delete(name)
        if self._broker.is_redis:  # what Celery leaves
            with redis.Redis.from_url(_redis_url(self._broker)) as client:
                for key in list(client.scan_iter(match=f"{self._prefix}:*")):
                    client.delete(key)

    def _collect(self) -> None:
        while not self._stopping:
            try:
                with (
                    self._app.connection_for_read() as connection,
                    kombu.Consumer(connection, [self._answers], on_message=self._answer, no_ack=True),
                ):
                    self._drain(connection)
            except Exception:  # noqa: BLE001  # whatever broke, failure() tells when it does not come back
                time.sleep(_AGAIN_S)

    def _drain(self, connection: Any) -> None:
        beat = 0.0
        while not self._stopping:
            with contextlib.suppress(TimeoutError):
                connection.drain_events(timeout=_DRAIN_S)
            self._heard = time.monotonic()
            if self._heard - beat > BEAT_S:
                beat = self._heard
                with contextlib.suppress(OSError):  # the directory was deleted
                    os.utime(owner_file(self.directory))

    def _answer(self, message: Any) -> None:
        sent = self._sent.pop(message.headers["attempt"], None)
        if sent is None:
            return
        kind = message.headers["kind"]
        if kind == ANSWERS[None]:  # its claim stays: another worker may hold it as well
            sent.future.set_exception(_LostError("a worker gave it back"))
            return
        claim_file(sent.ticket).unlink(missing_ok=True)  # a worker that gets it again gives it back
        try:
            body = None if message.headers["aside"] else bytes(message.body)
            data = take_back(sent.ticket, "answer", body)
            sent.future.set_result(take_result((kind == ANSWERS[True], data)))
        except Exception as error:  # noqa: BLE001  # the task's failure
            sent.future.set_exception(error)

    def _is_lost(self, sent: _Sent) -> bool:
        """Tell whether the worker that claimed a task is dead, or silent for long."""
        claim = claim_file(sent.ticket)
        try:
            beat, claimant = claim.stat().st_mtime, claim.read_text(encoding="utf-8").split()
        except OSError:
            return False  # in the queue
        if beat != sent.beat:
            sent.beat, sent.heard = beat, time.monotonic()
        here = len(claimant) == 2 and claimant[0] == socket.gethostname()
        if here and not psutil.pid_exists(int(claimant[1])):
            return True
        return time.monotonic() - sent.heard > _CLAIM_SILENCE_S

    def _lose(self, lost: list[_Sent], how: str) -> None:
        for sent in lost:
            if self._sent.pop(sent.ticket.attempt, None) is not None:
                with contextlib.suppress(OSError):
                    Path(sent.ticket.cancel_mark).touch()  # should it still come
                sent.future.set_exception(_LostError(f"its worker of Celery was lost: {how}"))


def _redis_url(broker: Broker) -> str:
    """Return the address as the redis package writes that of a socket; all others are the same."""
    return broker.url.replace("redis+socket://", "unix://", 1)


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
