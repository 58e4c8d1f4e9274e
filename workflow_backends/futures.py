"""TaskFuture: one handle on a task, for asyncio and for blocking code."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import logging
import threading
from collections.abc import Callable, Generator
from typing import Any, NamedTuple, Protocol, TypeVar

__all__ = ["FutureOwner", "TaskFuture"]

T = TypeVar("T")
_logger = logging.getLogger(__name__)


class _Callback(NamedTuple):
    function: Callable[[Any], object]
    loop: asyncio.AbstractEventLoop | None
    context: contextvars.Context


class FutureOwner(Protocol):
    """What a future needs of its backend."""

    condition: threading.Condition

    def run_callback(self, call: Callable[[], object]) -> None:
        """Run a callable in the backend's callback thread."""

    def on_cancel(self, future: TaskFuture[Any]) -> None:
        """Take note that a future was cancelled."""


class TaskFuture(concurrent.futures.Future[T]):
    """The result of a submitted task, now or later.

    It can be awaited in any running event loop, more than once and from several loops at once; given to
    ``asyncio.gather``, ``wait``, ``wait_for``, ``as_completed`` and ``shield``; and used without a loop, also
    with ``concurrent.futures.wait`` and ``as_completed``. In a thread that runs a loop it raises asyncio's
    error classes, elsewhere those of concurrent.futures.

    Backends make these; nobody else has a reason to.

    Parameters
    ----------
    name
        The task's name, as it appears in logs and errors.
    owner
        The part of the backend that answers for it.
    """

    def __init__(self, name: str, owner: FutureOwner) -> None:
        super().__init__()
        self._condition = owner.condition  # shared: a condition each would be most of a future's memory
        self.name = name
        self._owner = owner
        self._callbacks: list[_Callback] = []
        self._listeners: list[Callable[[TaskFuture[Any]], object]] = []
        self._cancel_message: str | None = None

    def __repr__(self) -> str:
        state = "cancelled" if self.cancelled() else "finished" if self.done() else "pending"
        return f"<TaskFuture {self.name!r} {state}>"

    def __reduce__(self) -> Any:
        """Stand in a task's arguments as a placeholder; anywhere else there is nothing to pickle."""
        from workflow_backends.serialization import reduce_future  # noqa: PLC0415

        return reduce_future(self)

    def cancel(self, msg: str | None = None) -> bool:
        """Take a queued task back, or stop a running one.

        Returns
        -------
        bool
            False if the task was done already.
        """
        with self._condition:
            if self.done():
                return False
            self._cancel_message = msg
            super().cancel()
            self.set_running_or_notify_cancel()
        self._owner.on_cancel(self)
        return True

    def result(self, timeout: float | None = None) -> T:
        """Return the task's result or raise its exception.

        Outside an event loop's thread it blocks, for `timeout` seconds at most; inside one it never blocks
        and raises ``asyncio.InvalidStateError`` while the task is pending.
        """
        self._wait_unless_in_loop(timeout)
        if self.cancelled():
            raise self._cancelled_error()
        return super().result(0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Return the task's exception, None if it has a result; blocks like `result`."""
        self._wait_unless_in_loop(timeout)
        if self.cancelled():
            raise self._cancelled_error()
        return super().exception(0)

    def wait(self, timeout: float | None = None) -> bool:
        """Block, also in an event loop's thread, until the task is done; return whether it is."""
        with self._condition:
            return self._condition.wait_for(self.done, timeout)

    def add_done_callback(
        self, fn: Callable[[TaskFuture[T]], object], *, context: contextvars.Context | None = None
    ) -> None:
        """Call ``fn(self)`` once the task is done.

        Registered in an event loop's thread it runs in that loop, elsewhere in the backend's callback thread.
        """
        callback = _Callback(fn, _running_loop(), context or contextvars.copy_context())
        with self._condition:
            if not self.done():
                self._callbacks.append(callback)
                return
        self._schedule(callback)

    def remove_done_callback(self, fn: Callable[[TaskFuture[T]], object]) -> int:
        """Remove every registration of `fn`; return how many there were."""
        with self._condition:
            kept = [callback for callback in self._callbacks if callback.function != fn]
            removed = len(self._callbacks) - len(kept)
            self._callbacks = kept
        return removed

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the running event loop: a task belongs to none."""
        return asyncio.get_running_loop()

    def __await__(self) -> Generator[Any, None, T]:
        """Wait in the running loop; cancelling the wait cancels the task."""
        if not self.done():
            loop = asyncio.get_running_loop()
            waiter: asyncio.Future[None] = loop.create_future()

            def wake(_: TaskFuture[Any]) -> None:
                _call_in_loop(loop, _resolve, waiter)

            self.add_listener(wake)
            try:
                yield from waiter
            except asyncio.CancelledError as error:
                self.cancel(*error.args[:1])
                raise
            finally:
                self._remove_listener(wake)
        return self.result()

    def add_listener(self, listener: Callable[[TaskFuture[Any]], object]) -> None:
        """Call `listener` at once in whatever thread ends the task; it must be quick and never raise."""
        with self._condition:
            if not self.done():
                self._listeners.append(listener)
                return
        listener(self)

    def _remove_listener(self, listener: Callable[[TaskFuture[Any]], object]) -> None:
        with self._condition:
            if listener in self._listeners:
                self._listeners.remove(listener)

    def _invoke_callbacks(self) -> None:
        """Hand every callback to where it belongs: the hook that concurrent.futures calls at the end."""
        with self._condition:
            callbacks, self._callbacks = self._callbacks, []
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener(self)
        for callback in callbacks:
            self._schedule(callback)

    def _schedule(self, callback: _Callback) -> None:
        if callback.loop is not None:
            _call_in_loop(callback.loop, callback.function, self, context=callback.context)
            return

        def run() -> None:
            try:
                callback.context.run(callback.function, self)
            except BaseException:  # SystemExit of a callback must not end the callback thread
                _logger.exception("a callback of %r raised an exception", self)

        self._owner.run_callback(run)

    def _wait_unless_in_loop(self, timeout: float | None) -> None:
        if self.done():
            return
        if _running_loop() is not None:
            raise asyncio.InvalidStateError(f"task {self.name!r} is not done: await it in an event loop")
        if not self.wait(timeout):
            raise concurrent.futures.TimeoutError(f"task {self.name!r} is not done after {timeout} s")

    def _cancelled_error(self) -> BaseException:
        arguments = () if self._cancel_message is None else (self._cancel_message,)
        if _running_loop() is not None:
            return asyncio.CancelledError(*arguments)
        return concurrent.futures.CancelledError(*arguments)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _call_in_loop(
    loop: asyncio.AbstractEventLoop,
    function: Callable[[Any], object],
    argument: object,
    context: contextvars.Context | None = None,
) -> None:
    try:
        loop.call_soon_threadsafe(function, argument, context=context)
    except RuntimeError:
        _logger.debug("an event loop closed before its task was done", exc_info=True)


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
