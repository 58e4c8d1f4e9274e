"""CeleryBackend: workers that take their tasks from a broker."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from workflow_backends.celery_engine.broker import BROKER_VARIABLE, Broker
from workflow_backends.engine import Capability, Engine, OwnedEngine, Pool
from workflow_backends.errors import EngineError, InvalidResourcesError
from workflow_backends.local import LocalBackend, make_directory
from workflow_backends.processes import RunProcesses
from workflow_backends.resources import ComputeResources

__all__ = ["CeleryBackend"]


class CeleryBackend(LocalBackend):
    """Workers that take their tasks from a broker with Celery.

    Without a `queue_name` it starts its own workers on this machine. With one, the tasks go to workers that
    you start wherever you like, on machines that share the directory and have this package::

        WORKFLOW_BACKENDS_BROKER=redis://:password@host:6379/0 \\
            python -m workflow_backends celery-worker --queue NAME --workers 4

    Whoever can write to the broker can run code as you, on your workers and here: see docs/backends.md.

    Parameters
    ----------
    number_of_workers
        How many workers there are; of your own, on all machines.
    resources_per_worker
        What each owns; one thread by default.
    pools
        Several pools of workers instead: ``{name: (number_of_workers, resources)}``; not with a `queue_name`.
    workers_per_gpu
        How many workers share what each of them owns of GPUs; not with a `queue_name`.
    broker
        The broker's address, such as ``redis://:password@host:6379/0``; by default that in the environment's
        WORKFLOW_BACKENDS_BROKER. It is shown nowhere with its password.
    queue_name
        The queue of the workers that you started; None to start workers here.
    directory
        With a `queue_name`: for the run's files, on a file system that the workers share; the current
        directory by default. stop() deletes what it made there, unless something failed.
    allow_unauthenticated_broker
        Whether a broker on another machine may do without a password.

    Raises
    ------
    InvalidResourcesError
        A value that is not allowed, by its name.
    """

    def __init__(
        self,
        number_of_workers: int = 1,
        resources_per_worker: ComputeResources | None = None,
        pools: Mapping[str, tuple[int, ComputeResources]] | None = None,
        *,
        workers_per_gpu: int = 1,
        broker: str | None = None,
        queue_name: str | None = None,
        directory: str | Path | None = None,
        allow_unauthenticated_broker: bool = False,
    ) -> None:
        super().__init__(number_of_workers, resources_per_worker, pools, workers_per_gpu=workers_per_gpu)
        self._broker = Broker(broker, allow_unauthenticated=allow_unauthenticated_broker)
        self._unauthenticated = allow_unauthenticated_broker
        self._queue = queue_name
        self._place = None if directory is None else Path(directory).absolute()
        if queue_name is not None and not (queue_name and queue_name.replace("-", "").isalnum()):
            raise InvalidResourcesError(
                f"queue_name: {queue_name!r} is not allowed; give letters, digits and hyphens"
            )
        if queue_name is not None and pools is not None:
            raise InvalidResourcesError("pools: the workers of a queue are one pool; give no queue_name")
        if queue_name is None and directory is not None:
            raise InvalidResourcesError("directory: workers of this machine need none; give a queue_name")
        if queue_name is not None:  # its workers are not ours to place, or to end
            self.cannot = frozenset({Capability.pools, Capability.end_with_script, Capability.placement})

    def check(self) -> None:
        """Raise InvalidResourcesError or PlatformUnavailableError where `start` would; starts nothing."""
        _require_celery()
        if self._queue is None:
            super().check()

    def _start_engine(self, pools: Mapping[str, Pool]) -> Engine:
        _require_celery()
        if self._queue is None:
            return super()._start_engine(pools)
        from workflow_backends.celery_engine.engine import CeleryEngine  # noqa: PLC0415

        directory = make_directory(self._place or Path.cwd(), f"workflow-backends-{uuid.uuid4().hex[:10]}")
        self._engine = CeleryEngine(self._broker, directory, dict.fromkeys(pools, self._queue), self._queue)
        return self._engine

    def _make_engine(
        self, directory: Path, pools: Mapping[str, Pool], environments: Mapping[str, Mapping[str, str]]
    ) -> OwnedEngine:
        from workflow_backends.celery_engine.engine import CeleryEngine  # noqa: PLC0415

        prefix = f"workflow-backends-{uuid.uuid4().hex[:10]}"
        queues = {name: f"{prefix}-{number}" for number, name in enumerate(pools)}
        secret = {BROKER_VARIABLE: self._broker.url}
        processes = None
        try:
            processes = RunProcesses(directory, next(iter(environments.values())))
            for name, pool in pools.items():
                processes.start(
                    name,
                    [
                        *("workflow_backends.celery_engine.worker", "--queue", queues[name]),
                        *("--prefix", prefix, "--workers", str(pool.number_of_workers)),
                        *(["--allow-unauthenticated-broker"] if self._unauthenticated else []),
                    ],
                    {**environments[name], **secret},
                )
            return CeleryEngine(self._broker, directory, queues, prefix, processes)
        except BaseException as error:
            if processes is not None:
                processes.stop()
            shutil.rmtree(directory, ignore_errors=True)
            if isinstance(error, OSError):
                raise EngineError(f"no process can be started: {error}") from error
            raise


def _require_celery() -> None:
    for module in ("celery", "msgpack", "redis"):
        try:
            __import__(module)
        except ImportError as error:
            raise InvalidResourcesError(
                f"{module} cannot be imported ({error}); pip install 'estimate-properties[celery]'"
            ) from error
