"""The backend beside bare Parsl, interleaved in one run: start-up, throughput, latency, payloads, idling.

Run as ``python benchmarks/backend_speed.py [--pairs N] [--json FILE]``. "Bare" is DataFlowKernel, python_app
and HighThroughputExecutor; "default" with all of Parsl's defaults, "quiet" with initialize_logging=False.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from parsl import Config, DataFlowKernel, python_app
from parsl.executors import HighThroughputExecutor

from workflow_backends import ParslLocalBackend

N_TASKS = 2000
PAYLOAD = bytes(50_000_000)

_STARTUP = {
    "ours": """
from workflow_backends import ParslLocalBackend
with ParslLocalBackend(number_of_workers=2) as backend:
    backend.submit_task(abs, -1).result()
    print(time.perf_counter() - start)
""",
    "default": """
import parsl
from parsl.executors import HighThroughputExecutor
with parsl.load(parsl.Config(executors=[HighThroughputExecutor(max_workers_per_node=2)], run_dir=directory)):
    parsl.python_app(abs)(-1).result()
    print(time.perf_counter() - start)
""",
}


def startup(kind: str) -> float:
    """Seconds from the start of the process to its first result."""
    with tempfile.TemporaryDirectory() as directory:
        code = f"import time; start = time.perf_counter(); directory = {directory!r}\n{_STARTUP[kind]}"
        began = time.perf_counter()
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        outside = time.perf_counter() - began
        return min(float(run.stdout), outside)


@contextmanager
def ours() -> Iterator[Callable[..., Any]]:
    """Yield our submit."""
    with ParslLocalBackend(number_of_workers=2) as backend:
        yield backend.submit_task


@contextmanager
def bare() -> Iterator[Callable[..., Any]]:
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


def main() -> None:
    """Measure, interleaved, and print medians with least and most."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    results: dict[str, dict[str, list[float]]] = {}

    def note(measure: str, kind: str, value: float) -> None:
        results.setdefault(measure, {}).setdefault(kind, []).append(value)

    for _ in range(arguments.pairs):
        for kind in ("ours", "default"):
            note("process start to first result (s)", kind, startup(kind))
        for kind, make in (("ours", ours), ("bare", bare)):
            with make() as submit:
                submit(nothing).result()
                throughput(submit)
                for name, measure in MEASURES.items():
                    note(name, kind, measure(submit))
    for kind, make in (("ours", ours), ("bare", bare)):
        with make() as submit:
            submit(nothing).result()
            note("idle (% of a core)", kind, idle())
    for name, kinds in results.items():
        mine, theirs = list(kinds.values())
        ratios = [m / t for m, t in zip(mine, theirs, strict=True)]
        print(f"{name}: ours {spread(mine)}, {list(kinds)[1]} {spread(theirs)}, ratio {spread(ratios)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
