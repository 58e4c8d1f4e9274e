"""A Dask Client as the dispatcher's engine."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import itertools
import shutil
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from workflow_backends.block import departure
from workflow_backends.errors import InvalidResourcesError
from workflow_backends.machine import RUN_VARIABLE, kill_marked, run_mark
from workflow_backends.remote import run_here, take_result
from workflow_backends.runner import Ticket

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["ClientEngine", "require_dask"]

_LARGE = 1 << 20
_CALL_S = 3.0


class _LostError(Exception):
    """Dask lost the worker, or forgot the task."""


def _run_on_worker(call: bytes, prefix: bytes, ticket: tuple[Any, ...], mark: str) -> tuple[bool, bytes]:
    """Run one task in a thread of a Dask worker, which closes when its job has no time for more."""
    from distributed import get_worker  # noqa: PLC0415

    worker = get_worker()
    departure.announce_with(lambda: worker.loop.add_callback(worker.close_gracefully))
    return run_here(call, prefix, ticket, mark)


class _Task(NamedTuple):
    future: concurrent.futures.Future[bytes]
    pool: str
    call: bytes
    prefix: bytes
    ticket: Ticket


def require_dask(module: str = "distributed") -> None:
    """Refuse to go on where Dask is not installed.

    Raises
    ------
    InvalidResourcesError
        With the command that installs it.
    """
    try:
        __import__(module)
    except ImportError as error:
        raise InvalidResourcesError(
            f"{module} cannot be imported ({error}); pip install 'estimate-properties[dask]'"
        ) from error


class ClientEngine:
    """Runs tasks on the workers that a Dask Client reaches; each of their threads is a worker of ours.

    Parameters
    ----------
    client
        Connected, and not asynchronous.
    directory
        For logs and marks; workers see it under the same path.
    by_pool
        Whether Dask's workers have a resource of their pool's name; otherwise any takes any task.
    """

    def __init__(self, client: Client, directory: Path, *, by_pool: bool = False) -> None:
        self.directory = directory
        self._client = client
        self._by_pool = by_pool
        self._mark = run_mark(directory)
        self._lock = threading.Lock()
        self._waiting: list[_Task] = []
        self._unfinished: dict[Any, asyncio.Task[None]] = {}

    @property
    def unfinished(self) -> int:
        """How many tasks Dask has now."""
        return len(self._waiting) + len(self._unfinished)

    def submit(
        self, pool: str, prefix: bytes, call: bytes, ticket: Ticket
    ) -> concurrent.futures.Future[bytes]:
        """Run the task on a worker that has the pool's resource."""
        task = _Task(concurrent.futures.Future(), pool, call, prefix, ticket)
        with self._lock:
            self._waiting.append(task)
            first = len(self._waiting) == 1
        if first:
            self._client.loop.add_callback(self._send)
        return task.future

    def _send(self) -> None:
        """Give Dask what came since the last time, as one graph for each pool: each graph costs time."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        waiting.sort(key=lambda task: task.pool)
        for pool, group in itertools.groupby(waiting, key=lambda task: task.pool):
            tasks = list(group)
            try:
                futures = self._map(pool, tasks)
            except BaseException as error:  # noqa: BLE001  # whatever it is, no future may hang
                for task in tasks:
                    task.future.set_exception(error)
                continue
            for task, future in zip(tasks, futures, strict=True):
                self._unfinished[future] = asyncio.ensure_future(self._conclude(task.future, future))

    def _map(self, pool: str, tasks: list[_Task]) -> list[Any]:
        import dask  # noqa: PLC0415

        # Dask warns of large arguments; that they pass its scheduler once is no harm.
        quiet = {"distributed.admin.large-graph-warning-threshold": 10**18}
        large = sum(len(task.prefix) + len(task.call) for task in tasks) > _LARGE
        with dask.config.set(quiet) if large else contextlib.nullcontext():
            return self._client.map(  # type: ignore[no-any-return]
                _run_on_worker,
                [task.call for task in tasks],
                [task.prefix for task in tasks],
                [tuple(task.ticket) for task in tasks],
                mark=self._mark,
                key=[f"{self.directory.name}-{task.ticket.attempt}" for task in tasks],
                resources={pool: 1} if self._by_pool else None,
                pure=False,
            )

    async def _conclude(self, ours: concurrent.futures.Future[bytes], future: Any) -> None:
        try:
            result = take_result(await future)
        except asyncio.CancelledError as error:
            ours.set_exception(_LostError(f"Dask dropped the task: {error}"))
        except BaseException as error:  # noqa: BLE001  # whatever it is, no future may hang
            ours.set_exception(error)
        else:
            ours.set_result(result)
        finally:
            del self._unfinished[future]

    def is_lost_block(self, error: BaseException) -> bool:
        """Tell whether Dask lost the worker, or forgot the task."""
        from distributed.scheduler import KilledWorker, NoValidWorkerError  # noqa: PLC0415

        return isinstance(error, KilledWorker | NoValidWorkerError | _LostError)

    def failure(self) -> str | None:
        """Say why no task can run any more; None while all is well."""
        closed = self._client.status in ("closing", "closed")
        return "the Dask client was closed, or lost its scheduler" if closed else None

    def end_tasks(self) -> None:
        """Take every task back, and kill its processes on whatever machine."""
        if self.failure() is not None:
            return
        with contextlib.suppress(Exception):  # of a cluster that dies just now
            self._client.sync(self._end_tasks, callback_timeout=_CALL_S)

    async def _end_tasks(self) -> None:
        await self._client.cancel(list(self._unfinished))  # in the loop, a coroutine
        await self._client.run(kill_marked, RUN_VARIABLE, self._mark, on_error="ignore")

    def stop(self, *, keep_files: bool) -> None:
        """End what runs, and remove the run's files unless told to keep them; the client goes on."""
        self.end_tasks()
        if not keep_files:
            shutil.rmtree(self.directory, ignore_errors=True)
