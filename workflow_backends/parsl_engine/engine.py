"""A DataFlowKernel with our executors, as the dispatcher's engine."""

from __future__ import annotations

import concurrent.futures
import logging
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_backends.errors import EngineError
from workflow_backends.machine import RUN_VARIABLE, kill_marked
from workflow_backends.runner import Ticket, run_task
from workflow_backends.serialization import TaskFailed

if TYPE_CHECKING:
    from workflow_backends.parsl_engine.supervision import SupervisedExecutor

__all__ = ["ParslEngine"]

_STRATEGY_S = 1.0
_CLEANUP_S = 5.0
_logger = logging.getLogger(__name__)


def _not_a_task_failure(record: logging.LogRecord) -> bool:
    """Tell whether a log record is of Parsl's own making: a task's failure reaches its future instead."""
    return not (record.exc_info and isinstance(record.exc_info[1], TaskFailed))


class ParslEngine:
    """Runs tasks on executors of one DataFlowKernel of its own.

    Parameters
    ----------
    directory
        The run's own directory, for logs and marks; workers see it under the same path.
    make_executors
        Called once, for Parsl's executors are single use; the labels are the pools' names.
    """

    def __init__(self, directory: Path, make_executors: Callable[[Path], list[SupervisedExecutor]]) -> None:
        from parsl import Config, DataFlowKernel  # noqa: PLC0415  # half a second that only a start pays

        logging.getLogger("parsl.dataflow.dflow").addFilter(_not_a_task_failure)
        self.directory = directory
        self._executors = make_executors(directory)
        self._kernel: Any = None
        try:
            self._kernel = DataFlowKernel(
                Config(
                    executors=self._executors,
                    run_dir=str(directory / "parsl"),
                    strategy="simple",
                    strategy_period=_STRATEGY_S,
                    initialize_logging=False,
                    retries=0,
                )
            )
            for executor in self._executors:
                # Parsl would start the first block only when its strategy wakes up for the first time.
                executor.scale_out_facade(executor.provider.min_blocks)
        except Exception as error:
            self.stop(keep_files=True)
            raise EngineError(f"Parsl did not start: {error}; logs in {directory}") from error

    def submit(self, pool: str, message: bytes, ticket: Ticket) -> concurrent.futures.Future[bytes]:
        """Run the task on a worker of the pool."""
        future: concurrent.futures.Future[bytes] = self._kernel.submit(
            run_task,
            app_args=(message,),
            app_kwargs={"ticket": ticket},
            executors=[pool],
            cache=False,
            ignore_for_cache=["ticket"],
        )
        return future

    def is_lost_block(self, error: BaseException) -> bool:
        """Tell whether Parsl lost the worker's block."""
        from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost  # noqa: PLC0415

        return isinstance(error, ManagerLost | WorkerLost)

    def failure(self) -> str | None:
        """Say why no task can run any more; None while all is well."""
        return next(filter(None, (executor.interchange_failure() for executor in self._executors)), None)

    def stop(self, *, keep_files: bool) -> None:
        """End everything, within seconds whatever died before."""
        for executor in self._executors:
            if reason := executor.interchange_failure():
                executor.give_up(reason)
            executor.provider.cancel_all()
        if self._kernel is not None:
            cleanup = threading.Thread(target=self._clean_up, name="parsl-cleanup", daemon=True)
            cleanup.start()
            cleanup.join(_CLEANUP_S)
        for executor in self._executors:
            if executor.interchange_proc is not None and executor.interchange_proc.poll() is None:
                executor.interchange_proc.kill()
                executor.interchange_proc.wait()
        kill_marked(RUN_VARIABLE, self.mark(self.directory))
        if not keep_files:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _clean_up(self) -> None:
        try:
            self._kernel.cleanup()
        except Exception:
            _logger.exception("Parsl's clean-up failed; its processes are ended all the same")

    @staticmethod
    def mark(directory: Path) -> str:
        """Return the value of RUN_VARIABLE that marks this run's processes."""
        return f"{os.getpid()}:{directory}"
