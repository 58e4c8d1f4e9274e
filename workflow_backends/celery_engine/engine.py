"""A Celery application as the dispatcher's engine."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import queue
import shutil
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import kombu
import redis

from workflow_backends.celery_engine.app import BEAT_S, make_app, make_queue, owner_file
from workflow_backends.celery_engine.broker import Broker
from workflow_backends.celery_engine.parts import put_aside
from workflow_backends.celery_engine.sent import LostError, Sent, SentTasks
from workflow_backends.errors import EngineError
from workflow_backends.machine import run_mark
from workflow_backends.processes import RunProcesses
from workflow_backends.runner import Ticket

__all__ = ["CeleryEngine"]

_DRAIN_S = 0.3
_AGAIN_S = 0.5
_BROKER_SILENCE_S = 15.0
_STOP_S = 4.0
_RETRIES = {"max_retries": 20, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5}


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
        self._sent = SentTasks()
        self._heard = time.monotonic()
        self._stopping = False
        self._outgoing: queue.SimpleQueue[tuple[Sent, bytes, bytes] | None] = queue.SimpleQueue()
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
        sent = self._sent.add(ticket, pool)
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
                message = f"the broker {self._broker} took no task: {_words(error)}"
                self._sent.fail(sent, EngineError(message))

    def is_lost_block(self, error: BaseException) -> bool:
        """Tell whether a worker's process of Celery was lost."""
        return isinstance(error, LostError)

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
                    self._sent.lose_all_of(pool, ended)
        else:
            self._sent.lose_silent()
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
                    kombu.Consumer(connection, [self._answers], on_message=self._sent.answer, no_ack=True),
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


def _redis_url(broker: Broker) -> str:
    """Return the address as the redis package writes that of a socket; all others are the same."""
    return broker.url.replace("redis+socket://", "unix://", 1)


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
