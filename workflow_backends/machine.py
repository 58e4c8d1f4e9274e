"""What this machine has and runs: the one door to /proc, affinity and cgroups."""

from __future__ import annotations

import contextlib
import math
import os
import signal
from pathlib import Path

__all__ = ["available_cpus", "kill_marked", "package_path"]

_CGROUP_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


def available_cpus() -> int:
    """Return how many CPUs this process may use, by its affinity and its cgroup's quota."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no affinity
        count = os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = _CGROUP_CPU_MAX.read_text().split()
        if quota != "max":
            count = min(count, max(1, math.floor(int(quota) / int(period))))
    return count


def kill_marked(variable: str, value: str) -> list[int]:
    """Kill every process whose environment has ``variable=value``, except this one.

    A task may have moved its children into sessions and groups of their own; their environment still says
    where they come from.

    Returns
    -------
    list of int
        The pids that were killed.
    """
    import psutil  # noqa: PLC0415

    killed = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(variable) == value:
                process.send_signal(signal.SIGKILL)
                killed.append(process.pid)
    return killed


def package_path() -> str:
    """Return the folder from which this package is imported, for the PYTHONPATH of workers."""
    return str(Path(__file__).resolve().parents[1])
