"""From what a worker reports of a failure to the exception that its user sees."""

from __future__ import annotations

import contextlib
import pickle

from workflow_backends.errors import (
    RemoteError,
    ResultError,
    TaskError,
    TaskExitedError,
    TimeLimitError,
    WorkerLostError,
)
from workflow_backends.serialization import Failure

__all__ = ["error_of"]

_KINDS: dict[str, type[TaskError]] = {
    "device": RemoteError,
    "exited": TaskExitedError,
    "lost": WorkerLostError,
    "raised": RemoteError,
    "result": ResultError,
    "time limit": TimeLimitError,
}


def error_of(label: str, failure: Failure) -> Exception:
    """Return the task's own exception where it can be rebuilt, else one of ours that describes it.

    Parameters
    ----------
    label
        How the task is called in messages.
    failure
        What the worker reported; its traceback and the end of its output become notes.
    """
    error = _bare_error(label, failure)
    with contextlib.suppress(Exception):  # a class may refuse attributes
        if failure.traceback:
            error.add_note(f"\nTraceback in the worker of {label}:\n{failure.traceback}")
        if failure.log:
            error.add_note(f"\nThe end of what {label} printed:\n{failure.log}")
    return error


def _bare_error(label: str, failure: Failure) -> Exception:
    if failure.exception is None:
        return _KINDS[failure.kind](f"{label}: {failure.description}")
    try:
        rebuilt: Exception = pickle.loads(failure.exception)
    except BaseException as error:  # noqa: BLE001  # user code rebuilds the exception
        return RemoteError(f"{label}: {failure.description} (which cannot be rebuilt here: {error})")
    return rebuilt
