"""The contract: calls, resources, futures, inputs, options."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import itertools
import os
import pickle
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from workflow_backends.backend import CalculationBackend
from workflow_backends.errors import InputFailedError, InvalidResourcesError
from workflow_backends.resources import ComputeResources
from workflow_backends.testing.base import PATIENCE_S, SuiteBase, wait_until

__all__ = ["ContractTests"]

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENMM_CPU_THREADS")


class _Adder:
    def __init__(self, amount: int) -> None:
        self.amount = amount

    def add(self, value: int) -> int:
        return value + self.amount

    def __call__(self, value: int) -> int:
        return value + self.amount


def _fail(message: str) -> None:
    raise ValueError(message)


class ContractTests(SuiteBase):
    """Tests on one backend that each leaves as it found it."""

    def test_all_kinds_of_callables_are_taken(self, backend: CalculationBackend) -> None:
        def add(a: int, b: int) -> int:
            return a + b

        adder = _Adder(10)
        calls: list[Any] = [add, lambda a, b: add(a, b) + adder.amount - 10, functools.partial(add)]
        assert [backend.submit_task(call, 1, 2).result(PATIENCE_S) for call in calls] == [3, 3, 3]
        assert [backend.submit_task(c, 1).result(PATIENCE_S) for c in (adder.add, adder)] == [11, 11]

    def test_every_keyword_belongs_to_the_function(self, backend: CalculationBackend) -> None:
        given = {
            **{
                "name": 1,
                "function": 2,
                "stdout": "a",
                "inputs": [3],
                "walltime": 4,
                "self": 5,
                "retries": 6,
            },
            **{
                "key": 7,
                "workers": 8,
                "pure": 9,
                "queue": 10,
                "task_id": 11,
                "resources": 12,
                "countdown": 13,
            },
        }
        assert backend.submit_task(lambda **kwargs: kwargs, **given).result(PATIENCE_S) == given

    def test_a_call_is_sent_as_it_is_when_it_is_submitted(self, backend: CalculationBackend) -> None:
        adder = _Adder(1)
        first = backend.submit_task(adder, 1)
        adder.amount = 2
        assert (first.result(PATIENCE_S), backend.submit_task(adder, 1).result(PATIENCE_S)) == (2, 3)

    def test_equal_calls_are_each_run(self, backend: CalculationBackend) -> None:
        numbers = {f.result(PATIENCE_S) for f in [backend.submit_task(os.urandom, 8) for _ in range(5)]}
        assert len(numbers) == 5

    def test_available_resources_reach_who_declares_them(self, backend: CalculationBackend) -> None:
        def given(value: int, *, available_resources: ComputeResources) -> tuple[int, ComputeResources]:
            return value, available_resources

        @functools.wraps(given)
        def wrapper(*_: Any, **kwargs: Any) -> Any:
            return kwargs

        assert backend.submit_task(given, 1).result(PATIENCE_S) == (1, backend.resources_per_worker)
        assert backend.submit_task(lambda **kwargs: kwargs).result(PATIENCE_S) == {}
        assert backend.submit_task(wrapper, 1).result(PATIENCE_S) == {}
        with pytest.raises(TypeError, match="available_resources"):
            backend.submit_task(given, 1, available_resources=ComputeResources())
        with pytest.raises(TypeError, match="available_resources"):
            backend.submit_task(functools.partial(given, available_resources=ComputeResources()), 1)
        with pytest.raises(TypeError, match="available_resources"):
            backend.submit_task(lambda available_resources: available_resources, ComputeResources())

    def test_libraries_keep_to_the_workers_threads(self, backend: CalculationBackend) -> None:
        limits = backend.submit_task(lambda: [os.environ.get(n) for n in _THREAD_VARIABLES])
        threads = str(backend.resources_per_worker.number_of_threads)
        assert limits.result(PATIENCE_S) == [threads] * len(_THREAD_VARIABLES)

    def test_each_worker_is_a_process_with_one_task_at_a_time(self, backend: CalculationBackend) -> None:
        def stay() -> tuple[int, float, float]:
            start = time.monotonic()
            time.sleep(0.3)
            return os.getpid(), start, time.monotonic()

        runs: list[Any] = []
        for _ in range(20):  # until both workers are there, which a cluster's queue decides
            runs = [f.result(PATIENCE_S) for f in [backend.submit_task(stay) for _ in range(4)]]
            if len({pid for pid, _, _ in runs}) > 1:
                break
        assert len({pid for pid, _, _ in runs}) == 2
        assert os.getpid() not in {pid for pid, _, _ in runs}
        for worker in {pid for pid, _, _ in runs}:
            spans = sorted((start, end) for pid, start, end in runs if pid == worker)
            assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))

    def test_what_cannot_be_sent_is_refused_at_once(self, backend: CalculationBackend) -> None:
        with pytest.raises(TypeError, match="lock"):
            backend.submit_task(abs, threading.Lock())
        with pytest.raises(TypeError, match="not callable"):
            backend.submit_task(3)  # type: ignore[arg-type]  # which is what is refused
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(backend)
        with pytest.raises(TypeError, match="cannot be pickled"):
            backend.submit_task(lambda: backend)

    def test_futures_among_the_arguments_become_their_results(self, backend: CalculationBackend) -> None:
        one, two = backend.submit_task(abs, -1), backend.submit_task(abs, -2)
        nested = {"a": [one, (two, {"b": one})], "c": two}
        together = backend.submit_task(lambda x, y: (x, y), nested, y=one)
        assert together.result(PATIENCE_S) == ({"a": [1, (2, {"b": 1})], "c": 2}, 1)

    def test_a_long_chain_of_inputs(self, backend: CalculationBackend) -> None:
        future = backend.submit_task(abs, 0)
        for _ in range(30):
            future = backend.submit_task(lambda value: value + 1, future)
        assert future.result(PATIENCE_S) == 30

    def test_a_failed_input_fails_the_task_and_is_named(self, backend: CalculationBackend) -> None:
        broken = backend.options(name="the broken one").submit_task(_fail, "boo")
        after = backend.options(name="after").submit_task(lambda values: values, [broken])
        last = backend.submit_task(abs, after)
        with pytest.raises(InputFailedError, match=r"'the broken one' failed: ValueError: boo") as caught:
            after.result(PATIENCE_S)
        assert isinstance(caught.value.__cause__, ValueError)
        with pytest.raises(InputFailedError, match=r"'after' failed: InputFailedError"):
            last.result(PATIENCE_S)

    def test_a_cancelled_input_cancels_the_task(self, backend: CalculationBackend) -> None:
        first = backend.options(name="first").submit_task(time.sleep, 100)
        second = backend.submit_task(abs, first)
        first.cancel()
        with pytest.raises(concurrent.futures.CancelledError, match="'first' was cancelled"):
            second.result(PATIENCE_S)

    def test_blocking_code_waits_for_futures(self, backend: CalculationBackend) -> None:
        futures = [backend.submit_task(abs, -n) for n in range(5)]
        assert concurrent.futures.wait(futures, PATIENCE_S).not_done == set()
        done = concurrent.futures.as_completed(futures, PATIENCE_S)
        assert {future.result() for future in done} == set(range(5))
        slow = backend.submit_task(time.sleep, 100)
        with pytest.raises(TimeoutError, match="'sleep' is not done"):
            slow.result(0.1)
        slow.cancel()

    def test_callbacks_run_in_one_thread_of_the_backends(self, backend: CalculationBackend) -> None:
        names: list[str] = []
        for future in [backend.submit_task(abs, n) for n in range(5)]:
            future.add_done_callback(lambda _: names.append(threading.current_thread().name))
        assert wait_until(lambda: len(names) == 5)
        assert set(names) == {"backend-callbacks"}

    def test_asyncio_waits_for_futures(self, backend: CalculationBackend) -> None:
        async def script() -> None:
            many = asyncio.gather(*(backend.submit_task(abs, -n) for n in range(20)))
            assert await many == list(range(20))
            futures: Any = {backend.submit_task(abs, -n) for n in range(3)}
            assert (await asyncio.wait(futures))[0] == futures
            slow = backend.submit_task(time.sleep, 100)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(slow, 0.1)
            assert slow.cancelled()
            with pytest.raises(ValueError, match="boo"):
                await backend.submit_task(_fail, "boo")
            squares = [value async for value in backend.amap(lambda n: n * n, range(10), window=4)]
            assert squares == [n * n for n in range(10)]

        asyncio.run(script())

    def test_map_is_ordered_and_keeps_to_its_window(self, backend: CalculationBackend) -> None:
        taken: list[int] = []

        def items() -> Iterator[int]:
            for n in range(20):
                taken.append(n)
                yield n

        results = backend.map(lambda n: n * n, items(), window=5)
        assert next(results) == 0
        assert len(taken) == 5
        assert list(results) == [n * n for n in range(1, 20)]

    def test_tasks_from_several_threads(self, backend: CalculationBackend) -> None:
        def script(first: int) -> list[int]:
            futures = [backend.submit_task(abs, -n) for n in range(first, first + 50)]
            return [future.result(PATIENCE_S) for future in futures]

        with concurrent.futures.ThreadPoolExecutor(4) as threads:
            results = list(threads.map(script, range(0, 200, 50)))
        assert list(itertools.chain(*results)) == list(range(200))

    def test_a_big_payload_goes_there_and_back(self, backend: CalculationBackend) -> None:
        data = os.urandom(1 << 20) * 30
        assert backend.submit_task(lambda blob: blob + b"!", data).result(PATIENCE_S) == data + b"!"

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"retries": -1}, "retries: -1"),
            ({"time_limit": 0}, "time_limit: 0"),
            ({"time_limit": "1 h"}, "time_limit: '1 h'"),
            ({"name": 5}, "name: 5"),
            ({"retry_exceptions": ("OSError",)}, "retry_exceptions"),
            ({"resources": ComputeResources(10**6)}, "no pool has .*; the pools are"),
        ],
    )
    def test_options_that_cannot_be_are_refused(
        self, backend: CalculationBackend, options: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(InvalidResourcesError, match=message):
            backend.options(**options)
