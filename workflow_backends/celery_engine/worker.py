"""Workers for CeleryBackend: ``python -m workflow_backends celery-worker --queue NAME --workers N``.

The broker's address is read from the environment, where other users of the machine cannot see it.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import Any

from workflow_backends.celery_engine.broker import BROKER_VARIABLE, Broker

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a queue until told to stop."""
    parser = argparse.ArgumentParser(
        prog="python -m workflow_backends celery-worker",
        description=f"Run tasks of a CeleryBackend; {BROKER_VARIABLE} holds the broker's address.",
    )
    parser.add_argument("--queue", required=True, help="the queue_name of the CeleryBackend")
    parser.add_argument("--workers", type=int, default=1, help="how many tasks run at once (default 1)")
    parser.add_argument("--prefix", help=argparse.SUPPRESS)
    parser.add_argument(
        "--allow-unauthenticated-broker",
        action="store_true",
        help="take a broker on another machine that asks for no password",
    )
    given = parser.parse_args(arguments)
    broker = Broker(None, allow_unauthenticated=given.allow_unauthenticated_broker)
    os.environ.pop(BROKER_VARIABLE)  # no task needs it
    from workflow_backends.celery_engine.app import make_app, make_queue  # noqa: PLC0415  # slow, and --help needs it not

    queue = make_queue(given.queue, of_one_run=given.prefix is not None)
    app = make_app(broker, given.prefix or given.queue, [queue])
    app.steps["consumer"].add(_reconnecting())
    app.worker_main(
        [
            *("worker", "--pool=threads", f"--concurrency={given.workers}", f"--queues={given.queue}"),
            *(f"--hostname=workers-{os.getpid()}@%h", "--loglevel=WARNING"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ]
    )
    return 0


def _reconnecting() -> Any:
    """Return a part of a worker by which it connects again when the broker closed its channel.

    A RabbitMQ does so when a task took longer than its `consumer_timeout`, by default half an hour, and
    sends the task again, which finds itself claimed. Celery by itself would end the worker.
    """
    from celery.bootsteps import StartStopStep  # noqa: PLC0415

    class Reconnecting(StartStopStep):  # type: ignore[misc]  # Celery has no types
        def __init__(self, parent: Any, **options: Any) -> None:
            super().__init__(parent, **options)
            parent.connection_errors += parent.channel_errors

    return Reconnecting


if __name__ == "__main__":
    main()
