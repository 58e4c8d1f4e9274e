"""Whether a task that failed on a worker is run again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from workflow_backends.errors import TimeLimitError, WorkerLostError
from workflow_backends.outcomes import error_of
from workflow_backends.serialization import Failure
from workflow_backends.task import Task

__all__ = ["error_or_retry"]

_logger = logging.getLogger("workflow_backends.dispatcher")
_LOST_BLOCKS_LIMIT = 10
_MISFITS_LIMIT = 3  # blocks that were too short from their start: one may have started slowly
_REFUSALS_LIMIT = 120  # each half a second apart: all other workers may be busy or gone


def error_or_retry(task: Task, failure: Failure, *, others: bool, logs: Path) -> Exception | None:
    """Return the error of a task, or None if it is to be run again; its counts are kept.

    Parameters
    ----------
    task
        That failed.
    failure
        Of any kind but "cancelled".
    others
        Whether its pool has more than one worker.
    logs
        The run's directory.
    """
    judge = _JUDGES.get(failure.kind, _of_task)
    error = judge(task, failure, logs)
    if failure.kind == "device" and error is None and others:
        task.avoid = (*task.avoid, failure.place)
    return error


def _of_task(task: Task, failure: Failure, _: Path) -> Exception | None:
    error = error_of(task.label, failure)
    if isinstance(error, task.options.retry_exceptions) and task.failures < task.options.retries:
        task.failures += 1
        return None
    return error


def _of_device(task: Task, failure: Failure, logs: Path) -> Exception | None:
    if task.deaths >= task.options.retries:
        return _of_task(task, failure, logs)
    task.deaths += 1
    _logger.warning("%s: %s", task.label, failure.description)
    return None


def _of_avoided_worker(task: Task, _: Failure, __: Path) -> Exception | None:
    task.refusals += 1
    if task.refusals >= _REFUSALS_LIMIT:
        task.avoid = ()
    return None


def _of_death(task: Task, failure: Failure, logs: Path) -> Exception | None:
    task.deaths += 1
    _logger.warning("%s: %s", task.label, failure.description)
    if task.deaths <= task.options.retries:
        return None
    tried = f"{failure.description}; tried {task.deaths} time(s); logs in {logs}"
    return error_of(task.label, replace(failure, description=tried))


def _of_lost_block(task: Task, failure: Failure, logs: Path) -> Exception | None:
    task.lost_blocks += 1
    _logger.warning("%s: its block of workers was lost: %s", task.label, failure.description)
    if task.lost_blocks <= _LOST_BLOCKS_LIMIT:
        return None
    return WorkerLostError(f"{task.label}: lost {task.lost_blocks} blocks of workers; logs in {logs}")


def _of_ending_block(task: Task, failure: Failure, _: Path) -> Exception | None:
    task.moves += 1
    task.misfits += failure.kind == "block too short"
    if task.misfits < _MISFITS_LIMIT:
        _logger.info("%s goes to another block: %s", task.label, failure.description)
        return None
    limit = f"its time limit is {task.options.time_limit} s"
    return TimeLimitError(
        f"{task.label}: {limit}, but {failure.description}; ask for a longer wallclock_time_limit"
    )


_JUDGES: dict[str, Callable[[Task, Failure, Path], Exception | None]] = {
    "block ends": _of_ending_block,
    "block lost": _of_lost_block,
    "block too short": _of_ending_block,
    "device": _of_device,
    "elsewhere": _of_avoided_worker,
    "lost": _of_death,
}
