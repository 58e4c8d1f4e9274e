"""The pools of workers of a cluster: what is asked for each, and how many of its jobs there may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflow_backends.errors import InvalidResourcesError
from workflow_backends.parsl_engine.request import JobRequest
from workflow_backends.resources import QueueWorkerResources, whole_number

__all__ = ["JobPool", "job_pools"]


@dataclass(frozen=True)
class JobPool:
    """A pool whose workers come in jobs.

    Parameters
    ----------
    request
        What is asked for each job.
    minimum, maximum
        How many workers there are, at least and at most: multiples of those of a job.
    """

    request: JobRequest
    minimum: int
    maximum: int

    def __post_init__(self) -> None:
        """Validate."""
        whole_number("minimum_number_of_workers", self.minimum, minimum=0)
        whole_number("maximum_number_of_workers", self.maximum, minimum=1)
        if self.minimum > self.maximum:
            raise InvalidResourcesError(
                f"minimum_number_of_workers: {self.minimum} is above maximum_number_of_workers, "
                f"which is {self.maximum}"
            )
        for name in ("minimum", "maximum"):
            if (workers := getattr(self, name)) % self.request.workers_per_job:
                raise InvalidResourcesError(
                    f"{name}_number_of_workers: {workers} is not a multiple of the workers of a job, "
                    f"which are {self.request.workers_per_job}"
                )

    @property
    def jobs(self) -> tuple[int, int]:
        """How many jobs there are, at least and at most."""
        return self.minimum // self.request.workers_per_job, self.maximum // self.request.workers_per_job

    @property
    def wallclock(self) -> float:
        """Seconds of a job."""
        return float(self.request.resources.wallclock_time_limit.total_seconds())


def job_pools(
    pools: Mapping[str, tuple[int, QueueWorkerResources]], settings: Mapping[str, Any]
) -> dict[str, JobPool]:
    """Return pools by name.

    Parameters
    ----------
    pools
        How many workers each has at most, and what each worker owns.
    settings
        ``minimum``, and those of a JobRequest; each for all pools, or by pool in a mapping. A pool that a
        mapping does not name has the default.

    Raises
    ------
    InvalidResourcesError
        A value that is not allowed, or a mapping that names no pool.
    """
    for name, value in settings.items():
        if isinstance(value, Mapping) and (unknown := sorted(set(value) - set(pools))):
            raise InvalidResourcesError(
                f"{name}: {unknown[0]!r} is no pool; the pools are {', '.join(map(repr, pools))}"
            )
    return {name: _pool(name, *pool, settings) for name, pool in pools.items()}


def _pool(name: str, workers: int, resources: QueueWorkerResources, settings: Mapping[str, Any]) -> JobPool:
    own = {
        key: value[name] if isinstance(value, Mapping) else value
        for key, value in settings.items()
        if not isinstance(value, Mapping) or name in value
    }
    minimum = own.pop("minimum_number_of_workers", 0)
    return JobPool(JobRequest(resources, **own), minimum, workers)
