"""What the choice of a platform takes: at first, where it is tried, in other processes of the run, and again.

``python benchmarks/platform_choice.py --processes 10``
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

from workflow_backends.probing import PROBES_VARIABLE

ASKED = {
    "no GPU": "ComputeResources()",
    "the toolkit OpenCL": "ComputeResources(1, 1, 'OpenCL')",
    "auto, allow_cpu": "ComputeResources(1, 1, allow_cpu=True)",
}
_CODE = """
import json, time
from workflow_backends import ComputeResources, select_platform

times = []
for _ in range(2):
    began = time.perf_counter()
    choice = select_platform({asked})
    times.append(1000 * (time.perf_counter() - began))
print(json.dumps([choice.name, times]))
"""


def choose(asked: str, probes: str) -> tuple[str, list[float]]:
    """Return what a new process chooses, and the milliseconds of its first choice and its second."""
    run = subprocess.run(
        [sys.executable, "-c", _CODE.format(asked=asked)],
        env=os.environ | {PROBES_VARIABLE: probes},
        capture_output=True,
        text=True,
        check=True,
    )
    name, times = json.loads(run.stdout)
    return name, times


def main() -> None:
    """Print milliseconds: of the run's first choice; of other processes, their first and second choice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=10)
    processes = parser.parse_args().processes
    for what, asked in ASKED.items():
        with tempfile.TemporaryDirectory() as probes:
            name, (tried, _) = choose(asked, probes)
            later = zip(*(choose(asked, probes)[1] for _ in range(processes)), strict=True)
            texts = [f"{statistics.median(t):.3g} ({min(t):.3g} to {max(t):.3g})" for t in later]
        print(f"{what}: {name}; tried in {tried:.0f} ms, then {texts[0]}, again {texts[1]}")


if __name__ == "__main__":
    main()
