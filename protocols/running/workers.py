"""Who executes protocols: the workers of a backend, or one thread of this process."""

from __future__ import annotations

import concurrent.futures
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import SimpleNamespace

from protocols.model import Model
from protocols.running.execution import Task, execute_task
from protocols.running.interruption import interruptible
from workflow_backends.backend import CalculationBackend
from workflow_backends.engine import Pool
from workflow_backends.errors import InputFailedError
from workflow_backends.machine import available_cpus
from workflow_backends.resources import ComputeResources

__all__ = [
    "BackendWorkers",
    "CallersThread",
    "InProcessWorkers",
    "Upstream",
    "Workers",
    "pool_for_simulations",
]

_Future = concurrent.futures.Future[SimpleNamespace]
Upstream = Mapping[str, Model | _Future]


class Workers(ABC):
    """What a run needs of whoever executes its protocols."""

    number_for_simulations: int
    """How many simulations can run at the same time."""

    @property
    def number_of_workers(self) -> int:
        """How many tasks can run at the same time."""
        return self.number_for_simulations

    @abstractmethod
    def submit(
        self, task: Task, upstream: Upstream, *, uses_gpu: bool, done: Callable[[], object]
    ) -> _Future:
        """Execute a task once its upstream futures are done, and call `done`, in any thread, at its end."""

    @abstractmethod
    def cancel(self, future: _Future, reason: str) -> None:
        """Stop a task; its checkpoints stay."""

    @abstractmethod
    def close(self) -> None:
        """Wait until nothing runs any more in this process."""


class BackendWorkers(Workers):
    """The workers of a started backend; simulations go to its largest pool, the rest to its smallest.

    Parameters
    ----------
    backend
        With one or several pools.
    """

    def __init__(self, backend: CalculationBackend) -> None:
        self._backend = backend
        self._smallest, self._largest = min(backend.pools.values(), key=_size), pool_for_simulations(backend)
        self.number_for_simulations = self._largest.number_of_workers

    @property
    def number_of_workers(self) -> int:
        """Those of all pools."""
        return sum(pool.number_of_workers for pool in self._backend.pools.values())

    def submit(
        self, task: Task, upstream: Upstream, *, uses_gpu: bool, done: Callable[[], object]
    ) -> _Future:
        """Submit to the backend, whose engine waits for the upstream futures."""
        pool = self._largest if uses_gpu else self._smallest
        view = self._backend.options(name=task.label, resources=pool.resources)
        future = view.submit_task(execute_task, task.portable(), upstream)
        future.add_listener(lambda _: done())
        return future

    def cancel(self, future: _Future, reason: str) -> None:
        """Cancel the backend's task."""
        future.cancel(reason)  # type: ignore[call-arg]

    def close(self) -> None:
        """Do nothing: the backend is its owner's to stop."""


def pool_for_simulations(backend: CalculationBackend) -> Pool:
    """Return the largest pool of a backend, of equal ones the last."""
    return sorted(backend.pools.values(), key=_size)[-1]


def _size(pool: Pool) -> tuple[int, int]:
    return pool.resources.number_of_gpus, pool.resources.number_of_threads


class InProcessWorkers(Workers):
    """One thread of this process, which leaves this thread to Ctrl-C and to the event loop."""

    number_for_simulations = 1

    def __init__(self) -> None:
        self._thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="protocols")
        self._resources = ComputeResources(number_of_threads=available_cpus())
        self._stops: dict[_Future, threading.Event] = {}

    def submit(
        self,
        task: Task,
        upstream: Upstream,
        *,
        uses_gpu: bool,  # noqa: ARG002  # there is one place to run
        done: Callable[[], object],
    ) -> _Future:
        """Queue the task; what it depends on was queued before it and is done when its turn comes."""
        stop = threading.Event()
        future = self._thread.submit(self._execute, task, upstream, stop)
        self._stops[future] = stop
        future.add_done_callback(lambda ended: self._ended(ended, done))
        return future

    def cancel(self, future: _Future, reason: str) -> None:  # noqa: ARG002  # nobody reads it
        """Take a queued task back; a running one ends at its next step."""
        stop = self._stops.get(future)
        if not future.cancel() and stop is not None:
            stop.set()

    def close(self) -> None:
        """Stop what runs and wait for it."""
        for stop in list(self._stops.values()):
            stop.set()
        self._thread.shutdown(cancel_futures=True)

    def _ended(self, future: _Future, done: Callable[[], object]) -> None:
        self._stops.pop(future, None)
        done()

    def _execute(self, task: Task, upstream: Upstream, stop: threading.Event) -> SimpleNamespace:
        inputs = {identity: _outputs(item) for identity, item in upstream.items()}
        with interruptible(stop):
            return execute_task(task, inputs, self._resources)


class CallersThread(Workers):
    """The thread that submits: a task has ended when `submit` returns.

    Parameters
    ----------
    resources
        What tasks may use.
    """

    number_for_simulations = 1

    def __init__(self, resources: ComputeResources) -> None:
        self._resources = resources

    def submit(
        self,
        task: Task,
        upstream: Upstream,
        *,
        uses_gpu: bool,  # noqa: ARG002  # there is one place to run
        done: Callable[[], object],
    ) -> _Future:
        """Execute the task; what it depends on was submitted before it."""
        future = _Future()
        try:
            inputs = {identity: _outputs(item) for identity, item in upstream.items()}
            future.set_result(execute_task(task, inputs, self._resources))
        except Exception as error:  # noqa: BLE001  # handed to the caller, who reports it
            future.set_exception(error)
        done()
        return future

    def cancel(self, future: _Future, reason: str) -> None:
        """Do nothing: whatever was submitted has ended."""

    def close(self) -> None:
        """Do nothing: nothing runs any more."""


def _outputs(item: Model | _Future) -> Model | SimpleNamespace:
    if isinstance(item, Model):
        return item
    try:
        return item.result()
    except (Exception, concurrent.futures.CancelledError) as error:
        raise InputFailedError(f"an input failed: {type(error).__name__}: {error}") from error
