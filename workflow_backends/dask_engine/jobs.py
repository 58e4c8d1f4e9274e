"""Dask workers in jobs, through dask-jobqueue: our job scripts, our record of jobs, our wish for how many."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dask_jobqueue.core import Job, JobQueueCluster
from distributed.deploy import Adaptive
from distributed.deploy.spec import ProcessInterface
from distributed.security import Security

from workflow_backends.parsl_engine.commands import SchedulerError, cancel_jobs, query_jobs, submit_job
from workflow_backends.parsl_engine.schedulers import Scheduler
from workflow_backends.processes import last_line

__all__ = ["JobRun", "make_cluster"]

_INTERVAL_S = 1.0
_LOOK_S = 5.0
_ORPHAN_S = 60  # a worker ends so long after it lost the script, or never found it
_FAILURES_LIMIT = 3  # in a row, after which there is no use in more
_SILENCES_LIMIT = 2


@dataclass
class JobRun:
    """The jobs of one run.

    Parameters
    ----------
    scheduler
        Takes them.
    name
        That they share.
    directory
        For scripts, ids and output of jobs, on a file system that the nodes share.
    script
        From a job's stem and the command that starts its worker to the job's script.
    """

    scheduler: Scheduler
    name: str
    directory: Path
    script: Callable[[str, str], str]
    refusal: str | None = None  # why no job can run
    said: str = ""  # by the last job that ended before its worker ran, and that said anything
    failures: int = 0
    silences: int | None = 0  # queries that failed before any was answered; None once one was
    wanted: Callable[[], int] = field(default=lambda: 0)

    def stem(self, worker: str) -> Path:
        """Return the path of a job's files, without their endings."""
        return self.directory / f"job-{worker}"


class _QueueJob(Job):  # type: ignore[misc]  # dask-jobqueue is not typed
    config_name = "slurm"  # whose defaults in the user's files are all overridden

    def __init__(self, scheduler: str, name: str, *, run: JobRun, **settings: Any) -> None:
        super().__init__(scheduler=scheduler, name=name, **settings)
        self._run = run

    def job_script(self) -> str:
        """Return what is submitted."""
        return self._run.script(str(self._run.stem(self.name)), self._command_template)

    async def start(self) -> None:
        """Submit the job; its id is on disk when it is known."""
        run = self._run
        try:
            self.job_id = await asyncio.to_thread(
                submit_job, run.scheduler, self.job_script(), run.stem(self.name)
            )
        except SchedulerError as error:
            run.failures += 1
            run.refusal = str(error)
            return
        await ProcessInterface.start(self)

    async def close(self) -> None:
        """Cancel the job."""
        with contextlib.suppress(SchedulerError):
            if self.job_id is not None:
                await asyncio.to_thread(cancel_jobs, self._run.scheduler, [self.job_id])
        await ProcessInterface.close(self)


class _Demand(Adaptive):  # type: ignore[misc]  # distributed is not typed
    """Wants as many jobs as there is work for, and looks after those that never come."""

    looked = 0.0

    async def target(self) -> int:
        """Return how many jobs there is work for."""
        run: JobRun = self.cluster.run
        if self.requested - self.observed and time.monotonic() - self.looked > _LOOK_S:
            self.looked = time.monotonic()
            await self._look(run)
        return run.wanted()

    async def _look(self, run: JobRun) -> None:
        """Forget jobs that ended before their worker was here; others are submitted in their place."""
        waiting = {name: self.cluster.workers[name] for name in self.requested - self.observed}
        ids = {job.job_id: name for name, job in waiting.items() if job.job_id is not None}
        try:
            states = await asyncio.to_thread(query_jobs, run.scheduler, run.name, list(ids))
        except SchedulerError as error:
            if run.silences is not None and not self.observed:
                run.silences += 1
                if run.silences >= _SILENCES_LIMIT:
                    run.refusal = str(error)
            return
        run.silences = None
        if self.observed:
            run.failures = 0
        for job_id, name in ids.items():
            status = states.get(job_id)
            if (status is not None and status.live) or name in self.observed:
                continue
            del self.cluster.workers[name]
            run.failures += 1
            run.said = last_line(Path(f"{run.stem(name)}.err")) or run.said
            if run.failures >= _FAILURES_LIMIT:
                words = status.words if status is not None else "gone from the queue"
                run.refusal = f"the last {run.failures} jobs ended before their workers ran: "
                run.refusal += f"{words} {run.said}"


class _Cluster(JobQueueCluster):  # type: ignore[misc]  # dask-jobqueue is not typed
    job_cls = _QueueJob


def make_cluster(
    run: JobRun, address: str, workers_per_job: int, jobs: tuple[int, int], idle_time_limit: float
) -> Any:
    """Return a cluster whose scheduler is in this process, with TLS between all its parts.

    Parameters
    ----------
    run
        Its jobs.
    address
        Of this machine, that the scheduler listens on.
    workers_per_job
        Tasks at once in a job.
    jobs
        How many there are, at least and at most.
    idle_time_limit
        Seconds after which an idle job ends.
    """
    loopback = ["--host", "127.0.0.1"] if address == "127.0.0.1" else []
    cluster = _Cluster(
        cores=workers_per_job,
        processes=1,
        memory="1 TiB",  # the scheduler watches over that
        run=run,
        nanny=False,
        python=f"'{sys.executable}' -P",
        worker_command="workflow_backends.child distributed.cli.dask_worker",
        worker_extra_args=[
            *("--no-nanny", "--no-dashboard", "--dashboard-address", "127.0.0.1:0"),
            *("--memory-limit", "0", *loopback),
        ],
        death_timeout=_ORPHAN_S,
        security=_security(run.directory),
        local_directory=str(run.directory / "dask"),
        log_directory=str(run.directory),
        scheduler_options={
            **{"host": address, "port": 0, "dashboard": False, "dashboard_address": "127.0.0.1:0"},
            **{"allowed_failures": 0, "local_directory": str(run.directory / "dask")},
        },
        interface="",
        name=run.name,
    )
    cluster.run = run
    cluster.adapt(
        _Demand,
        minimum=jobs[0],
        maximum=jobs[1],
        interval=f"{_INTERVAL_S} s",
        wait_count=max(1, round(idle_time_limit / _INTERVAL_S)),
    )
    return cluster


def _security(directory: Path) -> Security:
    """Return keys of this run's own, in files that the jobs read."""
    made = Security.temporary()
    files = {}
    for name, text in (
        ("ca_file", made.tls_ca_file),
        ("cert", made.tls_client_cert),
        ("key", made.tls_client_key),
    ):
        files[name] = str(directory / f"tls-{name}.pem")
        with open(os.open(files[name], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123
            file.write(text)
    roles = {
        f"tls_{role}_{name}": files[name]
        for role in ("client", "scheduler", "worker")
        for name in ("cert", "key")
    }
    return Security(require_encryption=True, tls_ca_file=files["ca_file"], **roles)
