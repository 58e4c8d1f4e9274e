"""Overhead of a protocol executed in this process: no-op protocols, then the finished graph again.

Median, least and most of a few rounds, in a folder in the current directory (or the one given).
"""

import argparse
import tempfile
import time
from pathlib import Path

from protocols.graph import WorkflowGraph
from protocols.graphs.protocol import Protocol
from protocols.running.execution import execute_in
from workflow_backends.resources import ComputeResources

ROUNDS = 5


class Noop(Protocol):
    """Does nothing."""

    value: int

    class Outputs(Protocol.Outputs):
        """What it was given."""

        value: int

    def execute(self, directory, available_resources):  # noqa: ARG002
        """Return the input."""
        return self.Outputs(value=self.value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=1000)
    parser.add_argument("--directory", type=Path, default=Path())
    arguments = parser.parse_args()
    graph = WorkflowGraph(Noop(value=n) for n in range(arguments.number))
    resources = ComputeResources()
    times: dict[str, list[tuple[float, float]]] = {
        "execute_in": [],
        "graph.execute": [],
        "finished graph again": [],
    }
    # All rounds are deleted at the end: ext4 makes files slowly for some time after it has deleted many.
    with tempfile.TemporaryDirectory(dir=arguments.directory) as name:
        for number in range(ROUNDS):
            home = Path(name) / str(number)

            def one_by_one(home: Path = home) -> None:
                for protocol in graph:
                    execute_in(protocol, home / "alone" / protocol.label, resources)

            def all_at_once(home: Path = home) -> None:
                graph.execute(home / "graph")

            for title, run in zip(times, (one_by_one, all_at_once, all_at_once), strict=True):
                began = time.perf_counter(), time.process_time()
                run()
                ended = time.perf_counter(), time.process_time()
                wall, cpu = (1000 * (end - start) for start, end in zip(began, ended, strict=True))
                times[title].append((wall / arguments.number, cpu / arguments.number))
    for title, values in times.items():
        walls, cpus = (sorted(column) for column in zip(*values, strict=True))
        middle = ROUNDS // 2
        print(f"{title}: {walls[middle]:.3f} ms a protocol ({walls[0]:.3f} to {walls[-1]:.3f}),", end=" ")
        print(f"{cpus[middle]:.3f} ms of CPU time")


if __name__ == "__main__":
    main()
