"""Where the time of the water example goes: stepping and minimising, and all that stands beside them.

Run as ``python benchmarks/workflow_overhead.py [--fast]``. It runs examples/01_water_density.py in a fresh
directory and reads what each protocol wrote of itself. Two replicas run side by side on two workers; the
longer one's stepping and minimising is what OpenMM needs, the rest is overhead.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import datetime
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples" / "01_water_density.py"


def seconds(directory: Path) -> float:
    """Wall-clock time of one protocol's execution."""
    record = json.loads((directory / "provenance.json").read_text(encoding="utf-8"))
    times = (datetime.fromisoformat(record[name]) for name in ("finished", "started"))
    finished, started = times
    return (finished - started).total_seconds()


def stepping(directory: Path) -> float:
    """Seconds that a simulation spent in OpenMM's steps and energies."""
    return sum(
        json.loads(p.read_text(encoding="utf-8"))["seconds"]
        for p in (directory / "segments").glob("*/segment.json")
    )


def main() -> None:
    """Run the example and print the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fast", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        command = [sys.executable, str(EXAMPLE), "--directory", f"{place}/run"]
        began = time.perf_counter()
        subprocess.run([*command, *(["--fast"] if arguments.fast else [])], check=True)
        total = time.perf_counter() - began
        executed, stepped = defaultdict(list), []
        for home in sorted(Path(place, "run").iterdir()):
            executed[home.name.partition("-")[0]].append(seconds(home))
            if (home / "segments").is_dir():
                stepped.append(stepping(home))
    for name, times in executed.items():
        print(f"{name}: {', '.join(f'{t:.2f}' for t in times)} s")
    in_openmm = sum(stepped) / 2 + sum(executed["OpenMMEnergyMinimisation"]) / 2
    print(f"total {total:.1f} s; stepping and minimising, a replica: {in_openmm:.1f} s")
    print(f"outside: {total - in_openmm:.1f} s, {100 * (total - in_openmm) / total:.1f} % of the total")


if __name__ == "__main__":
    main()
