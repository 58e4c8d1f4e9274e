"""The Celery application of both ends, and what its workers do with a task."""

from __future__ import annotations

import contextlib
import os
import pickle
import socket
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import kombu
from celery import Celery

from workflow_backends.celery_engine.broker import Broker
from workflow_backends.celery_engine.parts import put_aside, take_back
from workflow_backends.remote import run_here
from workflow_backends.runner import Ticket
from workflow_backends.serialization import Failure

__all__ = ["ANSWERS", "BEAT_S", "claim_file", "make_app", "make_queue", "owner_file"]

BEAT_S = 2.0
_REDELIVERY_S = 300.0  # after which Redis gives a message that was not acknowledged to another worker
ANSWERS = {True: "succeeded", False: "failed", None: "lost"}
_OWNER_SILENCE_S = 300.0
_UNUSED_QUEUE_S = 3600.0


def claim_file(ticket: Ticket) -> Path:
    """Return the file by which a worker takes a try of a task for itself, and says that it is alive."""
    return Path(ticket.directory, f"{ticket.attempt}.claim")


def owner_file(directory: str | Path) -> Path:
    """Return the file by which the script says that it is alive."""
    return Path(directory, "owner")


def make_queue(name: str, *, of_one_run: bool) -> Any:
    """Return a queue; one of one run is removed by a RabbitMQ when nobody has used it for an hour."""
    expires = _UNUSED_QUEUE_S if of_one_run else None
    return kombu.Queue(name, exchange="", routing_key=name, expires=expires)


def make_app(broker: Broker, prefix: str, queues: Iterable[Any]) -> Any:
    """Return the application.

    Parameters
    ----------
    broker
        Carries tasks and answers.
    prefix
        Of all keys in a Redis, so that they meet no others.
    queues
        Those that tasks may be sent to and taken from.
    """
    app = Celery("workflow_backends", broker=broker.url, set_as_current=False)
    app.conf.update(
        task_queues=list(queues),
        task_create_missing_queues=False,
        worker_enable_remote_control=False,  # which would leave queues of its own
        task_serializer="msgpack",  # the payloads are bytes already
        accept_content=["msgpack"],  # no message is unpickled in a process of Celery
        task_ignore_result=True,  # answers have a queue of their own
        task_acks_late=True,
        task_acks_on_failure_or_timeout=True,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        broker_connection_timeout=5,
    )
    quick = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
    if broker.is_redis:
        own = {"visibility_timeout": _REDELIVERY_S, "global_keyprefix": f"{prefix}:"}
    else:
        own = {"confirm_publish": True}  # what the broker did not take is an error
    app.conf.broker_transport_options = quick | own
    watch = _Watch()

    def run(call: bytes | None, prefix: bytes | None, fields: list[Any], mark: str, answers: str) -> None:
        ticket = Ticket(*fields)._replace(avoid=tuple(fields[-1]))
        if not watch.begin(ticket):
            return
        succeeded: bool | None = None
        data = b""
        try:
            if not app.current_task.request.delivery_info["redelivered"]:  # else it may have been answered
                parts = take_back(ticket, "call", call), take_back(ticket, "prefix", prefix)
                succeeded, data = run_here(*parts, ticket, mark)
        except Exception as error:  # noqa: BLE001  # whatever it is, the task must not hang
            succeeded, data = False, pickle.dumps(Failure("lost", f"its worker failed: {error!r}"))
        kind = ANSWERS[succeeded if watch.end(ticket) else None]
        answer = put_aside(ticket, "answer", data)
        with app.producer_or_acquire() as producer:
            producer.publish(
                answer or b"",
                routing_key=answers,
                content_type="application/octet-stream",
                content_encoding="binary",
                headers={"attempt": ticket.attempt, "kind": kind, "aside": answer is None},
                retry=True,
            )

    app.task(run, name="workflow_backends.run", shared=False)
    return app


class _Watch:
    """Keeps the claims of this process's tasks fresh, and ends tasks whose script has gone silent."""

    def __init__(self) -> None:
        self._running: dict[Ticket, tuple[float, float]] = {}  # the owner's last beat, and when it was seen
        self._silent: set[Ticket] = set()
        self._lock = threading.Lock()
        self._started = False

    def begin(self, ticket: Ticket) -> bool:
        """Claim a try of a task; tell whether it is ours, not one that came twice or too late."""
        try:
            with claim_file(ticket).open("x", encoding="utf-8") as claim:
                claim.write(f"{socket.gethostname()} {os.getpid()}")
        except OSError:  # another has it, or the run's directory is gone
            return False
        with self._lock:
            self._running[ticket] = (0.0, time.monotonic())
            if not self._started:
                self._started = True
                threading.Thread(target=self._beat, name="claims", daemon=True).start()
        return True

    def end(self, ticket: Ticket) -> bool:
        """Forget a task; tell whether its script was alive all the time."""
        with self._lock:
            del self._running[ticket]
            alive = ticket not in self._silent
            self._silent.discard(ticket)
        return alive

    def _beat(self) -> None:
        while True:
            time.sleep(BEAT_S)
            with self._lock:
                running = dict(self._running)
            for ticket, (beat, seen) in running.items():
                with contextlib.suppress(OSError):  # the run's directory is gone, and its tasks with it
                    os.utime(claim_file(ticket))
                    self._look(ticket, beat, seen)

    def _look(self, ticket: Ticket, beat: float, seen: float) -> None:
        latest = owner_file(ticket.directory).stat().st_mtime
        with self._lock:
            if ticket in self._running and latest != beat:
                self._running[ticket] = (latest, time.monotonic())
            elif ticket in self._running and time.monotonic() - seen > _OWNER_SILENCE_S:
                self._silent.add(ticket)
                Path(ticket.cancel_mark).touch()
