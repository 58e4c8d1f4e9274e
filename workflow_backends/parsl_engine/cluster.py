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
from workflow_backends.engine import Engine, Pool
from workflow_backends.errors import EngineError, InvalidResourcesError
from workflow_backends.machine import RUN_VARIABLE, import_variables, memory_variables, run_mark
from workflow_backends.parsl_engine.engine import OwnKernelEngine
from workflow_backends.parsl_engine.job_pools import job_pools
from workflow_backends.parsl_engine.mapping import executor_settings
from workflow_backends.parsl_engine.network import worker_address
from workflow_backends.parsl_engine.request import Job, JobRequest, positive_seconds
from workflow_backends.parsl_engine.schedulers import Scheduler
from workflow_backends.resources import QueueWorkerResources

if TYPE_CHECKING:
    from workflow_backends.parsl_engine.queue_executor import QueueExecutor

__all__ = ["ParslQueueBackend", "checked_directory"]

_HEARTBEAT_S = 2  # well below the pause that StallProofClock takes for a stop
_HEARTBEAT_LIMIT_S = 10
_POLL_MS = 1000
_REACH_S = 10
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
    pools
        Several pools instead: ``{name: (maximum_number_of_workers, resources)}``. What else is said of jobs
        may then be a mapping by pool: ``queue_name={"gpu": "a100"}`` leaves other pools the default.
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

    def __init__(
        self,
        minimum_number_of_workers: int | Mapping[str, int] = 0,
        maximum_number_of_workers: int = 1,
        resources_per_worker: QueueWorkerResources | None = None,
        queue_name: str | Mapping[str, str] | None = None,
        *,
        pools: Mapping[str, tuple[int, QueueWorkerResources]] | None = None,
        setup_script_commands: Sequence[str] | Mapping[str, Sequence[str]] = (),
        extra_script_options: Sequence[str] | Mapping[str, Sequence[str]] = (),
        account: str | Mapping[str, str] | None = None,
        gpu_type: str | Mapping[str, str] | None = None,
        workers_per_node: int | Mapping[str, int] = 1,
        nodes_per_job: int | Mapping[str, int] = 1,
        exclusive: bool | Mapping[str, bool] = False,
        directory: str | Path | None = None,
        interface: str | None = None,
        idle_time_limit: float = 60.0,
    ) -> None:
        if pools is not None and (maximum_number_of_workers != 1 or resources_per_worker is not None):
            raise InvalidResourcesError(
                "pools: give either pools or maximum_number_of_workers and resources_per_worker"
            )
        nodes = nodes_per_job.values() if isinstance(nodes_per_job, Mapping) else [nodes_per_job]
        if not self._several_nodes and (several := [number for number in nodes if number != 1]):
            raise InvalidResourcesError(
                f"nodes_per_job: {several[0]!r} is not allowed; a job of this scheduler has one node"
            )
        resources = resources_per_worker or QueueWorkerResources()
        self._job_pools = job_pools(
            pools or {_POOL: (maximum_number_of_workers, resources)},
            {
                "minimum_number_of_workers": minimum_number_of_workers,
                "workers_per_node": workers_per_node,
                "nodes_per_job": nodes_per_job,
                "queue_name": queue_name,
                "account": account,
                "gpu_type": gpu_type,
                "exclusive": exclusive,
                "setup_script_commands": setup_script_commands,
                "extra_script_options": extra_script_options,
            },
        )
        self._directory = None if directory is None else checked_directory(directory)
        self._interface = interface
        self._idle_time_limit = positive_seconds("idle_time_limit", idle_time_limit)
        self._engine: OwnKernelEngine | None = None
        super().__init__(
            pools={name: (pool.maximum, pool.request.resources) for name, pool in self._job_pools.items()}
        )
        for name, pool in self._job_pools.items():
            self._pools[name] = replace(self._pools[name], wallclock=pool.wallclock)

    def job_script(self, pool: str | None = None) -> str:
        """Return what would be submitted for a job of a pool, by default the first; nothing is submitted."""
        request = next(iter(self._job_pools.values())).request if pool is None else self._request_of(pool)
        directory = self._place() / "workflow-backends-RUN"
        command = f"'{self._python}' -P -m workflow_backends.parsl_engine.pool ..."
        stem = str(directory / "jobs/block-0")
        return self._script(request, "wb-RUN", stem, command, self._environment(directory))

    def _request_of(self, pool: str) -> JobRequest:
        if pool not in self._job_pools:
            raise InvalidResourcesError(
                f"pool: {pool!r} is not allowed; give one of {', '.join(map(repr, self._job_pools))}"
            )
        return self._job_pools[pool].request

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
        return checked_directory(Path.cwd()) if self._directory is None else self._directory

    def _work_directory(self) -> Path:
        return Path.cwd()

    def _environment(self, directory: Path) -> dict[str, str]:
        return {RUN_VARIABLE: run_mark(directory)} | import_variables() | memory_variables()

    def _script(
        self, request: JobRequest, run: str, stem: str, command: str, environment: dict[str, str]
    ) -> str:
        return self._render(request, Job(run, stem, str(self._work_directory()), environment, command))

    def check(self) -> None:
        """Raise InvalidResourcesError where `start` would; starts nothing and asks no scheduler."""
        worker_address(self._interface)

    def _start_engine(self, pools: Mapping[str, Pool]) -> Engine:  # noqa: ARG002  # there is one
        address = self._address()
        run = uuid.uuid4().hex[:10]
        directory = self._place() / f"workflow-backends-{run}"
        try:
            directory.mkdir(parents=True, mode=0o700)
            for number in range(len(self._job_pools)):
                _jobs_directory(directory, number).mkdir()
        except OSError as error:
            raise EngineError(f"directory: no directory can be made for the run: {error}") from error
        self._engine = OwnKernelEngine(
            directory,
            lambda place: [
                self._executor(name, f"wb-{run}{number or ''}", _jobs_directory(place, number), address)
                for number, name in enumerate(self._job_pools)
            ],
            self._idle_time_limit,
        )
        return self._engine

    def _stop_engine(self, *, keep_files: bool) -> None:
        if self._engine is not None:
            self._engine.stop(keep_files=keep_files)
            self._engine = None

    def _executor(self, pool: str, run: str, jobs: Path, address: str) -> QueueExecutor:
        from workflow_backends.parsl_engine.queue_executor import QueueExecutor  # noqa: PLC0415
        from workflow_backends.parsl_engine.queue_provider import QueueProvider  # noqa: PLC0415

        request, (minimum, maximum) = self._job_pools[pool].request, self._job_pools[pool].jobs
        environment = self._environment(jobs.parent)
        settings: dict[str, Any] = executor_settings(request)
        return QueueExecutor(
            environment,
            python=self._python,
            label=pool,
            provider=QueueProvider(
                self._scheduler,
                run,
                jobs,
                lambda stem, command: self._script(request, run, stem, command, environment),
                nodes_per_job=request.nodes_per_job,
                minimum=minimum,
                maximum=maximum,
            ),
            address=address,
            heartbeat_period=_HEARTBEAT_S,
            heartbeat_threshold=_HEARTBEAT_LIMIT_S,
            poll_period=_POLL_MS,
            address_probe_timeout=_REACH_S,
            **settings,
        )


def _jobs_directory(directory: Path, number: int) -> Path:
    """Return where the files of a pool's jobs are."""
    return directory / f"jobs{number or ''}"


def checked_directory(directory: str | Path) -> Path:
    """Return a directory's absolute path, or refuse one that no job script can hold."""
    place = Path(directory).absolute()
    if not re.fullmatch(r"[\w./@+,:=-]+", str(place)):
        raise InvalidResourcesError(
            f"directory: {str(place)!r} has characters that job scripts cannot hold; give one without"
        )
    return place
