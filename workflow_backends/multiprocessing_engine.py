"""MultiprocessingBackend: workers on this machine with nothing between them and the script."""

from __future__ import annotations

import concurrent.futures
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from workflow_backends.engine import OwnedEngine, Pool
from workflow_backends.errors import EngineError
from workflow_backends.local import LocalBackend
from workflow_backends.machine import RUN_VARIABLE, kill_marked, run_mark
from workflow_backends.runner import Ticket, end_worker, run_task, settle

__all__ = ["MultiprocessingBackend"]

_STOP_S = 4.0
_LOOK_S = 0.3


class MultiprocessingBackend(LocalBackend):
    """Workers on this machine, each a process that owns its resources, with the standard library alone.

    Its parameters are those of every local backend: see `LocalBackend`.

    Examples
    --------
    >>> with MultiprocessingBackend(number_of_workers=2) as backend:
    ...     futures = [backend.submit_task(pow, 2, n) for n in range(3)]
    ...     print([future.result() for future in futures])
    [1, 2, 4]
    """

    def _make_engine(
        self, directory: Path, pools: Mapping[str, Pool], environments: Mapping[str, Mapping[str, str]]
    ) -> OwnedEngine:
        return _ProcessEngine(directory, pools, environments)


class _Job(NamedTuple):
    future: concurrent.futures.Future[bytes]
    call: bytes
    prefix: bytes
    ticket: Ticket


class _ProcessEngine:
    """A thread for each worker, which hands its tasks to a process by the worker's command.

    Parameters
    ----------
    directory
        The run's own directory.
    pools, environments
        As for `LocalBackend._make_engine`.
    """

    def __init__(
        self, directory: Path, pools: Mapping[str, Pool], environments: Mapping[str, Mapping[str, str]]
    ) -> None:
        self.directory = directory
        self._pools = pools
        self._jobs: dict[str, queue.SimpleQueue[_Job | None]] = {name: queue.SimpleQueue() for name in pools}
        self._stopping = False
        self._threads = [
            threading.Thread(
                target=self._serve, args=(name, rank, environments[name]), name=f"{name}-{rank}", daemon=True
            )
            for name, pool in pools.items()
            for rank in range(pool.number_of_workers)
        ]
        try:
            self._reaper = subprocess.Popen(
                [sys.executable, "-P", "-m", "workflow_backends.reaper"],
                stdin=subprocess.DEVNULL,
                env=os.environ | next(iter(environments.values())),
                start_new_session=True,
            )
        except OSError as error:
            shutil.rmtree(directory)
            raise EngineError(f"no process can be started: {error}") from error
        for thread in self._threads:
            thread.start()

    def submit(
        self, pool: str, prefix: bytes, call: bytes, ticket: Ticket
    ) -> concurrent.futures.Future[bytes]:
        """Queue the task for the pool's workers."""
        job = _Job(concurrent.futures.Future(), call, prefix, ticket)
        self._jobs[pool].put(job)
        return job.future

    def is_lost_block(self, error: BaseException) -> bool:  # noqa: ARG002  # there are no blocks
        """Say no: a worker that died is told by its runner."""
        return False

    def failure(self) -> str | None:
        """Say nothing: there is no engine beside this process that could fail."""
        return None

    def _serve(self, pool: str, rank: int, environment: Mapping[str, str]) -> None:
        settle(rank, environment)
        while (job := self._jobs[pool].get()) is not None and not self._stopping:
            try:
                result = run_task(job.call, job.prefix, job.ticket)
            except BaseException as error:  # noqa: BLE001  # whatever it is, the future must not hang
                job.future.set_exception(error)
            else:
                job.future.set_result(result)
        end_worker()

    def stop(self, *, keep_files: bool) -> None:
        """End every process, within seconds; remove the files unless told to keep them."""
        self._stopping = True
        for name, pool in self._pools.items():
            for _ in range(pool.number_of_workers):
                self._jobs[name].put(None)
        deadline = time.monotonic() + _STOP_S
        while True:
            kill_marked(RUN_VARIABLE, run_mark(self.directory))
            for thread in self._threads:
                thread.join(_LOOK_S)
            if time.monotonic() > deadline or not any(thread.is_alive() for thread in self._threads):
                break
        self._reaper.wait()
        if not keep_files:
            shutil.rmtree(self.directory, ignore_errors=True)
