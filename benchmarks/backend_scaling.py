"""Time a task and memory of the submitting process for 1 k, 10 k and 100 k tasks.

Run as ``python benchmarks/backend_scaling.py [--most N]``. "All at once" holds every future; "map" keeps to a
window. Each line is a process of its own, so that memory is its own.
"""

from __future__ import annotations

import argparse
import sys
import time

import psutil

_CODE = """
import sys, time, psutil
from workflow_backends import ParslLocalBackend

def nothing(_=None): pass

count, how = int(sys.argv[1]), sys.argv[2]
with ParslLocalBackend(number_of_workers=2) as backend:
    backend.submit_task(nothing).result()
    began = time.perf_counter()
    if how == "map":
        for _ in backend.map(nothing, range(count)):
            pass
    else:
        for future in [backend.submit_task(nothing) for _ in range(count)]:
            future.result()
    seconds = time.perf_counter() - began
    memory = psutil.Process().memory_info().rss / 2**20
print(f"{count:7d} tasks, {how}: {1000 * seconds / count:.2f} ms a task, {memory:.0f} MiB at the end")
"""


def main() -> None:
    """Run each case and let it print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=100_000)
    most = parser.parse_args().most
    for count in (1000, 10_000, 100_000):
        for how in ("all at once", "map"):
            if count <= most:
                process = psutil.Popen([sys.executable, "-c", _CODE, str(count), how])
                peak = 0
                while process.poll() is None:
                    peak = max(peak, process.memory_info().rss)
                    time.sleep(0.5)
                print(f"        peak of the submitting process: {peak / 2**20:.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
