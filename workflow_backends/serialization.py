"""Tasks, results and exceptions as bytes, so that whatever users hand over arrives or is refused clearly."""

from __future__ import annotations

import functools
import inspect
import mmap
import os
import pickle
import struct
import sys
import threading
import traceback
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle

from workflow_backends.block import time_left
from workflow_backends.errors import BlockEndingError, DeviceError, ResultError

if TYPE_CHECKING:
    from workflow_backends.futures import TaskFuture

__all__ = [
    "FAILED",
    "PLAIN_MARK",
    "SUCCEEDED",
    "TASK",
    "Failure",
    "TaskFailed",
    "call_prefix",
    "dump_call",
    "dump_exception",
    "dump_result",
    "load_call",
    "reduce_future",
    "takes_resources",
]

TASK, SUCCEEDED, FAILED = range(3)  # the kinds of message between a runner and its worker
PLAIN_MARK = b"\0"  # before the pickle of a plain value, which runs no code when it is loaded
_RESOURCES = "available_resources"
_LENGTHS = struct.Struct("!QQ")
_SMALL = 1 << 16
_PLAIN = frozenset({type(None), bool, int, float, str, bytes})
_local = threading.local()


@dataclass(frozen=True)
class Failure:
    """Why a task has no result, as it travels from the worker.

    Parameters
    ----------
    kind
        "raised", "exited", "result", "lost", "time limit", "cancelled", "device"; "elsewhere" from a worker
        that is to be avoided; "block ends" from one that takes no more, or whose task is to go on elsewhere;
        "block too short", even at its start; or "block lost".
    description
        One line for people.
    exception
        The pickled exception, if it has one that can be rebuilt.
    traceback
        The worker's traceback as text.
    log
        The end of what the task printed.
    place
        The worker whose device failed.
    """

    kind: str
    description: str
    exception: bytes | None = None
    traceback: str = ""
    log: str = ""
    place: str = ""


class TaskFailed(Exception):  # noqa: N818  # never seen by users
    """Carries a pickled Failure through an engine; one bytes argument, so that any engine rebuilds it."""


def reduce_future(future: TaskFuture[Any]) -> tuple[Any, ...]:
    """Return the placeholder of an input while a call is pickled."""
    inputs: list[TaskFuture[Any]] | None = getattr(_local, "collected", None)
    if inputs is None:
        raise TypeError(f"{future!r} cannot be pickled: await it, or pass it as an argument of a task")
    inputs.append(future)
    return _input, (len(inputs) - 1,)


def _input(index: int) -> Any:
    return _local.inputs[index]


def dump_call(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[bytes, list[TaskFuture[Any]]]:
    """Pickle a call; futures in it become placeholders and are returned in their order.

    Raises
    ------
    TypeError
        The call cannot be pickled, is not callable, or binds ``available_resources`` itself.
    """
    _refuse_bound_resources(function, args, kwargs)
    inputs: list[TaskFuture[Any]] = []
    _local.collected = inputs
    try:
        return cloudpickle.dumps((function, args, kwargs), protocol=pickle.HIGHEST_PROTOCOL), inputs
    except Exception as error:
        raise TypeError(f"the call of {function!r} cannot be pickled: {error}") from error
    finally:
        del _local.collected


def _refuse_bound_resources(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    if not callable(function):
        raise TypeError(f"function: {function!r} is not callable")
    bound = _RESOURCES in kwargs
    if not bound and takes_resources(function):
        bound = _is_given(function, args)
        partial: Any = function
        while isinstance(partial, functools.partial):
            bound = bound or _RESOURCES in partial.keywords
            partial = partial.func
    if bound:
        raise TypeError(f"{_RESOURCES}: the worker gives this argument; do not bind it")


def _is_given(function: Callable[..., Any], args: tuple[Any, ...]) -> bool:
    """Tell whether the positional arguments reach the parameter."""
    if type(function) is types.FunctionType:  # the common case, without a signature
        code = function.__code__
        return _RESOURCES in code.co_varnames[: min(len(args), code.co_argcount)]
    try:
        return _RESOURCES in inspect.signature(function, follow_wrapped=False).bind_partial(*args).arguments
    except TypeError:
        return False  # the call does not fit: it fails in the worker with Python's own message


def takes_resources(function: Callable[..., Any]) -> bool:
    """Tell whether the function itself declares a parameter ``available_resources``."""
    if type(function) is types.FunctionType:  # the common case, ten times faster than a signature
        code = function.__code__
        named = slice(code.co_posonlyargcount, code.co_argcount + code.co_kwonlyargcount)
        return _RESOURCES in code.co_varnames[named]
    try:
        parameter = inspect.signature(function, follow_wrapped=False).parameters.get(_RESOURCES)
    except (TypeError, ValueError):
        return False
    return parameter is not None and parameter.kind in (
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    )


def call_prefix(inputs: Sequence[Any]) -> bytes:
    """Return what goes before a pickled call: where to import from, and the inputs' results."""
    entries = tuple(sys.path)
    path = _search_path(entries, os.getcwd() if _has_relative(entries) else "")  # noqa: PTH109  # fast
    results = cloudpickle.dumps(list(inputs), protocol=pickle.HIGHEST_PROTOCOL) if inputs else b""
    return b"".join((_LENGTHS.pack(len(path), len(results)), path, results))


@functools.lru_cache(maxsize=4)
def _has_relative(entries: tuple[str, ...]) -> bool:
    return not all(map(os.path.isabs, entries))


@functools.lru_cache(maxsize=4)
def _search_path(entries: tuple[str, ...], place: str) -> bytes:
    return pickle.dumps(tuple(str(Path(place, entry)) for entry in entries))


@functools.lru_cache(maxsize=4)
def _add_search_path(path: bytes) -> None:
    for entry in pickle.loads(path):
        if entry not in sys.path:
            sys.path.append(entry)


def load_call(
    message: bytes | bytearray | mmap.mmap,
) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
    """Rebuild a call, prefix and all, in the worker, after making the submitter's modules importable."""
    view = memoryview(message)
    path_length, inputs_length = _LENGTHS.unpack_from(view)
    inputs_start = _LENGTHS.size + path_length
    call_start = inputs_start + inputs_length
    _add_search_path(bytes(view[_LENGTHS.size : inputs_start]))
    _local.inputs = pickle.loads(view[inputs_start:call_start]) if inputs_length else ()
    try:
        function, args, kwargs = pickle.loads(view[call_start:])
    finally:
        del _local.inputs
    return function, args, kwargs


def dump_result(value: Any) -> bytes:
    """Pickle a result, with PLAIN_MARK before it if it is a small plain value.

    Raises
    ------
    ResultError
        It cannot be pickled; the message names its type.
    """
    if type(value) in _PLAIN and sys.getsizeof(value) < _SMALL:
        return PLAIN_MARK + pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    try:
        return cloudpickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)  # type: ignore[no-any-return]
    except Exception as error:
        raise ResultError(f"the result, a {_type_name(value)}, cannot be pickled: {error}") from error


def dump_exception(error: BaseException) -> Failure:
    """Describe an exception of a task, with the exception itself where it can be rebuilt."""
    text = "".join(traceback.format_exception(error)).rstrip()
    description = f"{_type_name(error)}: {_text(error)}"
    if isinstance(error, ResultError):
        return Failure("result", str(error), traceback=text)
    if not isinstance(error, Exception) or _unfit_for_futures(error):
        return Failure("exited", description, traceback=text)
    if time_left() is not None and any(isinstance(each, BlockEndingError) for each in _causes(error)):
        return Failure("block ends", str(error))
    device = isinstance(error, DeviceError) or isinstance(error.__cause__, DeviceError)
    return Failure("device" if device else "raised", description, _pickled_exception(error), text)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _unfit_for_futures(error: BaseException) -> bool:
    # Both mean something else to whoever awaits a future: the end of an iterator, the cancelling of a task.
    import concurrent.futures  # noqa: PLC0415

    return isinstance(error, StopIteration | StopAsyncIteration | concurrent.futures.CancelledError)


def _pickled_exception(error: Exception) -> bytes | None:
    for candidate in (error, _Rebuilt(error)):
        try:
            data: bytes = cloudpickle.dumps(candidate)
            if type(pickle.loads(data)) is type(error):
                return data
        except Exception:  # noqa: BLE001  # user code in __reduce__ and __init__ may raise anything
            continue
    return None


class _Rebuilt:
    """Pickles an exception by type, args and attributes: __init__ need not accept its own args."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_exception, (type(self.error), self.error.args, self.error.__dict__)


def _rebuild_exception(kind: type[Exception], args: tuple[Any, ...], state: dict[str, Any]) -> Exception:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def _type_name(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  # a broken __str__ must not hide the failure
        return "(its message cannot be shown)"
