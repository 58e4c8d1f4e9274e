"""Each engine beside itself bare, interleaved in one run: start-up, throughput, latency, payloads, idling.

Run as ``python benchmarks/backend_speed.py [--pairs N] [--json FILE] [--engines NAME ...]``. Bare Parsl is
DataFlowKernel, python_app and HighThroughputExecutor with initialize_logging=False, at start-up with all of
Parsl's defaults; bare multiprocessing is ProcessPoolExecutor with spawned processes, which like ours share
nothing with the script. Bare Dask is a LocalCluster, bare Celery a worker of two processes; both Celery use a
Redis that is started here, and need redis-server.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import bare_engines
import psutil
from parsl import Config, DataFlowKernel, python_app
from parsl.executors import HighThroughputExecutor

import workflow_backends

N_TASKS = 2000
PAYLOAD = bytes(50_000_000)

_OURS = """
from workflow_backends import {kind}
with {kind}(number_of_workers=2) as backend:
    backend.submit_task(abs, -1).result()
    print(time.perf_counter() - start)
"""

_STARTUP = {
    "parsl": """
import parsl
from parsl.executors import HighThroughputExecutor
with parsl.load(parsl.Config(executors=[HighThroughputExecutor(max_workers_per_node=2)], run_dir=directory)):
    parsl.python_app(abs)(-1).result()
    print(time.perf_counter() - start)
""",
    "multiprocessing": """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
    pool.submit(abs, -1).result()
    print(time.perf_counter() - start)
""",
    **bare_engines.STARTUP,
}


def startup(script: str) -> float:
    """Seconds from the start of the process to its first result."""
    with tempfile.TemporaryDirectory() as directory:
        code = f"import time; start = time.perf_counter(); directory = {directory!r}\n{script}"
        began = time.perf_counter()
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        outside = time.perf_counter() - began
        return min(float(run.stdout), outside)


@contextmanager
def ours(kind: str) -> Iterator[Callable[..., Any]]:
    """Yield the submit of a backend of ours."""
    with getattr(workflow_backends, kind)(number_of_workers=2) as backend:
        yield backend.submit_task


@contextmanager
def bare_parsl() -> Iterator[Callable[..., Any]]:
    """Yield the submit of quiet bare Parsl."""
    with tempfile.TemporaryDirectory() as directory:
        executor = HighThroughputExecutor(max_workers_per_node=2)
        kernel = DataFlowKernel(Config(executors=[executor], run_dir=directory, initialize_logging=False))
        apps: dict[Callable[..., Any], Any] = {}

        def submit(function: Callable[..., Any], *arguments: object) -> Any:
            app = apps.setdefault(function, python_app(function, data_flow_kernel=kernel))
            return app(*arguments)

        try:
            yield submit
        finally:
            kernel.cleanup()


@contextmanager
def bare_multiprocessing() -> Iterator[Callable[..., Any]]:
    """Yield the submit of the standard library's pool."""
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        yield pool.submit


ENGINES = {
    "parsl": ("ParslLocalBackend", bare_parsl),
    "multiprocessing": ("MultiprocessingBackend", bare_multiprocessing),
    "dask": ("DaskLocalBackend", bare_engines.bare_dask),
    "celery": ("CeleryBackend", bare_engines.bare_celery),
}


def nothing() -> None:
    """Do nothing."""


def echo(data: bytes) -> bytes:
    """Return what came."""
    return data


def throughput(submit: Callable[..., Any]) -> float:
    """Tasks a second, submission to last result."""
    began = time.perf_counter()
    for future in [submit(nothing) for _ in range(N_TASKS)]:
        future.result()
    return N_TASKS / (time.perf_counter() - began)


def latency(submit: Callable[..., Any]) -> float:
    """Median round trip of one task in milliseconds."""
    times = []
    for _ in range(200):
        began = time.perf_counter()
        submit(nothing).result()
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


def payload(submit: Callable[..., Any]) -> float:
    """Seconds for 50 MB there and back, median of three."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        submit(echo, PAYLOAD).result()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def idle() -> float:
    """Percent of a core that all processes take together when there is nothing to do."""
    family = [psutil.Process(), *psutil.Process().children(recursive=True)]

    def used() -> float:
        return sum(sum(p.cpu_times()[:2]) for p in family if p.is_running())

    time.sleep(3)
    before, seconds = used(), 30.0
    time.sleep(seconds)
    return 100 * (used() - before) / seconds


MEASURES = {
    "throughput (tasks/s)": throughput,
    "round trip (ms)": latency,
    "50 MB there and back (s)": payload,
}


def spread(values: list[float]) -> str:
    """Median, with the least and the most."""
    return f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


def makers(engine: str) -> dict[str, Callable[[], Any]]:
    """Return what makes an engine's backend of ours, and the bare engine."""
    kind, bare = ENGINES[engine]
    return {"ours": partial(ours, kind), "bare": bare}


def measure(engine: str, note: Callable[[str, str, float], None]) -> None:
    """Measure an engine once, ours and bare."""
    for kind, script in (("ours", _OURS.format(kind=ENGINES[engine][0])), ("bare", _STARTUP[engine])):
        note("process start to first result (s)", kind, startup(script))
    for kind, make in makers(engine).items():
        with make() as submit:
            submit(nothing).result()
            throughput(submit)
            for name, measurement in MEASURES.items():
                note(name, kind, measurement(submit))


def main() -> None:
    """Measure, interleaved, and print medians with least and most."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--no-idle", action="store_true", help="leave out what takes a minute an engine")
    arguments = parser.parse_args()
    results: dict[str, dict[str, dict[str, list[float]]]] = {engine: {} for engine in arguments.engines}

    def note(engine: str, measured: str, kind: str, value: float) -> None:
        results[engine].setdefault(measured, {}).setdefault(kind, []).append(value)

    with bare_engines.broker() if "celery" in arguments.engines else nullcontext():
        for _ in range(arguments.pairs):
            for engine in arguments.engines:
                measure(engine, partial(note, engine))
        for engine in arguments.engines if not arguments.no_idle else ():
            for kind, make in makers(engine).items():
                with make() as submit:
                    submit(nothing).result()
                    note(engine, "idle (% of a core)", kind, idle())
    for engine, measures in results.items():
        print(f"{engine}:")
        for name, kinds in measures.items():
            mine, theirs = kinds["ours"], kinds["bare"]
            ratios = [m / t for m, t in zip(mine, theirs, strict=True)]
            print(f"  {name}: ours {spread(mine)}, bare {spread(theirs)}, ratio {spread(ratios)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
