"""What this machine has and runs: the one door to /proc, affinity and cgroups."""

from __future__ import annotations

import contextlib
import math
import os
import platform
import signal
import site
from functools import cache
from pathlib import Path

__all__ = [
    "RUN_VARIABLE",
    "available_cpus",
    "cpu_name",
    "import_variables",
    "kill_marked",
    "memory_variables",
    "run_mark",
    "total_memory",
]

RUN_VARIABLE = "WORKFLOW_BACKENDS_RUN"  # "pid:directory" of the run that a process belongs to
_CGROUP_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
_CGROUP_MEMORY_MAX = Path("/sys/fs/cgroup/memory.max")
_CPUINFO = Path("/proc/cpuinfo")


def available_cpus() -> int:
    """Return how many CPUs this process may use, by its affinity and its cgroup's quota."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no affinity
        count = os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):
        quota, period = _CGROUP_CPU_MAX.read_text(encoding="utf-8").split()
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


def run_mark(directory: Path) -> str:
    """Return the value of RUN_VARIABLE that marks the processes of this script's run in a directory."""
    return f"{os.getpid()}:{directory}"


def memory_variables() -> dict[str, str]:
    """Return the variable that makes glibc back large blocks with huge pages, unless the user has tuned it.

    A large argument or result is copied several times on its way; most of a copy's time are page faults.
    """
    return {} if "GLIBC_TUNABLES" in os.environ else {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def import_variables() -> dict[str, str]:
    """Return the variables under which a new process imports this package, also when it is not installed."""
    here = str(Path(__file__).resolve().parents[1])
    if here in {str(Path(place).resolve()) for place in site.getsitepackages()}:
        return {}
    return {"PYTHONPATH": os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH"))))}


@cache
def cpu_name() -> str:
    """Return what the processor calls itself."""
    with contextlib.suppress(OSError):
        for line in _CPUINFO.open(encoding="utf-8", errors="replace"):
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def total_memory() -> int:
    """Return the memory that processes here may use together, in bytes, by the machine and its cgroup."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):
        total = min(total, int(_CGROUP_MEMORY_MAX.read_text(encoding="utf-8")))
    return total
