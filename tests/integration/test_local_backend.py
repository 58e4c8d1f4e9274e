"""What the conformance suite does not ask of a local backend: its checks, notebooks, Parsl's global state."""

from __future__ import annotations

import asyncio
import gc
import os
import pwd
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import parsl
import pytest
from parsl.executors import ThreadPoolExecutor as ParslThreads

from workflow_backends import CalculationBackend, ComputeResources, ParslBackend, ParslLocalBackend
from workflow_backends.errors import BackendStateError, InvalidResourcesError
from workflow_backends.machine import available_cpus

_PACKAGE = str(Path(__file__).parents[2])


def add(a: Any, b: Any) -> Any:
    return a + b


def test_a_future_of_another_backend_is_an_input(backend: ParslLocalBackend) -> None:
    with ParslLocalBackend() as other:
        future = other.submit_task(add, 1, 1)
        assert backend.submit_task(add, future, 1).result(20) == 3


def _own_parsl(runs: Path) -> ParslBackend:
    return ParslBackend(parsl.Config([ParslThreads("threads", max_threads=1)], run_dir=str(runs)))


@pytest.mark.parametrize("make", [lambda _: ParslLocalBackend(), _own_parsl])
def test_a_user_without_a_name_has_workers_too(
    make: Callable[[Path], CalculationBackend], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of whom docker run --user makes."""
    monkeypatch.setattr(pwd, "getpwuid", {}.__getitem__)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "")  # put back at the end
    with make(tmp_path) as backend:
        assert backend.submit_task(add, 1, 1).result(60) == 2


def test_a_callback_that_blocks_holds_up_no_result(backend: ParslLocalBackend) -> None:
    blocked, release = threading.Event(), threading.Event()
    backend.submit_task(add, 1, 1).add_done_callback(lambda _: (blocked.set(), release.wait(20)))
    assert blocked.wait(20)
    assert backend.submit_task(add, 1, 2).result(20) == 3
    release.set()


def test_map_that_is_abandoned_cancels_what_it_submitted(backend: ParslLocalBackend) -> None:
    results = backend.map(time.sleep, [0, 100, 100, 100], window=4)
    next(results)
    results.close()  # type: ignore[attr-defined]  # a generator
    assert backend.submit_task(add, 1, 1).result(20) == 2


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


@pytest.mark.parametrize("how", ["script", "interpreter"])
def test_scripts_need_no_main_guard(tmp_path: Path, how: str) -> None:
    (tmp_path / "helper_beside.py").write_text("def double(x):\n    return 2 * x\n")
    (tmp_path / "script.py").write_text(_SCRIPT)
    command = {"script": ["script.py"], "interpreter": ["-c", _SCRIPT]}[how]
    run = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": _PACKAGE},
    )
    assert (run.stdout, run.stderr) == ("8\nProblem negative\n", "")


@pytest.mark.parametrize("kind", ["MultiprocessingBackend", "ParslLocalBackend"])
def test_it_works_in_a_notebook(tmp_path: Path, kind: str) -> None:
    import nbclient
    import nbformat

    cells = [
        f"import sys; sys.path.insert(0, {_PACKAGE!r})",
        f"from workflow_backends import {kind}\nbackend = await {kind}().astart()",
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
            Path(file).write_text(log, encoding="utf-8")
            raise DeviceError("the GPU fell off the bus")
        return log

    with ParslLocalBackend(2) as backend:
        second = backend.submit_task(fail_on_one_worker, str(tmp_path / "first")).result(60)
    assert second != (tmp_path / "first").read_text(encoding="utf-8")
