"""CalculationBackend: the contract that every engine keeps."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from types import MappingProxyType, TracebackType
from typing import Any, Self, TypeVar

from workflow_backends.dispatcher import Dispatcher
from workflow_backends.engine import Capability, Engine, Pool, TaskOptions, checked_pools
from workflow_backends.errors import BackendStateError, InvalidResourcesError
from workflow_backends.futures import TaskFuture
from workflow_backends.resources import ComputeResources, whole_number
from workflow_backends.serialization import dump_call

__all__ = ["BackendView", "CalculationBackend"]

T = TypeVar("T")
_STOP_S = 4.0
_DEFAULTS = TaskOptions()


class _Submitter(ABC):
    """The calls that submit work, shared by a backend and its views."""

    @abstractmethod
    def submit_task(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> TaskFuture[T]:
        """Run ``function(*args, **kwargs)`` on a worker.

        Parameters
        ----------
        function
            Any callable that cloudpickle can pickle. If it declares a parameter ``available_resources`` it
            receives the worker's ComputeResources there.
        args, kwargs
            Its arguments. A TaskFuture among them, also inside lists, tuples and dicts, is replaced by its
            result; the task waits for it.

        Returns
        -------
        TaskFuture
            At once; nothing is waited for.

        Raises
        ------
        TypeError
            The call cannot be pickled, or binds ``available_resources``.
        BackendStateError
            The backend is not started.
        """

    def map(
        self, function: Callable[[Any], T], items: Iterable[Any], *, window: int | None = None
    ) -> Iterator[T]:
        """Yield ``function(item)`` for each item, in order, with at most `window` tasks at a time."""
        waiting: deque[TaskFuture[T]] = deque()
        size = self._window(window)
        try:
            for item in items:
                waiting.append(self.submit_task(function, item))
                if len(waiting) >= size:
                    yield waiting[0].result()
                    waiting.popleft()
            while waiting:
                yield waiting[0].result()
                waiting.popleft()
        finally:
            for future in waiting:
                future.cancel("the map was abandoned")

    async def amap(
        self, function: Callable[[Any], T], items: Iterable[Any], *, window: int | None = None
    ) -> AsyncIterator[T]:
        """Yield ``function(item)`` for each item, in order, without blocking the loop."""
        waiting: deque[TaskFuture[T]] = deque()
        size = self._window(window)
        try:
            for item in items:
                waiting.append(self.submit_task(function, item))
                if len(waiting) >= size:
                    yield await waiting[0]
                    waiting.popleft()
            while waiting:
                yield await waiting[0]
                waiting.popleft()
        finally:
            for future in waiting:
                future.cancel("the map was abandoned")

    @abstractmethod
    def _default_window(self) -> int: ...

    def _window(self, window: int | None) -> int:
        return self._default_window() if window is None else whole_number("window", window, minimum=1)


class CalculationBackend(_Submitter):
    """Workers that run tasks, one task a worker at a time.

    Parameters
    ----------
    number_of_workers
        How many workers there are; one pool of them.
    resources_per_worker
        What each worker owns; one thread by default.
    pools
        Several pools instead: ``{name: (number_of_workers, resources)}``. A task goes to the pool that its
        options ask for, by default to the first.

    Raises
    ------
    InvalidResourcesError
        Numbers or resources that no backend could have.
    """

    cannot: frozenset[Capability] = frozenset()  # what its engine truly lacks; all else it can

    def __init__(
        self,
        number_of_workers: int = 1,
        resources_per_worker: ComputeResources | None = None,
        pools: Mapping[str, tuple[int, ComputeResources]] | None = None,
    ) -> None:
        if pools is not None and (number_of_workers != 1 or resources_per_worker is not None):
            raise InvalidResourcesError(
                "pools: give either pools or number_of_workers and resources_per_worker"
            )
        if pools is None:
            pools = {"workers": (number_of_workers, resources_per_worker or ComputeResources())}
        self._pools = checked_pools(pools)
        self._dispatcher: Dispatcher | None = None
        self._owner = os.getpid()
        self._changing = threading.RLock()

    @property
    def number_of_workers(self) -> int:
        """How many workers there can be, over all pools."""
        return sum(pool.number_of_workers for pool in self._pools.values())

    @property
    def resources_per_worker(self) -> ComputeResources:
        """What each worker of the first pool owns."""
        return next(iter(self._pools.values())).resources

    @property
    def pools(self) -> Mapping[str, Pool]:
        """The pools by name: how many workers each has, and what each worker owns."""
        return MappingProxyType(self._pools)

    @property
    def started(self) -> bool:
        """Whether tasks can be submitted."""
        return self._dispatcher is not None and self._owner == os.getpid()

    def check(self) -> None:
        """Raise what `start` would because of what is asked for and not to be had here; starts nothing.

        Raises
        ------
        InvalidResourcesError, PlatformUnavailableError
            As for `start`.
        """

    def start(self) -> Self:
        """Start the engine; nothing happens if it is started already.

        Raises
        ------
        InvalidResourcesError, PlatformUnavailableError
            What was asked for cannot be had here.
        EngineError
            The engine did not start.
        """
        with self._changing:
            if not self.started:
                engine = self._start_engine(self._pools)
                self._owner = os.getpid()
                self._dispatcher = Dispatcher(engine, self._pools)
                self._dispatcher.start()
                atexit.register(self.stop)
        return self

    def stop(self) -> None:
        """Cancel what is unfinished, end every process, remove temporary files; may be called twice.

        Returns within seconds whatever died before. In a forked child it does nothing.
        """
        if self._owner != os.getpid():
            return
        with self._changing:
            dispatcher, self._dispatcher = self._dispatcher, None
            if dispatcher is not None:
                try:
                    dispatcher.stop(_STOP_S)
                finally:
                    self._stop_engine(keep_files=dispatcher.kept_logs)
                    atexit.unregister(self.stop)

    async def astart(self) -> Self:
        """Start without blocking the event loop; when that is cancelled, stop again."""
        starting = asyncio.ensure_future(asyncio.to_thread(self.start))
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(lambda _: threading.Thread(target=self.stop).start())
            raise

    async def astop(self) -> None:
        """Stop without blocking the event loop."""
        await asyncio.to_thread(self.stop)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await self.astart()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.astop()

    def __reduce__(self) -> Any:
        """Refuse to be pickled: a backend owns processes."""
        raise TypeError(f"a {type(self).__name__} cannot be pickled; make one where it is needed")

    def options(
        self,
        *,
        name: str | None = None,
        resources: ComputeResources | None = None,
        time_limit: float | None = None,
        retries: int = 1,
        retry_exceptions: tuple[type[Exception], ...] = (),
    ) -> BackendView:
        """Return a view of this backend whose tasks have these options.

        Parameters
        ----------
        name
            For logs and errors; by default the function's name.
        resources
            What the task needs; it goes to the smallest pool that has it.
        time_limit
            Seconds after which a running task is ended; None for no limit. It starts only on a worker whose
            job has as much time left.
        retries
            How often a task is run again after its worker died under it, or it raised one of
            `retry_exceptions`; a block of workers that was lost does not count.
        retry_exceptions
            The task's own exceptions after which it is run again; none by default.

        Raises
        ------
        InvalidResourcesError
            A value that is not allowed, or resources that no pool has; the pools are listed.
        """
        retries = whole_number("retries", retries, minimum=0)
        options = TaskOptions(name, resources, time_limit, retries, tuple(retry_exceptions))
        if name is not None and not isinstance(name, str):
            raise InvalidResourcesError(f"name: {name!r} is not allowed; give a string")
        if not all(isinstance(kind, type) and issubclass(kind, Exception) for kind in retry_exceptions):
            raise InvalidResourcesError(
                f"retry_exceptions: {retry_exceptions!r} must be classes of exceptions"
            )
        if time_limit is not None and not (isinstance(time_limit, int | float) and time_limit > 0):
            raise InvalidResourcesError(f"time_limit: {time_limit!r} is not allowed; give seconds above 0")
        return BackendView(self, options, self._pool_for(resources, time_limit))

    def submit_task(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> TaskFuture[T]:  # noqa: D102
        return self._submit(_DEFAULTS, next(iter(self._pools)), function, args, kwargs)

    def _submit(
        self,
        options: TaskOptions,
        pool: str,
        function: Callable[..., T],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> TaskFuture[T]:
        dispatcher = self._dispatcher
        if self._owner != os.getpid():
            raise BackendStateError("this backend belongs to the parent process; start one in this process")
        if dispatcher is None:
            raise BackendStateError("the backend is not started: use it in a with block, or call start()")
        call, inputs = dump_call(function, args, kwargs)
        name = options.name or str(getattr(function, "__name__", type(function).__name__))
        return dispatcher.submit(pool, call, inputs, name, options)

    def _default_window(self) -> int:
        return 4 * self.number_of_workers + 16

    def _pool_for(self, resources: ComputeResources | None, time_limit: float | None) -> str:
        lasting = {name: pool for name, pool in self._pools.items() if pool.has_time_for(time_limit)}
        if not lasting:
            longest = max(pool.wallclock or 0.0 for pool in self._pools.values())
            raise InvalidResourcesError(
                f"time_limit: {time_limit} s is not allowed; workers have less than {longest:.0f} s, their"
                " wallclock_time_limit"
            )
        if resources is None:
            return next(iter(lasting))
        fitting = {name: pool for name, pool in lasting.items() if pool.serves(resources)}
        if not fitting:
            listed = "; ".join(f"{name}: {pool.resources}" for name, pool in self._pools.items())
            raise InvalidResourcesError(f"resources: no pool has {resources}; the pools are {listed}")
        return min(
            fitting,
            key=lambda n: (fitting[n].resources.number_of_gpus, fitting[n].resources.number_of_threads),
        )

    @abstractmethod
    def _start_engine(self, pools: Mapping[str, Pool]) -> Engine:
        """Check that the pools can be had, start the engine and return it."""

    @abstractmethod
    def _stop_engine(self, *, keep_files: bool) -> None:
        """End all that was started, within seconds; remove temporary files unless they tell of a failure."""


class BackendView(_Submitter):
    """A backend with task options fixed; made by `CalculationBackend.options`."""

    def __init__(self, backend: CalculationBackend, options: TaskOptions, pool: str) -> None:
        self._backend = backend
        self._options = options
        self._pool = pool

    def options(self, **changes: Any) -> BackendView:
        """Return a view with some options changed; see `CalculationBackend.options`."""
        return self._backend.options(**vars(self._options) | changes)

    def submit_task(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> TaskFuture[T]:  # noqa: D102
        return self._backend._submit(self._options, self._pool, function, args, kwargs)

    def _default_window(self) -> int:
        return self._backend._default_window()
