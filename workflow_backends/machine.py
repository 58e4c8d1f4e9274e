"""What this machine has and runs: the one door to /proc, affinity and cgroups."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import site
from collections.abc import Iterator
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
_OWN_CGROUPS, _CGROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
_CPUINFO = Path("/proc/cpuinfo")


def available_cpus() -> int:
    """Return how many CPUs this process may use, by its affinity and the quotas of its cgroups."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:  # macOS has no affinity
        count = os.cpu_count() or 1
    for place in _cgroups("cpu"):
        limit = _numbers(place / "cpu.max")
        limit = limit or _numbers(place / "cpu.cfs_quota_us") + _numbers(place / "cpu.cfs_period_us")
        if len(limit) == 2 and limit[0] > 0:  # a quota and its period; -1 is no quota
            count = min(count, max(1, limit[0] // limit[1]))
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
    """Return the memory that processes here may use together, in bytes, by the machine and its cgroups."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for place in _cgroups("memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            total = min([total, *_numbers(place / name)])
    return total


def _cgroups(controller: str) -> Iterator[Path]:
    """Yield the directories of this process's cgroup and of those around it, of version 2 and version 1."""
    with contextlib.suppress(OSError):
        for line in _OWN_CGROUPS.read_text(encoding="utf-8").splitlines():
            _, controllers, place = line.split(":", 2)
            if controllers and controller not in controllers.split(","):
                continue
            root = _CGROUPS / controller if controllers else _CGROUPS
            names = [name for name in place.split("/") if name]
            if ".." in names:  # it is outside of what this process sees
                names = []
            own = root.joinpath(*names)
            yield from [own, *own.parents][: len(names) + 1]


def _numbers(file: Path) -> list[int]:
    """Return the numbers in a file; none if it is not there or says "max"."""
    try:
        return [int(word) for word in file.read_text(encoding="utf-8").split()]
    except (OSError, ValueError):
        return []
