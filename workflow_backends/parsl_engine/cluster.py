"""The backends whose workers are jobs of a cluster's scheduler."""

from __future__ import annotations

import re
import sys
import uuid
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_backends.backend import CalculationBackend
from workflow_backends.engine import Capability, Engine, Pool
from workflow_backends.errors import EngineError, InvalidResourcesError
from workflow_backends.machine import RUN_VARIABLE, import_variables, memory_variables, run_mark
from workflow_backends.parsl_engine.engine import OwnKernelEngine
from workflow_backends.parsl_engine.mapping import executor_settings
from workflow_backends.parsl_engine.network import worker_address
from workflow_backends.parsl_engine.request import Job, JobRequest, positive_seconds
from workflow_backends.parsl_engine.schedulers import Scheduler
from workflow_backends.resources import QueueWorkerResources, whole_number

if TYPE_CHECKING:
    from workflow_backends.parsl_engine.queue_executor import QueueExecutor

__all__ = ["ParslQueueBackend"]

_HEARTBEAT_S = 2  # well below the pause that StallProofClock takes for a stop
_HEARTBEAT_LIMIT_S = 15
_POLL_MS = 1000
_POOL = "workers"


class ParslQueueBackend(CalculationBackend):
    """Workers in the jobs of a scheduler; what all schedulers have in common.

    Jobs are submitted when tasks wait for workers, and end when they are idle. A job that ends early (its
    time is over, it was cancelled, its node failed) is replaced, and its tasks run again in another. When
    the backend stops, or its script dies of whatever, all its jobs are cancelled, those in the queue too.

    Parameters
    ----------
    minimum_number_of_workers
        How many workers are kept, tasks or not.
    maximum_number_of_workers
        How many workers there can be.
    resources_per_worker
        What each owns, as QueueWorkerResources.
    queue_name
        The queue or partition; None for the site's default.
    setup_script_commands
        Lines of shell before the workers start, such as ``"module load cuda"``; one that fails ends the job.
    extra_script_options
        Options for the scheduler, as on its command line.
    account
        What is charged.
    gpu_type
        The site's name for the kind of GPU.
    workers_per_node
        Workers that share a job's node; each has its own threads, memory and GPUs.
    nodes_per_job
        Nodes of a job, on SLURM.
    exclusive
        Whether the nodes are shared with no other job.
    directory
        For the run's files, on a file system that the nodes share; the current directory by default. stop()
        deletes what it made there, unless something failed.
    interface
        The network interface, or address, of this machine that workers call back to; see
        `network.worker_address` for the default.
    idle_time_limit
        Seconds after which an idle worker's job ends.

    Raises
    ------
    InvalidResourcesError
        A value that is not allowed, by its name; nothing was started.
    """

    cannot = frozenset({Capability.pools})

    def __init__(
        self,
        minimum_number_of_workers: int = 0,
        maximum_number_of_workers: int = 1,
        resources_per_worker: QueueWorkerResources | None = None,
        queue_name: str | None = None,
        *,
        setup_script_commands: Sequence[str] = (),
        extra_script_options: Sequence[str] = (),
        account: str | None = None,
        gpu_type: str | None = None,
        workers_per_node: int = 1,
        nodes_per_job: int = 1,
        exclusive: bool = False,
        directory: str | Path | None = None,
        interface: str | None = None,
        idle_time_limit: float = 60.0,
    ) -> None:
        self._request = JobRequest(
            resources_per_worker or QueueWorkerResources(),
            workers_per_node,
            nodes_per_job,
            queue_name,
            account,
            gpu_type,
            exclusive,
            setup_script_commands,
            extra_script_options,
        )
        if nodes_per_job > 1 and not self._several_nodes:
            raise InvalidResourcesError(
                f"nodes_per_job: {nodes_per_job} is not allowed; a job of this scheduler has one node"
            )
        self._jobs = _jobs(minimum_number_of_workers, maximum_number_of_workers, self._request)
        self._directory = None if directory is None else _checked_directory(directory)
        self._interface = interface
        self._idle_time_limit = positive_seconds("idle_time_limit", idle_time_limit)
        self._engine: OwnKernelEngine | None = None
        super().__init__(maximum_number_of_workers, self._request.resources)
        wallclock = self._request.resources.wallclock_time_limit.total_seconds()
        self._pools = {name: replace(pool, wallclock=wallclock) for name, pool in self._pools.items()}

    def job_script(self) -> str:
        """Return what would be submitted for a job; nothing is submitted and nobody is asked."""
        directory = self._place() / "workflow-backends-RUN"
        pool = f"'{self._python}' -P -m workflow_backends.parsl_engine.pool ..."
        return self._script("wb-RUN", str(directory / "jobs/block-0"), pool, self._environment(directory))

    _python = sys.executable
    _several_nodes = False

    @property
    @abstractmethod
    def _scheduler(self) -> Scheduler: ...

    @abstractmethod
    def _render(self, request: JobRequest, job: Job) -> str: ...

    def _address(self) -> str:
        return worker_address(self._interface)

    def _place(self) -> Path:
        return _checked_directory(Path.cwd()) if self._directory is None else self._directory

    def _work_directory(self) -> Path:
        return Path.cwd()

    def _environment(self, directory: Path) -> dict[str, str]:
        return {RUN_VARIABLE: run_mark(directory)} | import_variables() | memory_variables()

    def _script(self, run: str, stem: str, command: str, environment: dict[str, str]) -> str:
        return self._render(self._request, Job(run, stem, str(self._work_directory()), environment, command))

    def _start_engine(self, pools: Mapping[str, Pool]) -> Engine:  # noqa: ARG002  # there is one
        address = self._address()
        run = uuid.uuid4().hex[:10]
        directory = self._place() / f"workflow-backends-{run}"
        try:
            (directory / "jobs").mkdir(parents=True, mode=0o700)
        except OSError as error:
            raise EngineError(f"directory: no directory can be made for the run: {error}") from error
        self._engine = OwnKernelEngine(
            directory, lambda place: [self._executor(f"wb-{run}", place, address)], self._idle_time_limit
        )
        return self._engine

    def _stop_engine(self, *, keep_files: bool) -> None:
        if self._engine is not None:
            self._engine.stop(keep_files=keep_files)
            self._engine = None

    def _executor(self, run: str, directory: Path, address: str) -> QueueExecutor:
        from workflow_backends.parsl_engine.queue_executor import QueueExecutor  # noqa: PLC0415
        from workflow_backends.parsl_engine.queue_provider import QueueProvider  # noqa: PLC0415

        environment = self._environment(directory)
        settings: dict[str, Any] = executor_settings(self._request)
        return QueueExecutor(
            environment,
            python=self._python,
            label=_POOL,
            provider=QueueProvider(
                self._scheduler,
                run,
                directory / "jobs",
                lambda stem, command: self._script(run, stem, command, environment),
                nodes_per_job=self._request.nodes_per_job,
                minimum=self._jobs[0],
                maximum=self._jobs[1],
            ),
            address=address,
            heartbeat_period=_HEARTBEAT_S,
            heartbeat_threshold=_HEARTBEAT_LIMIT_S,
            poll_period=_POLL_MS,
            **settings,
        )


def _jobs(minimum: object, maximum: object, request: JobRequest) -> tuple[int, int]:
    """Return how many jobs hold so many workers, at least and at most."""
    least = whole_number("minimum_number_of_workers", minimum, minimum=0)
    most = whole_number("maximum_number_of_workers", maximum, minimum=1)
    if least > most:
        raise InvalidResourcesError(
            f"minimum_number_of_workers: {least} is above maximum_number_of_workers, which is {most}"
        )
    of_a_job = request.workers_per_job
    for name, workers in (("minimum_number_of_workers", least), ("maximum_number_of_workers", most)):
        if workers % of_a_job:
            raise InvalidResourcesError(
                f"{name}: {workers} is not a multiple of the workers of a job, which are {of_a_job}"
            )
    return least // of_a_job, most // of_a_job


def _checked_directory(directory: str | Path) -> Path:
    place = Path(directory).absolute()
    if not re.fullmatch(r"[\w./@+,:=-]+", str(place)):
        raise InvalidResourcesError(
            f"directory: {str(place)!r} has characters that job scripts cannot hold; give one without"
        )
    return place
