"""The runs that fault tests kill, and a server that forks a process for each.

Run as ``python runs.py``, it reads requests from its standard input, one JSON object a line, and answers each
with a line: how the forked child ended, which operations it did, what it logged. The server has imported all
that a run needs, so that a fork starts at once; it opens no OpenMM Context and starts no thread, because
neither survives a fork.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from injection import Injector

from protocols.dynamics.simulation import OpenMMSimulation
from protocols.graph import WorkflowGraph
from protocols.graphs.protocol import Protocol
from protocols.running import execution, locking
from protocols.running.execution import execute_in
from protocols.settings import DynamicsSettings
from protocols.state import ThermodynamicState
from workflow_backends.resources import ComputeResources

REFERENCE = ComputeResources(platform="Reference")
HEARTBEAT_S, STALE_AFTER_S = 0.03, 0.3  # a damaged lock looks silent, or like one of another machine
LOG = "executions.log"  # beside the run's directory


def _note(directory: Path) -> None:
    with (directory.parents[1] / LOG).open("a") as file:
        file.write(f"{directory.name}\n")


class Number(Protocol):
    value: float

    class Outputs(Protocol.Outputs):
        value: float

    def execute(self, directory, available_resources):
        _note(directory)
        return self.Outputs(value=self.value**2)


class Table(Protocol):
    durable = True
    value: float

    class Outputs(Protocol.Outputs):
        file: Path
        log_files: tuple[Path, ...]

    def execute(self, directory, available_resources):
        _note(directory)
        (directory / "log.txt").write_text("made\n")
        (directory / "table.csv").write_text("".join(f"{n},{n * self.value!r}\n" for n in range(300)))
        return self.Outputs(file=directory / "table.csv", log_files=(directory / "log.txt",))


class Sum(Protocol):
    files: tuple[Path, ...]
    offset: float

    class Outputs(Protocol.Outputs):
        total: float

    def execute(self, directory, available_resources):
        _note(directory)
        rows = [
            row.split(",") for file in self.files for row in file.read_text(encoding="utf-8").splitlines()
        ]
        return self.Outputs(total=self.offset + sum(float(row[1]) for row in rows))


def cheap_graph() -> WorkflowGraph:
    """Eight protocols: numbers become tables, tables a sum, the sum another."""
    numbers = [Number(value=value) for value in (1.5, 2.5, 3.5)]
    tables = [Table(value=number.output.value) for number in numbers]
    total = Sum(files=[table.output.file for table in tables], offset=1)
    return WorkflowGraph([Sum(files=[tables[0].output.file], offset=total.output.total)])


def simulation(inputs: Path, pressure: str | None, trajectory: str | None = None) -> OpenMMSimulation:
    """Six segments of two frames, with three frames of a trajectory in every four segments."""
    return OpenMMSimulation(
        system_file=inputs / "system.xml",
        state_file=inputs / "state.xml",
        state=ThermodynamicState(temperature="120 K", pressure=pressure),
        simulated_time="240 fs",
        dynamics=DynamicsSettings(
            timestep="5 fs",
            output_interval="20 fs",
            segment_time="40 fs",
            barostat_interval=2,
            trajectory=trajectory,
            trajectory_interval="60 fs",
        ),
        topology_file=inputs / "topology.pdb" if trajectory else None,
        seed=9,
    )


def run(kind: str, inputs: Path, directory: Path) -> None:
    if kind in {"graph", "everything"}:
        for outcome in cheap_graph().execute(directory).values():
            if isinstance(outcome, Exception):
                raise outcome
    for pressure in {"NVT": [None], "NPT": ["10 bar"], "everything": [None, "10 bar"]}.get(kind, []):
        protocol = simulation(inputs, pressure)
        execute_in(protocol, directory / f"simulation-{'NPT' if pressure else 'NVT'}", REFERENCE)
    if kind == "DCD":
        execute_in(simulation(inputs, "10 bar", "dcd"), directory / "simulation-DCD", REFERENCE)


def _child(request: dict[str, Any], answer: int) -> None:
    """Run, then write to a pipe; the answer of one that was killed is empty."""
    inputs, directory = Path(request["inputs"]), Path(request["directory"])
    handler = logging.FileHandler(directory.with_name(f"{directory.name}.log"), delay=True)
    logging.getLogger("protocols").addHandler(handler)
    injector = Injector(directory, request.get("at"), request.get("variant", "before"))
    injector.install()
    error = ""
    try:
        run(request["kind"], inputs, directory)
    except Exception as caught:
        error = f"{type(caught).__name__}: {caught}"
    with os.fdopen(answer, "w") as stream:
        json.dump({"error": error, "operations": injector.operations}, stream)


def _serve(request: dict[str, Any]) -> dict[str, Any]:
    read, write = os.pipe()
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        try:
            _child(request, write)
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        text = stream.read()
    _, status = os.waitpid(pid, 0)
    found = json.loads(text) if text else {"error": "", "operations": []}
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status)
    return found | {"killed": bool(killed), "seconds": time.monotonic() - began}


def main() -> None:
    locking.HEARTBEAT_S = HEARTBEAT_S
    execution.DirectoryLock = partial(locking.DirectoryLock, stale_after=STALE_AFTER_S)
    tasks = len(list(Path("/proc/self/task").iterdir()))
    print(json.dumps({"threads": tasks}), flush=True)
    for line in sys.stdin:
        print(json.dumps(_serve(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
