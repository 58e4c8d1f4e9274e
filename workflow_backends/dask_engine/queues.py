"""Backends whose Dask workers are jobs of a cluster's scheduler."""

from __future__ import annotations

import contextlib
import logging
import math
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from workflow_backends.backend import CalculationBackend
from workflow_backends.dask_engine.engine import ClientEngine, require_dask
from workflow_backends.engine import Capability, Engine, Pool
from workflow_backends.errors import EngineError
from workflow_backends.local import make_directory
from workflow_backends.machine import RUN_VARIABLE, import_variables, memory_variables, run_mark
from workflow_backends.parsl_engine.canceller import start_canceller
from workflow_backends.parsl_engine.cluster import checked_directory
from workflow_backends.parsl_engine.job_pools import JobPool
from workflow_backends.parsl_engine.mapping import lsf_script, pbs_script, slurm_script
from workflow_backends.parsl_engine.network import worker_address
from workflow_backends.parsl_engine.queues import slurm_address
from workflow_backends.parsl_engine.request import Job, JobRequest, positive_seconds
from workflow_backends.parsl_engine.schedulers import LSF, PBS, SLURM, Scheduler
from workflow_backends.resources import QueueWorkerResources

if TYPE_CHECKING:
    from workflow_backends.dask_engine.jobs import JobRun

__all__ = ["DaskLSFBackend", "DaskPBSBackend", "DaskQueueBackend", "DaskSlurmBackend"]

_CLOSE_S = 5.0
_CANCEL_S = 15.0


class DaskQueueBackend(CalculationBackend):
    """Dask workers in the jobs of a scheduler, through dask-jobqueue; what all schedulers have in common.

    Jobs are submitted when tasks wait for workers, and end when they are idle. A job that ends early is
    replaced, and its tasks run again in another. Dask's scheduler runs in the script; all its connections are
    encrypted with keys that only this run has. The site's files of dask-jobqueue are not read: for a cluster
    that is set up with them, use DaskBackend.

    Parameters
    ----------
    minimum_number_of_workers, maximum_number_of_workers
        How many workers are kept, tasks or not, and how many there can be.
    resources_per_worker
        What each owns, as QueueWorkerResources.
    queue_name, account, gpu_type
        The queue or partition, what is charged, and the site's name for the kind of GPU; None for the site's
        default.
    setup_script_commands
        Lines of shell before the workers start, such as ``"module load cuda"``; one that fails ends the job.
    extra_script_options
        Options for the scheduler, as on its command line.
    workers_per_node
        Workers of a job, which has one node; each has its own threads, memory and GPUs.
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
    _scheduler: ClassVar[Scheduler]
    _render: ClassVar[Callable[[JobRequest, Job], str]]

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
        exclusive: bool = False,
        directory: str | Path | None = None,
        interface: str | None = None,
        idle_time_limit: float = 60.0,
    ) -> None:
        request = JobRequest(
            resources_per_worker or QueueWorkerResources(),
            workers_per_node=workers_per_node,
            queue_name=queue_name,
            account=account,
            gpu_type=gpu_type,
            exclusive=exclusive,
            setup_script_commands=setup_script_commands,
            extra_script_options=extra_script_options,
        )
        self._jobs = JobPool(request, minimum_number_of_workers, maximum_number_of_workers)
        self._directory = None if directory is None else checked_directory(directory)
        self._interface = interface
        self._idle_time_limit = positive_seconds("idle_time_limit", idle_time_limit)
        self._engine: _QueueEngine | None = None
        super().__init__(maximum_number_of_workers, request.resources)
        self._pools = {n: replace(pool, wallclock=self._jobs.wallclock) for n, pool in self._pools.items()}

    def job_script(self) -> str:
        """Return what would be submitted for a job; nothing is submitted and nobody is asked."""
        directory = self._place() / "workflow-backends-RUN"
        command = f"'{sys.executable}' -P -m workflow_backends.child distributed.cli.dask_worker ..."
        return self._script(directory, "wb-RUN", str(directory / "job-0"), command)

    def _place(self) -> Path:
        return checked_directory(Path.cwd()) if self._directory is None else self._directory

    def _address(self) -> str:
        return worker_address(self._interface)

    def _script(self, directory: Path, run: str, stem: str, command: str) -> str:
        environment = {RUN_VARIABLE: run_mark(directory)} | import_variables() | memory_variables()
        job = Job(run, stem, str(Path.cwd()), environment, command)
        return type(self)._render(self._jobs.request, job)

    def check(self) -> None:
        """Raise InvalidResourcesError where `start` would; starts nothing and asks no scheduler."""
        require_dask("dask_jobqueue")
        require_dask("cryptography")
        worker_address(self._interface)

    def _start_engine(self, pools: Mapping[str, Pool]) -> Engine:  # noqa: ARG002  # there is one
        self.check()
        from workflow_backends.dask_engine.jobs import JobRun  # noqa: PLC0415

        address = self._address()
        name = f"wb-{uuid.uuid4().hex[:10]}"
        directory = make_directory(self._place(), f"workflow-backends-{name[3:]}")
        run = JobRun(
            self._scheduler,
            name,
            directory,
            lambda stem, command: self._script(directory, name, stem, command),
        )
        self._engine = _QueueEngine(run, address, self._jobs, self._idle_time_limit)
        return self._engine

    def _stop_engine(self, *, keep_files: bool) -> None:
        if self._engine is not None:
            self._engine.stop(keep_files=keep_files)
            self._engine = None


class _QueueEngine(ClientEngine):
    """A cluster of jobs, and the process that cancels them when this one dies."""

    def __init__(self, run: JobRun, address: str, pool: JobPool, idle_time_limit: float) -> None:
        from distributed import Client  # noqa: PLC0415

        from workflow_backends.dask_engine.jobs import make_cluster  # noqa: PLC0415

        self.directory = run.directory
        self._run = run
        self._cluster: Any = None
        self._client: Any = None
        self._canceller = start_canceller(run.scheduler, run.name, run.directory)
        try:
            workers = pool.request.workers_per_job
            self._cluster = make_cluster(run, address, workers, pool.jobs, idle_time_limit)
            client = Client(self._cluster, set_as_default=False, direct_to_workers=True)
            super().__init__(client, run.directory)
        except BaseException as error:
            self.stop(keep_files=isinstance(error, Exception))
            if isinstance(error, Exception):
                raise EngineError(f"Dask did not start: {error}; logs in {run.directory}") from error
            raise
        run.wanted = lambda: math.ceil(self.unfinished / workers)

    def failure(self) -> str | None:
        """Say why no task can run any more; None while all is well."""
        return self._run.refusal or super().failure()

    def stop(self, *, keep_files: bool) -> None:
        """End the cluster and cancel every job, within seconds; remove the files unless told to keep them."""
        with _quiet():
            for part in (self._client, self._cluster):
                if part is not None:
                    with contextlib.suppress(Exception):  # the jobs are cancelled all the same
                        part.close(timeout=_CLOSE_S)
        self._canceller.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):  # it goes on
            self._canceller.wait(_CANCEL_S)
        if not keep_files:
            shutil.rmtree(self.directory, ignore_errors=True)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask from telling, at level INFO, of the connections that end with it."""

    def grave(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING

    handlers = list(logging.getLogger("distributed").handlers)
    for handler in handlers:
        handler.addFilter(grave)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(grave)


class DaskSlurmBackend(DaskQueueBackend):
    """Dask workers in jobs of SLURM; see DaskQueueBackend.

    Where all nodes of the cluster are this machine, workers call back to its loopback unless `interface` says
    otherwise.
    """

    _scheduler = SLURM
    _render = slurm_script

    def _address(self) -> str:
        return slurm_address(self._interface)


class DaskPBSBackend(DaskQueueBackend):
    """Dask workers in jobs of PBS Pro or OpenPBS; see DaskQueueBackend."""

    _scheduler = PBS
    _render = pbs_script


class DaskLSFBackend(DaskQueueBackend):
    """Dask workers in jobs of LSF; see DaskQueueBackend."""

    _scheduler = LSF
    _render = lsf_script
