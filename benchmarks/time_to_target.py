"""Time to a density of TIP3P water within 0.2 %: two replicas on one thread each against one chain on two.

Run as ``python benchmarks/time_to_target.py [--target "0.2 %"] [--seeds N] [--json FILE]``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from protocols import (
    Density,
    Limits,
    OpenMMForceField,
    SimulationSettings,
    Substance,
    ThermodynamicState,
    estimate,
)
from workflow_backends import ComputeResources, ParslLocalBackend

WATER = Substance.pure("O")
STATE = ThermodynamicState(temperature="298.15 K", pressure="1 atm")


def measure(workers: int, threads: int, target: str, seed: int) -> dict[str, Any]:
    """Run until the target is met; return the wall-clock seconds and what came out."""
    settings = SimulationSettings(
        number_of_molecules=256, equilibration_time="10 ps", production_time="40 ps", replicas=workers,
        seed=seed,
    )  # fmt: skip
    resources = ComputeResources(number_of_threads=threads)
    with tempfile.TemporaryDirectory() as directory, ParslLocalBackend(workers, resources) as backend:
        began = time.perf_counter()
        [result] = estimate(
            [Density(WATER, STATE, target)], OpenMMForceField("tip3p.xml"), backend, directory=directory,
            settings=settings, limits=Limits(rounds=60),
        )  # fmt: skip
        seconds = time.perf_counter() - began
    return {
        "replicas": workers,
        "threads": threads,
        "seed": seed,
        "seconds": round(seconds),
        "rounds": result.rounds,
        "result": str(result),
        "ns_per_day_each": round(result.ns_per_day or 0.0, 1),
    }


def main() -> None:
    """Measure one against the other, interleaved, for each seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", default="0.2 %")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = []
    for seed in range(1, arguments.seeds + 1):
        for workers, threads in ((2, 1), (1, 2)):
            found.append(measure(workers, threads, arguments.target, seed))
            print(json.dumps(found[-1]), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
