"""The backend contract on a real Parsl executor."""

from __future__ import annotations

import asyncio
import concurrent.futures
import functools
import gc
import itertools
import os
import pickle
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import pytest

from workflow_backends import ComputeResources, ParslLocalBackend
from workflow_backends.errors import BackendStateError, InputFailedError, InvalidResourcesError
from workflow_backends.machine import available_cpus

_PACKAGE = str(Path(__file__).parents[2])


def add(a: Any, b: Any) -> Any:
    return a + b


def fail(message: str) -> None:
    raise ValueError(message)


class Adder:
    def __init__(self, amount: int) -> None:
        self.amount = amount

    def add(self, value: int) -> int:
        return value + self.amount

    def __call__(self, value: int) -> int:
        return value + self.amount


def resources_given(value: int, *, available_resources: ComputeResources) -> tuple[int, ComputeResources]:
    return value, available_resources


def test_all_kinds_of_callables_are_taken(backend: ParslLocalBackend) -> None:
    offset = 10
    adder = Adder(offset)
    calls = [add, lambda a, b: a + b, lambda a, b: a + b - offset + adder.amount, functools.partial(add)]
    assert [backend.submit_task(call, 1, 2).result(20) for call in calls] == [3, 3, 3, 3]
    assert [backend.submit_task(call, 1).result(20) for call in (adder.add, adder)] == [11, 11]


def test_every_keyword_belongs_to_the_function(backend: ParslLocalBackend) -> None:
    given = {"name": 1, "function": 2, "stdout": "a", "inputs": [3], "walltime": 4, "self": 5, "retries": 6}
    assert backend.submit_task(lambda **kwargs: kwargs, **given).result(20) == given


def test_a_mutated_callable_is_sent_as_it_is_now(backend: ParslLocalBackend) -> None:
    adder = Adder(1)
    first = backend.submit_task(adder, 1)
    adder.amount = 2
    assert (first.result(20), backend.submit_task(adder, 1).result(20)) == (2, 3)


def test_available_resources_reach_who_declares_them(backend: ParslLocalBackend) -> None:
    assert backend.submit_task(resources_given, 1).result(20) == (1, backend.resources_per_worker)
    assert backend.submit_task(lambda **kwargs: kwargs).result(20) == {}

    @functools.wraps(resources_given)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return kwargs

    assert backend.submit_task(wrapper, 1).result(20) == {}


def test_available_resources_given_by_the_caller_are_refused(backend: ParslLocalBackend) -> None:
    mine = ComputeResources()
    bound = functools.partial(resources_given, available_resources=mine)
    for call in (
        lambda: backend.submit_task(resources_given, 1, available_resources=mine),
        lambda: backend.submit_task(bound, 1),
        lambda: backend.submit_task(lambda available_resources: 0, mine),
    ):
        with pytest.raises(TypeError, match="available_resources"):
            call()


def test_futures_among_the_arguments_become_their_results(backend: ParslLocalBackend) -> None:
    one, two = backend.submit_task(add, 0, 1), backend.submit_task(add, 1, 1)
    nested = {"a": [one, (two, {"b": one})], "c": two}
    assert backend.submit_task(lambda x, y: (x, y), nested, y=one).result(20) == (
        {"a": [1, (2, {"b": 1})], "c": 2},
        1,
    )


def test_a_long_chain_of_inputs(backend: ParslLocalBackend) -> None:
    future = backend.submit_task(add, 0, 1)
    for _ in range(50):
        future = backend.submit_task(add, future, 1)
    assert future.result(30) == 51


def test_a_failed_input_fails_the_task_and_is_named(backend: ParslLocalBackend) -> None:
    broken = backend.options(name="the broken one").submit_task(fail, "boo")
    after = backend.submit_task(add, [broken], 1)
    last = backend.submit_task(add, after, 1)
    with pytest.raises(InputFailedError, match=r"'the broken one' failed: ValueError: boo") as caught:
        after.result(20)
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(InputFailedError, match=r"'add' failed: InputFailedError"):
        last.result(20)


def test_cancelling_a_task_cancels_what_depends_on_it(backend: ParslLocalBackend) -> None:
    first = backend.options(name="first").submit_task(time.sleep, 100)
    second = backend.submit_task(add, first, 1)
    third = backend.submit_task(add, second, 1)
    first.cancel()
    with pytest.raises(concurrent.futures.CancelledError, match="'first' was cancelled"):
        second.result(20)
    with pytest.raises(concurrent.futures.CancelledError):
        third.result(20)


def test_a_future_of_another_backend_is_an_input(backend: ParslLocalBackend) -> None:
    with ParslLocalBackend() as other:
        future = other.submit_task(add, 1, 1)
        assert backend.submit_task(add, future, 1).result(20) == 3


def test_callbacks_run_in_one_thread_that_is_not_parsls(backend: ParslLocalBackend) -> None:
    names: list[str] = []
    futures = [backend.submit_task(add, 1, n) for n in range(5)]
    for future in futures:
        future.add_done_callback(lambda _: names.append(threading.current_thread().name))
    concurrent.futures.wait(futures)
    assert backend.submit_task(add, 1, 1).result(20) == 2
    deadline = time.monotonic() + 5
    while len(names) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert names == ["backend-callbacks"] * 5


def test_a_callback_that_blocks_holds_up_no_result(backend: ParslLocalBackend) -> None:
    blocked, release = threading.Event(), threading.Event()
    backend.submit_task(add, 1, 1).add_done_callback(lambda _: (blocked.set(), release.wait(20)))
    assert blocked.wait(20)
    assert backend.submit_task(add, 1, 2).result(20) == 3
    release.set()


async def test_asyncio_from_submission_to_result(backend: ParslLocalBackend) -> None:
    assert await asyncio.gather(*(backend.submit_task(add, n, 1) for n in range(20))) == list(range(1, 21))
    futures = {backend.submit_task(time.sleep, 0.01 * n) for n in range(3)}
    done, _ = await asyncio.wait(futures)
    assert done == futures
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(backend.submit_task(time.sleep, 100), 0.1)
    with pytest.raises(ValueError, match="boo"):
        await backend.submit_task(fail, "boo")


async def test_async_with_and_amap() -> None:
    async with ParslLocalBackend(number_of_workers=2) as backend:
        seen = [value async for value in backend.amap(lambda n: n * n, range(50), window=4)]
    assert seen == [n * n for n in range(50)]


def test_map_is_ordered_and_keeps_to_its_window(backend: ParslLocalBackend) -> None:
    taken: list[int] = []

    def items() -> Any:
        for n in range(30):
            taken.append(n)
            yield n

    results = backend.map(lambda n: n * n, items(), window=5)
    assert next(results) == 0
    assert len(taken) == 5
    assert list(results) == [n * n for n in range(1, 30)]


def test_map_that_is_abandoned_cancels_what_it_submitted(backend: ParslLocalBackend) -> None:
    results = backend.map(time.sleep, [0, 100, 100, 100], window=4)
    next(results)
    results.close()  # type: ignore[attr-defined]  # a generator
    assert backend.submit_task(add, 1, 1).result(20) == 2


def test_one_task_a_worker_at_a_time_and_each_worker_a_process(backend: ParslLocalBackend) -> None:
    def stay() -> tuple[int, float, float]:
        start = time.monotonic()
        time.sleep(0.3)
        return os.getpid(), start, time.monotonic()

    runs = [f.result(20) for f in [backend.submit_task(stay) for _ in range(6)]]
    by_worker: dict[int, list[tuple[float, float]]] = {}
    for pid, start, end in runs:
        by_worker.setdefault(pid, []).append((start, end))
    assert len(by_worker) == 2
    for spans in by_worker.values():
        spans.sort()
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


def test_threads_are_set_before_the_worker_starts(backend: ParslLocalBackend) -> None:
    names = ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENMM_CPU_THREADS"]
    assert backend.submit_task(lambda: [os.environ.get(n) for n in names]).result(20) == ["1", "1", "1"]


def test_pools_route_by_resources(backend: ParslLocalBackend) -> None:
    cpus = available_cpus()
    pools = {"small": (1, ComputeResources()), "large": (1, ComputeResources(number_of_threads=cpus - 1))}
    with ParslLocalBackend(pools=pools) as pooled:
        pid = pooled.submit_task(os.getpid).result(20)
        assert pooled.options(resources=ComputeResources()).submit_task(os.getpid).result(20) == pid
        with pytest.raises(InvalidResourcesError, match=r"number_of_gpus=1.*small: .*large: "):
            pooled.options(resources=ComputeResources(number_of_gpus=1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"number_of_workers": 0}, "number_of_workers: 0 is not allowed"),
        ({"number_of_workers": "two"}, "number_of_workers: 'two' is not allowed"),
        ({"resources_per_worker": 2}, "resources_per_worker: 2 is not allowed"),
        ({"pools": {}}, "pools: {} is not allowed"),
        ({"number_of_workers": 3, "pools": {"a": (1, ComputeResources())}}, "pools: give either"),
    ],
)
def test_bad_arguments_are_refused_at_once(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidResourcesError, match=message):
        ParslLocalBackend(**arguments)


def test_more_threads_than_the_machine_has_are_refused_with_both_numbers() -> None:
    cpus = available_cpus()
    with pytest.raises(InvalidResourcesError, match=rf"{cpus + 1} threads.*has {cpus} CPUs"):
        ParslLocalBackend(resources_per_worker=ComputeResources(number_of_threads=cpus + 1)).start()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"retries": -1}, "retries: -1"),
        ({"time_limit": 0}, "time_limit: 0"),
        ({"time_limit": "1 h"}, "time_limit: '1 h'"),
        ({"name": 5}, "name: 5"),
        ({"retry_exceptions": ("OSError",)}, "retry_exceptions"),
    ],
)
def test_bad_options_are_refused_at_once(
    backend: ParslLocalBackend, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidResourcesError, match=message):
        backend.options(**options)


def test_before_start_and_after_stop_tasks_are_refused() -> None:
    backend = ParslLocalBackend()
    with pytest.raises(BackendStateError, match="not started"):
        backend.submit_task(add, 1, 1)
    with backend:
        assert backend.start().submit_task(add, 1, 1).result(20) == 2
    backend.stop()
    with pytest.raises(BackendStateError, match="not started"):
        backend.submit_task(add, 1, 1)
    with backend:
        assert backend.submit_task(add, 1, 1).result(20) == 2


def test_a_callback_registered_after_the_stop_runs_all_the_same() -> None:
    calls: list[object] = []
    with ParslLocalBackend() as backend:
        future = backend.submit_task(add, 1, 1)
        assert future.result(20) == 2
    future.add_done_callback(calls.append)
    assert calls == [future]


async def test_a_start_that_is_cancelled_leaves_nothing_started() -> None:
    backend = ParslLocalBackend()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05), backend:
            pass
    for _ in range(200):
        await asyncio.sleep(0.05)
        if backend._dispatcher is None and backend._engine is None:
            break
    with pytest.raises(BackendStateError, match="not started"):
        backend.submit_task(add, 1, 1)


def test_a_backend_cannot_be_pickled(backend: ParslLocalBackend) -> None:
    with pytest.raises(TypeError, match="ParslLocalBackend"):
        pickle.dumps(backend)
    with pytest.raises(TypeError, match="cannot be pickled"):
        backend.submit_task(lambda: backend)


def test_what_cannot_be_pickled_is_refused_at_submission(backend: ParslLocalBackend) -> None:
    with pytest.raises(TypeError, match="lock"):
        backend.submit_task(add, threading.Lock(), 1)
    with pytest.raises(TypeError, match="not callable"):
        backend.submit_task(3)  # type: ignore[arg-type]


def test_no_warning_is_raised_and_nothing_leaks_into_parsls_global_state(backend: ParslLocalBackend) -> None:
    import parsl

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert backend.submit_task(add, 1, 1).result(20) == 2
        gc.collect()
    with pytest.raises(parsl.errors.NoDataFlowKernelError):
        parsl.dfk()


_SCRIPT = """
from helper_beside import double
from workflow_backends import ParslLocalBackend

class Problem(Exception):
    pass

def task(x):
    if x < 0:
        raise Problem("negative")
    return double(x)

with ParslLocalBackend() as backend:
    print(backend.submit_task(task, 4).result(30))
    try:
        backend.submit_task(task, -1).result(30)
    except Problem as problem:
        print("Problem", problem)
"""


@pytest.mark.parametrize("how", ["script", "standard input", "interpreter"])
def test_scripts_need_no_main_guard(tmp_path: Path, how: str) -> None:
    (tmp_path / "helper_beside.py").write_text("def double(x):\n    return 2 * x\n")
    (tmp_path / "script.py").write_text(_SCRIPT)
    command = {"script": ["script.py"], "standard input": ["-"], "interpreter": ["-c", _SCRIPT]}[how]
    run = subprocess.run(
        [sys.executable, *command],
        input=_SCRIPT if how == "standard input" else None,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": _PACKAGE},
    )
    assert (run.stdout, run.stderr) == ("8\nProblem negative\n", "")


def test_it_works_in_a_notebook(tmp_path: Path) -> None:
    import nbclient
    import nbformat

    cells = [
        f"import sys; sys.path.insert(0, {_PACKAGE!r})",
        "from workflow_backends import ParslLocalBackend\nbackend = await ParslLocalBackend().astart()",
        "def square(x):\n    return x * x\nawait backend.submit_task(square, 12)",
        "import asyncio\nawait asyncio.gather(*(backend.submit_task(square, n) for n in range(3)))",
        "await backend.astop()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(
        notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    ).execute()
    outputs = [cell.outputs[0]["data"]["text/plain"] for cell in notebook.cells if cell.outputs]
    assert outputs == ["144", "[0, 1, 4]"]


def test_a_device_error_moves_a_task_to_another_worker(tmp_path: Path) -> None:
    def fail_on_one_worker(file: str) -> str:
        import sys
        from pathlib import Path

        from workflow_backends.errors import DeviceError

        log = sys.argv[3]  # which is named after Parsl's worker
        if not Path(file).exists():
            Path(file).write_text(log)
            raise DeviceError("the GPU fell off the bus")
        return log

    with ParslLocalBackend(2) as backend:
        second = backend.submit_task(fail_on_one_worker, str(tmp_path / "first")).result(60)
    assert second != (tmp_path / "first").read_text()
