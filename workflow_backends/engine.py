"""What a dispatcher needs of an engine, and what both know of pools and tasks."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from workflow_backends.errors import InvalidResourcesError
from workflow_backends.resources import ComputeResources, whole_number
from workflow_backends.runner import Ticket

__all__ = ["Capability", "Engine", "OwnedEngine", "Pool", "TaskOptions", "checked_pools"]


class Capability(StrEnum):
    """What an engine may lack; a backend lists what it lacks as `CalculationBackend.cannot`."""

    restart = "start again after a stop"
    pools = "have several pools of workers"
    end_with_script = "end its workers when the script is killed"
    placement = "pin its workers to GPUs and count their threads"


@dataclass(frozen=True)
class Pool:
    """Workers of one kind.

    Parameters
    ----------
    number_of_workers
        How many there can be at most.
    resources
        What each of them owns.
    wallclock
        Seconds for which a worker can run at most, from a start that takes some of them; None without limit.
    """

    number_of_workers: int
    resources: ComputeResources
    wallclock: float | None = None

    def has_time_for(self, time_limit: float | None) -> bool:
        """Tell whether a worker that just started can run a task for so many seconds."""
        return time_limit is None or self.wallclock is None or time_limit < self.wallclock

    def serves(self, wanted: ComputeResources) -> bool:
        """Tell whether a worker has what a task asks for."""
        owned = self.resources
        if wanted.number_of_threads > owned.number_of_threads or wanted.number_of_gpus > owned.number_of_gpus:
            return False
        if wanted.platform not in (None, owned.platform):
            return False
        return wanted.number_of_gpus == 0 or (
            wanted.preferred_gpu_toolkit in ("auto", owned.preferred_gpu_toolkit)
            and wanted.preferred_gpu_precision == owned.preferred_gpu_precision
        )


def checked_pools(pools: Mapping[str, tuple[int, ComputeResources]]) -> dict[str, Pool]:
    """Return pools by name, or raise InvalidResourcesError for what no backend could have."""
    if not pools:
        raise InvalidResourcesError("pools: {} is not allowed; give at least one pool")
    checked = {}
    for name, (workers, resources) in pools.items():
        if not isinstance(resources, ComputeResources):
            raise InvalidResourcesError(
                f"resources_per_worker: {resources!r} is not allowed; give a ComputeResources"
            )
        checked[name] = Pool(whole_number("number_of_workers", workers, minimum=1), resources)
    return checked


@dataclass(frozen=True)
class TaskOptions:
    """What a user may say of a task beside its function and arguments."""

    name: str | None = None
    resources: ComputeResources | None = None
    time_limit: float | None = None
    retries: int = 1
    retry_exceptions: tuple[type[Exception], ...] = ()


class Engine(Protocol):
    """What a dispatcher needs of an engine."""

    directory: Path

    def submit(
        self, pool: str, prefix: bytes, call: bytes, ticket: Ticket
    ) -> concurrent.futures.Future[bytes]:
        """Run ``run_task(call, prefix, ticket)`` on a worker of the pool."""

    def is_lost_block(self, error: BaseException) -> bool:
        """Tell whether an error means that the worker's block, not the task, is to blame."""

    def failure(self) -> str | None:
        """Say why no task can run any more; None while all is well."""


class OwnedEngine(Engine, Protocol):
    """An engine that a backend of ours started, and ends."""

    def stop(self, *, keep_files: bool) -> None:
        """End every process, within seconds whatever died before; remove the files unless told to keep."""
