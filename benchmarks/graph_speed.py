"""What a graph costs beside its work: building, hashing, running on a backend, running again.

Run as ``python benchmarks/graph_speed.py [--rounds N] [--json FILE]``.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from protocols import (
    Density,
    OpenMMForceField,
    Protocol,
    SimulationSettings,
    Substance,
    ThermodynamicState,
    WorkflowGraph,
)
from protocols.running.run import GraphRun
from protocols.running.workers import BackendWorkers
from workflow_backends import ParslLocalBackend

N_PROTOCOLS = 10_000


class Nothing(Protocol):
    """Does nothing, after another one that does nothing."""

    number: int
    after: int = 0

    class Outputs(Protocol.Outputs):
        """Nothing worth the name."""

        number: int

    def execute(self, directory: Path, available_resources: Any) -> Outputs:  # noqa: ARG002
        """Do nothing."""
        return self.Outputs(number=self.number)


def nothing() -> None:
    """Do nothing, as a bare task."""


def no_op_graph(number: int) -> list[Protocol]:
    """Return chains of ten protocols each."""
    protocols: list[Protocol] = []
    for index in range(number):
        before = {"after": protocols[-1].output.number} if index % 10 else {}
        protocols.append(Nothing(number=index, **before))
    return protocols


def seconds(work: Callable[[], object]) -> float:
    """Return the wall-clock time of a call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def densities(number: int) -> WorkflowGraph:
    """Build the graph of so many density properties at different temperatures."""
    water, force_field, settings = Substance.pure("O"), OpenMMForceField("tip3p.xml"), SimulationSettings()
    return WorkflowGraph(
        Density(water, ThermodynamicState(temperature=f"{280 + index / 20} K", pressure="1 atm"))
        .workflow(force_field, settings)
        .result
        for index in range(number)
    )


def build_1332() -> None:
    """Print the time and memory of building 1 332 density properties, in a process of its own."""
    densities(1)  # imports, and the check that the force field covers water
    built = seconds(lambda: densities(1332))
    print(json.dumps([built, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


def build_10000() -> None:
    """Print the time and memory of building, hashing and merging 10 000 protocols."""
    built = seconds(lambda: WorkflowGraph(no_op_graph(N_PROTOCOLS)))
    print(json.dumps([built, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


def in_fresh_process(name: str) -> list[float]:
    """Run one of the functions above in a process of its own."""
    command = [sys.executable, __file__, "--only", name]
    return list(json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def bare_tasks(backend: ParslLocalBackend) -> float:
    """Milliseconds a bare task, all submitted at once."""

    def work() -> None:
        for future in [backend.submit_task(nothing) for _ in range(N_PROTOCOLS)]:
            future.result()

    return 1000 * seconds(work) / N_PROTOCOLS


def graph_tasks(backend: ParslLocalBackend, directory: Path) -> float:
    """Milliseconds a protocol of a graph that is ready built."""
    protocols = no_op_graph(N_PROTOCOLS)
    run = GraphRun(directory, BackendWorkers(backend))

    def work() -> None:
        run.need(protocols, "benchmark")
        ended = 0
        while ended < len(protocols):
            ended += len(list(run.wait()))

    took = seconds(work)
    wrong = [p for p in protocols if getattr(run.outcome(p), "number", None) != p.number]  # type: ignore[attr-defined]
    if wrong:
        raise RuntimeError(f"{len(wrong)} protocols failed: {run.outcome(wrong[0])}")
    return 1000 * took / N_PROTOCOLS


def rerun(number: int, directory: Path) -> float:
    """Seconds to run a finished graph of so many protocols again."""
    WorkflowGraph(no_op_graph(number)).execute(directory)
    return seconds(lambda: WorkflowGraph(no_op_graph(number)).execute(directory))


def spread(values: list[float]) -> str:
    """Median, with the least and the most."""
    return f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


def main() -> None:
    """Measure and print medians with least and most."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", choices=["build_1332", "build_10000"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        globals()[arguments.only]()
        return
    # All rounds are deleted at the end: ext4 makes files slowly for some time after it has deleted many.
    with tempfile.TemporaryDirectory() as directory:
        results = measure(arguments.rounds, Path(directory))
    for name, values in results.items():
        print(f"{name}: {spread(values)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1))


def measure(rounds: int, directory: Path) -> dict[str, list[float]]:
    """Return what was measured in each round, by name."""
    results: dict[str, list[float]] = {}
    for number in range(rounds):
        for name in ("build_1332", "build_10000"):
            took, memory = in_fresh_process(name)
            results.setdefault(f"{name}, s", []).append(took)
            results.setdefault(f"{name}, MiB", []).append(memory)
        again = rerun(1000, directory / f"again-{number}")
        results.setdefault("1 000 finished protocols again, s", []).append(again)
        with ParslLocalBackend(number_of_workers=2) as backend:
            backend.submit_task(nothing).result()
            before = bare_tasks(backend)
            graph = graph_tasks(backend, directory / f"graph-{number}")
            after = bare_tasks(backend)
        bare = (before + after) / 2
        results.setdefault("bare task, ms", []).append(bare)
        results.setdefault("protocol, ms", []).append(graph)
        results.setdefault("a protocol more than a bare task, ms", []).append(graph - bare)
    return results


if __name__ == "__main__":
    main()
