"""Overhead of a protocol executed in this process: no-op protocols, then the finished graph again.

Best of a few rounds, in a folder of the current directory's file system (or the one given).
"""

import argparse
import tempfile
import time
from pathlib import Path

from protocols.execution import execute_in
from protocols.graph import WorkflowGraph
from protocols.protocol import Protocol
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
    times: dict[str, list[float]] = {"execute_in": [], "graph.execute": [], "finished graph again": []}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(dir=arguments.directory) as name:
            home = Path(name)

            def one_by_one(home: Path = home) -> None:
                for protocol in graph:
                    execute_in(protocol, home / "alone" / protocol.label, resources)

            def all_at_once(home: Path = home) -> None:
                graph.execute(home / "graph")

            for title, run in zip(times, (one_by_one, all_at_once, all_at_once), strict=True):
                began = time.perf_counter()
                run()
                times[title].append((time.perf_counter() - began) * 1000 / arguments.number)
    for title, values in times.items():
        best, worst = min(values), max(values)
        print(f"{title}: {sorted(values)[ROUNDS // 2]:.3f} ms a protocol ({best:.3f} to {worst:.3f})")


if __name__ == "__main__":
    main()
