"""The queue on the submitter's side: inputs, order, retries, cancelling. It knows no engine.

One thread serves the events that everything else posts; a lock guards the records. Engines see at most a
window of tasks, so that a queued task can be taken back.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
import logging
import pickle
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workflow_backends.engine import Engine, Pool, TaskOptions
from workflow_backends.errors import (
    BackendStateError,
    EngineError,
    InputFailedError,
    ResultError,
    WorkerLostError,
)
from workflow_backends.futures import TaskFuture
from workflow_backends.retries import error_or_retry
from workflow_backends.runner import Ticket
from workflow_backends.serialization import PLAIN_MARK, Failure, TaskFailed, call_prefix
from workflow_backends.task import Task

__all__ = ["Dispatcher"]

_logger = logging.getLogger(__name__)
_ENGINE_CHECK_S = 1.0
_FEW_TASKS, _MANY_TASKS, _MANY_BYTES = 16, 256, 32_000_000


class Dispatcher:
    """Feeds an engine with tasks and their futures with results.

    Parameters
    ----------
    engine
        Runs what it is given.
    pools
        The engine's pools by name.
    """

    def __init__(self, engine: Engine, pools: dict[str, Pool]) -> None:
        self._engine = engine
        self._pools = pools
        self.condition = threading.Condition()
        self._events: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._calls: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._calls_end = threading.Event()
        self._numbers = itertools.count(1)
        self._tasks: dict[TaskFuture[Any], Task] = {}
        self._queued: dict[str, deque[Task]] = {name: deque() for name in pools}
        self._in_engine = dict.fromkeys(pools, 0)
        self._bytes_in_engine = 0
        self._resources = {name: pickle.dumps(pool.resources) for name, pool in pools.items()}
        self._broken: EngineError | None = None
        self._accepting = threading.RLock()
        self._state = threading.RLock()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, name="backend-dispatcher", daemon=True),
            threading.Thread(target=self._run_callbacks, name="backend-callbacks", daemon=True),
        ]
        self.kept_logs = False

    def start(self) -> None:
        """Start to dispatch."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> None:
        """Cancel every unfinished future and end both threads, waiting for `timeout` seconds at most."""
        with self._accepting:
            if self._closed:
                return
            self._closed = True
        self._events.put(self._cancel_all)
        self._events.put(None)
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, deadline - time.monotonic()))
        self._cancel_all()  # what a thread that hangs in a user's code has left

    def _cancel_all(self) -> None:
        for future in list(self._tasks):
            future.cancel("the backend was stopped")
        self._calls.put(self._calls_end.set)

    def run_callback(self, call: Callable[[], object]) -> None:
        """Run a future's callback in the callback thread; once that has ended, at once."""
        if self._calls_end.is_set():
            call()
        else:
            self._calls.put(call)

    def on_cancel(self, future: TaskFuture[Any]) -> None:
        """Take note that a future was cancelled."""
        self._events.put(lambda: self._cancelled(future))

    def submit(
        self, pool: str, call: bytes, inputs: list[TaskFuture[Any]], name: str, options: TaskOptions
    ) -> TaskFuture[Any]:
        """Queue a pickled call; return its future at once."""
        future: TaskFuture[Any] = TaskFuture(name, self)
        task = Task(next(self._numbers), future, pool, call, inputs, options)
        with self._accepting:
            if self._closed:
                raise BackendStateError("the backend was stopped: start it again")
            if not self._accept_at_once(task):
                self._events.put(lambda: self._accept(task))
        return future

    def _accept_at_once(self, task: Task) -> bool:
        """Send a task from the submitter's own thread, without waiting, when nothing stands before it."""
        if not self._state.acquire(blocking=False):
            return False
        try:
            free = self._events.empty() and not self._queued[task.pool] and self._has_room(task.pool)
            if free:
                self._accept(task)
            return free
        finally:
            self._state.release()

    # What follows runs under the lock `_state`, but for the few lines that post events.

    def _run(self) -> None:
        checked = time.monotonic()
        while True:
            event: Callable[[], None] | None = self._check_engine
            if time.monotonic() - checked < _ENGINE_CHECK_S:
                with contextlib.suppress(queue.Empty):
                    event = self._events.get(timeout=_ENGINE_CHECK_S)
            else:
                checked = time.monotonic()
            if event is None:
                return
            with self._state:
                try:
                    event()
                except BaseException:  # the thread must go on whatever a user's pickle raises
                    _logger.exception("the dispatcher met an unexpected error")

    def _run_callbacks(self) -> None:
        while not self._calls_end.is_set():
            self._calls.get()()
        with contextlib.suppress(queue.Empty):
            while True:
                self._calls.get_nowait()()

    def _accept(self, task: Task) -> None:
        if task.future.done():
            return
        if self._broken is not None:
            self._fail(task, self._broken)
            return
        self._tasks[task.future] = task
        pending = list(dict.fromkeys(task.inputs))
        task.waiting_for = len(pending)
        for future in pending:
            future.add_listener(lambda _: self._events.put(lambda: self._input_done(task)))
        if not pending:
            self._enqueue(task)

    def _input_done(self, task: Task) -> None:
        task.waiting_for -= 1
        if task.future.done():
            return
        for future in task.inputs:
            if future.done() and future.cancelled():
                task.future.cancel(f"its input {future.name!r} was cancelled")
                return
            if future.done() and (error := future.exception()) is not None:
                message = f"{task.label}: its input {future.name!r} failed: {type(error).__name__}: {error}"
                self._fail(task, InputFailedError(message), cause=error)
                return
        if task.waiting_for == 0:
            self._enqueue(task)

    def _enqueue(self, task: Task, *, first: bool = False) -> None:
        waiting = self._queued[task.pool]
        (waiting.appendleft if first else waiting.append)(task)
        self._pump(task.pool)

    def _pump(self, pool: str) -> None:
        waiting = self._queued[pool]
        while waiting and self._has_room(pool):
            task = waiting.popleft()
            if not task.future.done():
                self._send(task)

    def _has_room(self, pool: str) -> bool:
        """Tell whether the engine may hold one more task: many small ones, a few large ones."""
        tasks = self._in_engine[pool]
        few = max(_FEW_TASKS, 2 * self._pools[pool].number_of_workers)
        return tasks < few or (tasks < _MANY_TASKS and self._bytes_in_engine < _MANY_BYTES)

    def _send(self, task: Task) -> None:
        directory = str(self._engine.directory)
        ticket = Ticket(
            task.attempt, directory, task.options.time_limit, self._resources[task.pool], task.avoid
        )
        try:
            prefix = call_prefix([future.result() for future in task.inputs])
            in_engine = self._engine.submit(task.pool, prefix, task.call, ticket)
        except BaseException as error:  # noqa: BLE001  # whatever it is, the future must not hang
            self._fail(task, EngineError(f"{task.label} could not be given to the engine: {error}"), error)
            return
        task.ticket = ticket
        task.size = len(prefix) + len(task.call)
        self._in_engine[task.pool] += 1
        self._bytes_in_engine += task.size
        in_engine.add_done_callback(lambda done: self._post_answer(task, ticket, done))

    def _post_answer(self, task: Task, ticket: Ticket, done: concurrent.futures.Future[bytes]) -> None:
        # In the engine's own thread, where nothing of the user's may run: a plain value can be set at once.
        if done.exception() is None and (data := done.result()).startswith(PLAIN_MARK):
            self._succeed(task, data)
        self._events.put(lambda: self._came_back(task, ticket, done))

    def _came_back(self, task: Task, ticket: Ticket, done: concurrent.futures.Future[bytes]) -> None:
        self._in_engine[task.pool] -= 1
        self._bytes_in_engine -= task.size
        task.ticket = None
        with contextlib.suppress(OSError):
            if task.future.cancelled():
                Path(ticket.cancel_mark).unlink(missing_ok=True)
        try:
            if not task.future.done():
                self._conclude(task, done)
        except BaseException as error:  # noqa: BLE001  # whatever it is, the future must not hang
            self._fail(task, EngineError(f"{task.label}: {type(error).__name__}: {error}"), error)
        if task.future.done():
            self._tasks.pop(task.future, None)
        self._pump(task.pool)

    def _conclude(self, task: Task, done: concurrent.futures.Future[bytes]) -> None:
        error = done.exception()
        if error is None:
            self._succeed(task, done.result())
        elif isinstance(error, TaskFailed):
            self._failed_in_worker(task, pickle.loads(error.args[0]))
        elif self._engine.is_lost_block(error):
            self._failed_in_worker(task, Failure("block lost", str(error)), error)
        else:
            self.kept_logs = True
            message = f"{task.label}: the engine failed: {error}; logs in {self._engine.directory}"
            self._fail(task, EngineError(message), cause=error)

    def _succeed(self, task: Task, data: bytes) -> None:
        try:
            value = pickle.loads(memoryview(data)[len(PLAIN_MARK) :] if data.startswith(PLAIN_MARK) else data)
        except BaseException as error:  # noqa: BLE001  # user code rebuilds the result
            message = f"{task.label}: the result cannot be rebuilt here: {type(error).__name__}: {error}"
            self._fail(task, ResultError(message), cause=error)
            return
        self._settle(task, lambda: task.future.set_result(value))

    def _failed_in_worker(self, task: Task, failure: Failure, cause: BaseException | None = None) -> None:
        if failure.kind == "cancelled":
            task.future.cancel(failure.description)
            return
        others = self._pools[task.pool].number_of_workers > 1
        error = error_or_retry(task, failure, others=others, logs=self._engine.directory)
        if error is None:
            self._enqueue(task, first=failure.kind != "elsewhere")
            return
        self.kept_logs |= isinstance(error, WorkerLostError)
        self._fail(task, error, cause)

    def _fail(self, task: Task, error: Exception, cause: BaseException | None = None) -> None:
        error.__cause__ = cause if cause is not None else error.__cause__
        self._settle(task, lambda: task.future.set_exception(error))

    def _settle(self, task: Task, conclude: Callable[[], None]) -> None:
        self._tasks.pop(task.future, None)
        with contextlib.suppress(concurrent.futures.InvalidStateError):  # cancelled a moment ago
            conclude()

    def _cancelled(self, future: TaskFuture[Any]) -> None:
        task = self._tasks.pop(future, None)
        if task is not None and task.ticket is not None:
            with contextlib.suppress(OSError):  # the directory is gone, and its workers with it
                Path(task.ticket.cancel_mark).touch()

    def _check_engine(self) -> None:
        reason = None if self._broken is not None else self._engine.failure()
        if reason is None:
            return
        self.kept_logs = True
        self._broken = EngineError(
            f"{reason}; logs in {self._engine.directory}; stop the backend and start it again"
        )
        for task in list(self._tasks.values()):
            self._fail(task, EngineError(str(self._broken)))
