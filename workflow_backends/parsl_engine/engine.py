"""A DataFlowKernel as the dispatcher's engine."""

from __future__ import annotations

import concurrent.futures
import getpass
import logging
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_backends.errors import EngineError
from workflow_backends.machine import RUN_VARIABLE, kill_marked, run_mark
from workflow_backends.runner import Ticket, run_task
from workflow_backends.serialization import TaskFailed

if TYPE_CHECKING:
    from workflow_backends.parsl_engine.supervision import SupervisedExecutor

__all__ = ["KernelEngine", "OwnKernelEngine", "start_kernel"]

_STRATEGY_S = 1.0
_CLEANUP_S = 5.0
_RUN_TASK = f"{run_task.__module__}.{run_task.__qualname__}"
_logger = logging.getLogger(__name__)


def _not_a_task_failure(record: logging.LogRecord) -> bool:
    """Tell whether a log record is of Parsl's own making: a task's failure reaches its future instead."""
    return not (record.exc_info and isinstance(record.exc_info[1], TaskFailed))


def start_kernel(config: Any) -> Any:
    """Return the DataFlowKernel of a parsl Config, also for a user without a name, as docker --user has."""
    from parsl import DataFlowKernel  # noqa: PLC0415  # half a second that only a start pays

    try:
        getpass.getuser()  # which Parsl asks for
    except (KeyError, OSError):  # the latter from Python 3.13 on
        os.environ["LOGNAME"] = f"uid-{os.getuid()}"
    return DataFlowKernel(config)


class KernelEngine:
    """Runs tasks on the executors of a DataFlowKernel.

    Parameters
    ----------
    kernel
        The running DataFlowKernel.
    directory
        For logs and marks; workers see it under the same path.
    memoize
        Whether Parsl may give the result of an equal call instead of running it again.
    """

    def __init__(self, kernel: Any, directory: Path, *, memoize: bool = False) -> None:
        logging.getLogger("parsl.dataflow.dflow").addFilter(_not_a_task_failure)
        self.kernel = kernel
        self.directory = directory
        self._memoize = memoize

    def submit(
        self, pool: str, prefix: bytes, call: bytes, ticket: Ticket
    ) -> concurrent.futures.Future[bytes]:
        """Run the task on the executor that has the pool's name."""
        if self._memoize:
            from workflow_backends.parsl_engine.supervision import (  # noqa: PLC0415
                MemoizableMessage,
                forget_failure,
            )

            prefix, call = MemoizableMessage(prefix), MemoizableMessage(call)
        future: concurrent.futures.Future[bytes] = self.kernel.submit(
            run_task,
            app_args=(call, prefix),
            app_kwargs={"ticket": tuple(ticket)},  # Parsl pickles a tuple much faster than a class
            executors=[pool],
            cache=self._memoize,
            ignore_for_cache=["ticket"],
        )
        if self._memoize:
            future.add_done_callback(forget_failure)
        return future

    def is_lost_block(self, error: BaseException) -> bool:
        """Tell whether Parsl lost the worker's block."""
        from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost  # noqa: PLC0415

        return isinstance(error, ManagerLost | WorkerLost)

    def failure(self) -> str | None:
        """Say why no task can run any more; None while all is well."""
        from workflow_backends.parsl_engine.supervision import executor_failure  # noqa: PLC0415

        return next(filter(None, map(executor_failure, self.kernel.executors.values())), None)

    def clean_up(self) -> None:
        """Let Parsl clean up, for some seconds at most whatever died before."""
        from workflow_backends.parsl_engine.supervision import executor_failure, give_up  # noqa: PLC0415

        for executor in self.kernel.executors.values():
            if reason := executor_failure(executor):
                give_up(executor, reason)
        cleanup = threading.Thread(target=self._clean_up, name="parsl-cleanup", daemon=True)
        try:
            cleanup.start()
        except RuntimeError:  # the interpreter is ending and starts no thread
            self._clean_up()
        else:
            cleanup.join(_CLEANUP_S)

    def _clean_up(self) -> None:
        try:
            self.kernel.cleanup()
        except Exception:
            _logger.exception("Parsl's clean-up failed; its processes are ended all the same")


class OwnKernelEngine(KernelEngine):
    """Runs tasks on our executors in a DataFlowKernel of our own.

    Parameters
    ----------
    directory
        The run's own directory.
    make_executors
        Called once, for Parsl's executors are single use; the labels are the pools' names.
    idle_time_limit
        Seconds after which an idle block ends, where there are more than at least.
    """

    def __init__(
        self,
        directory: Path,
        make_executors: Callable[[Path], list[SupervisedExecutor]],
        idle_time_limit: float = 60.0,
    ) -> None:
        from parsl import Config  # noqa: PLC0415  # half a second that only a start pays

        super().__init__(None, directory)
        self._executors: list[SupervisedExecutor] = []
        try:
            self._executors = make_executors(directory)
            self.kernel = start_kernel(
                Config(
                    executors=self._executors,
                    run_dir=str(directory / "parsl"),
                    strategy="htex_auto_scale",
                    strategy_period=_STRATEGY_S,
                    max_idletime=idle_time_limit,
                    initialize_logging=False,
                    retries=0,
                )
            )
            self._start_blocks()
        except Exception as error:
            self.stop(keep_files=True)
            raise EngineError(f"Parsl did not start: {error}; logs in {directory}") from error
        except BaseException:
            self.stop(keep_files=False)
            raise

    def _start_blocks(self) -> None:
        for executor in self._executors:
            # Parsl would start the first block only when its strategy wakes up for the first time.
            executor.scale_out_facade(executor.provider.min_blocks)
            executor.handle_errors(executor.status_facade)
        if reason := self.failure():
            raise EngineError(reason)

    def submit(
        self, pool: str, prefix: bytes, call: bytes, ticket: Ticket
    ) -> concurrent.futures.Future[bytes]:
        """Run the task on the executor that has the pool's name, without the kernel's book-keeping."""
        context = {"task_executor": {"f": _RUN_TASK, "a": (prefix, tuple(ticket))}}
        future: concurrent.futures.Future[bytes] = self.kernel.executors[pool].submit_payload(context, call)
        return future

    def stop(self, *, keep_files: bool) -> None:
        """End everything, within seconds whatever died before."""
        try:
            for executor in self._executors:
                executor.provider.close()
            if self.kernel is not None:
                self.clean_up()
        finally:
            for executor in self._executors:
                executor.kill_interchange()
            kill_marked(RUN_VARIABLE, run_mark(self.directory))
            if not keep_files:
                shutil.rmtree(self.directory, ignore_errors=True)
