"""What an engine's own worker calls for each task, in a thread that it keeps; see runner.py."""

from __future__ import annotations

import itertools
import threading
from typing import Any

from workflow_backends.machine import RUN_VARIABLE
from workflow_backends.runner import Ticket, run_task, settle
from workflow_backends.serialization import TaskFailed

__all__ = ["run_here", "take_result"]

_local = threading.local()
_ranks = itertools.count()


def run_here(call: bytes, prefix: bytes, ticket: tuple[Any, ...], mark: str) -> tuple[bool, bytes]:
    """Run one task in the worker process of the calling thread.

    Parameters
    ----------
    call, prefix, ticket
        As for `runner.run_task`.
    mark
        The run's, from `machine.run_mark`, by which all processes of the task are found.

    Returns
    -------
    tuple
        Whether it succeeded, and the pickle of its result or of its Failure: an engine that sees no exception
        neither logs nor retries it.
    """
    if not hasattr(_local, "rank"):
        _local.rank = next(_ranks)
    if getattr(_local, "mark", None) != mark:
        _local.mark = mark
        settle(_local.rank, {RUN_VARIABLE: mark})
    try:
        return True, run_task(call, prefix, Ticket(*ticket))
    except TaskFailed as failed:
        return False, failed.args[0]


def take_result(outcome: tuple[bool, bytes]) -> bytes:
    """Return the result of what `run_here` returned, or raise TaskFailed."""
    succeeded, data = outcome
    if not succeeded:
        raise TaskFailed(data)
    return data
