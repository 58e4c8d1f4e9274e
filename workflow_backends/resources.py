"""What one worker owns: threads, GPUs and, on a queue, memory and wall-clock time."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass, field, fields
from datetime import timedelta
from enum import StrEnum
from typing import Any, ClassVar, TypeVar

from workflow_backends.errors import InvalidResourcesError

__all__ = ["ComputeResources", "GPUPrecision", "GPUToolkit", "QueueWorkerResources"]

_E = TypeVar("_E", bound=StrEnum)

_MEMORY_UNITS = {
    "b": 1, "byte": 1, "bytes": 1,
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_LEAST_MEMORY = 10**6  # bytes; who gives less has forgotten the unit


class GPUToolkit(StrEnum):
    """The toolkits through which OpenMM reaches a GPU."""

    auto = "auto"
    CUDA = "CUDA"
    OpenCL = "OpenCL"
    HIP = "HIP"


class GPUPrecision(StrEnum):
    """The floating-point precisions of OpenMM's GPU platforms."""

    single = "single"
    mixed = "mixed"
    double = "double"


@dataclass(frozen=True)
class ComputeResources:
    """What one worker owns.

    Parameters
    ----------
    number_of_threads
        CPU threads, at least 1.
    number_of_gpus
        GPUs, 0 for none.
    preferred_gpu_toolkit
        ``auto``, ``CUDA``, ``OpenCL`` or ``HIP``; only read when there are GPUs.
    preferred_gpu_precision
        ``single``, ``mixed`` or ``double``; only read when there are GPUs.
    allow_cpu
        Whether ``auto`` may fall back to the CPU when no GPU works.
    platform
        An OpenMM platform by name ("Reference", "CPU", ...), which overrides the choice.

    Raises
    ------
    InvalidResourcesError
        A value that no worker could have; the message names it and what is allowed.
    """

    GPUToolkit: ClassVar[type[GPUToolkit]] = GPUToolkit
    GPUPrecision: ClassVar[type[GPUPrecision]] = GPUPrecision

    number_of_threads: int = 1
    number_of_gpus: int = 0
    preferred_gpu_toolkit: str = "auto"
    preferred_gpu_precision: str = "mixed"
    allow_cpu: bool = False
    platform: str | None = None

    def __post_init__(self) -> None:
        """Validate, and bring every field to its canonical type."""
        self._set("number_of_threads", whole_number("number_of_threads", self.number_of_threads, minimum=1))
        self._set("number_of_gpus", whole_number("number_of_gpus", self.number_of_gpus, minimum=0))
        self._set(
            "preferred_gpu_toolkit", _member("preferred_gpu_toolkit", self.preferred_gpu_toolkit, GPUToolkit)
        )
        self._set(
            "preferred_gpu_precision",
            _member("preferred_gpu_precision", self.preferred_gpu_precision, GPUPrecision),
        )
        if not isinstance(self.allow_cpu, bool):
            raise InvalidResourcesError(f"allow_cpu: {self.allow_cpu!r} is not allowed; give True or False")
        if self.platform is not None and not (isinstance(self.platform, str) and self.platform):
            raise InvalidResourcesError(
                f"platform: {self.platform!r} is not allowed; give None or a name such as 'Reference'"
            )

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    def __str__(self) -> str:
        """Name only what differs from the defaults, and always the threads."""
        shown = [
            f"{f.name}={getattr(self, f.name)!s}"
            for f in fields(self)
            if f.name == "number_of_threads" or getattr(self, f.name) != f.default
        ]
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(frozen=True)
class QueueWorkerResources(ComputeResources):
    """What one worker asks of a cluster's scheduler.

    Parameters
    ----------
    per_thread_memory_limit
        Memory of each thread, 1 MB at least: a string ("2 GB" is decimal, "2 GiB" binary), a pint or OpenFF
        quantity, or bytes. Held as whole bytes.
    wallclock_time_limit
        The job's longest run: "HH:MM", "HH:MM:SS" (any number of hours) or a timedelta. Held as a timedelta.
    """

    per_thread_memory_limit: Any = field(default="2 GB")
    wallclock_time_limit: Any = field(default="05:00")

    def __post_init__(self) -> None:
        """Validate, and bring every field to its canonical type."""
        super().__post_init__()
        self._set("per_thread_memory_limit", _bytes("per_thread_memory_limit", self.per_thread_memory_limit))
        self._set("wallclock_time_limit", _duration("wallclock_time_limit", self.wallclock_time_limit))


def whole_number(name: str, value: object, minimum: int) -> int:
    """Return `value` as an int of at least `minimum`, or raise an error that names it."""
    problem = InvalidResourcesError(
        f"{name}: {value!r} is not allowed; give a whole number of at least {minimum}"
    )
    if isinstance(value, bool):
        raise problem
    try:
        number = operator.index(value)  # type: ignore[arg-type]  # that is what is being found out
    except TypeError:
        raise problem from None
    if number < minimum:
        raise problem
    return number


def _member(name: str, value: object, kind: type[_E]) -> _E:
    for member in kind:
        if isinstance(value, str) and member.value.lower() == value.lower():
            return member
    raise InvalidResourcesError(f"{name}: {value!r} is not allowed; give one of {', '.join(kind)}")


def _bytes(name: str, value: Any) -> int:
    problem = InvalidResourcesError(
        f"{name}: {value!r} is not allowed; give 1 MB or more, with the unit, such as '2 GB' or '1500 MiB'"
    )
    if hasattr(value, "to") and hasattr(value, "units"):
        try:
            value = float(value.to("byte").magnitude)
        except Exception:  # noqa: BLE001  # each unit library has its own error for a wrong dimension
            raise problem from None
    elif isinstance(value, str):
        match = re.fullmatch(r"\s*([0-9.]+)\s*([a-z]*)\s*", value.lower())
        if match is None or match[2] not in _MEMORY_UNITS or match[1].count(".") > 1 or match[1] == ".":
            raise problem
        value = float(match[1]) * _MEMORY_UNITS[match[2]]
    if not isinstance(value, int | float) or not _LEAST_MEMORY <= value < float("inf"):
        raise problem
    return round(value)


def _duration(name: str, value: object) -> timedelta:
    problem = InvalidResourcesError(
        f"{name}: {value!r} is not allowed; give 'HH:MM', 'HH:MM:SS' or a timedelta, longer than zero"
    )
    if isinstance(value, str):
        match = re.fullmatch(r"(\d+):([0-5]\d)(?::([0-5]\d))?", value.strip())
        if match is None:
            raise problem
        value = timedelta(hours=int(match[1]), minutes=int(match[2]), seconds=int(match[3] or 0))
    if not isinstance(value, timedelta) or value <= timedelta(0):
        raise problem
    return value
