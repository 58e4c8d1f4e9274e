"""From the start of a job to its first task, on a SLURM of this machine's own: ours and bare Parsl, by turns.

``python benchmarks/job_start.py --pairs 5``; as the tests of SLURM, it needs SLURM's programs and root.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

from parsl import Config, DataFlowKernel, python_app
from parsl.addresses import address_by_interface
from parsl.executors import HighThroughputExecutor
from parsl.providers import SlurmProvider

from workflow_backends import ParslSlurmBackend, QueueWorkerResources

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "integration"))

from real_slurm import Slurm


def now() -> float:
    """Return the time at which the task starts."""
    import time  # noqa: PLC0415  # bare Parsl brings no globals along

    return time.time()


def ours(directory: Path) -> float:
    """Return the seconds between the job's first line and the task, in a job of ours."""
    note = directory / "began"
    resources = QueueWorkerResources(per_thread_memory_limit="500 MB")
    with ParslSlurmBackend(
        0, 1, resources, setup_script_commands=[f"date +%s.%N > {note}"], directory=directory
    ) as backend:
        return float(backend.submit_task(now).result()) - float(note.read_text(encoding="utf-8"))


def bare(directory: Path) -> float:
    """Return the same for Parsl's own executor and provider."""
    note = directory / "began"
    provider = SlurmProvider(
        "main", walltime="00:10:00", worker_init=f"date +%s.%N > {note}", init_blocks=0, max_blocks=1
    )
    executor = HighThroughputExecutor(
        address=address_by_interface("lo"), max_workers_per_node=1, provider=provider
    )
    config = Config(executors=[executor], run_dir=str(directory), initialize_logging=False)
    with DataFlowKernel(config) as kernel:
        called = python_app(now, data_flow_kernel=kernel)
        return float(called().result()) - float(note.read_text(encoding="utf-8"))


def main() -> None:
    """Print the seconds of each, and their ratio, with the least and the most."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    pairs = []
    with tempfile.TemporaryDirectory(dir="/tmp") as place, Slurm(Path(place) / "slurm") as cluster:
        os.environ.update(cluster.environment)
        for number in range(parser.parse_args().pairs):
            for kind in (ours, bare):
                (Path(place) / f"{kind.__name__}-{number}").mkdir()
            pairs.append([kind(Path(place) / f"{kind.__name__}-{number}") for kind in (ours, bare)])
            print("ours {:.2f} s, bare Parsl {:.2f} s".format(*pairs[-1]), flush=True)
    mine, theirs = zip(*pairs, strict=True)
    for name, values in (
        ("ours, s", mine),
        ("bare Parsl, s", theirs),
        ("ratio", [a / b for a, b in pairs]),
    ):
        print(f"{name}: {statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    main()
