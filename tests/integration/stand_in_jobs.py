"""Runs jobs as local processes on made-up nodes, first come first served; stand-in schedulers share it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["CPUS", "GPUS", "MEMORY", "NODES", "Job", "Keeper", "Request"]

NODES, CPUS, MEMORY, GPUS = ("n1", "n2", "n3"), 8, 64000 * 2**20, 4  # CPUs, bytes and GPUs of each node
_GRACE_S = 2.0


@dataclass
class Request:
    """What is asked for, as the scheduler understood it: memory in bytes, time in seconds.

    Values of the environment may hold {id}, {node}, {gpus} and {nodefile}.
    """

    name: str
    queue: str
    command: list[str]
    cpus: int
    memory: int
    seconds: int
    gpus: int = 0
    out: str = "/dev/null"
    err: str = "/dev/null"
    environment: dict[str, str] = field(default_factory=dict)
    exclusive: bool = False


@dataclass
class Job:
    """A request, and what became of it; an exit code below 0 is a signal's, as subprocess has it."""

    number: int
    asked: Request
    state: str = "waits"  # runs, ended
    node: str = ""
    gpus: tuple[int, ...] = ()
    exit_code: int | None = None
    reason: str = ""  # deleted, time
    began: float = 0.0
    told_to_end: float = 0.0


class Keeper:
    """Starts jobs where there is room, watches their time, and ends them with SIGTERM, then SIGKILL."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self.jobs: dict[int, Job] = {}

    def submit(self, request: Request) -> int:
        number = len(self.jobs) + 1
        self.jobs[number] = Job(number, request)
        return number

    def delete(self, number: int) -> None:
        job = self.jobs[number]
        if job.state == "waits":
            job.state, job.reason = "ended", "deleted"
        elif job.state == "runs":
            self._end(job, "deleted")

    def tick(self) -> None:
        """Do what is due; to be called often."""
        now = time.monotonic()
        for job in self.jobs.values():
            if job.state == "runs":
                self._watch(job, now)
        for job in self.jobs.values():
            if job.state == "waits" and not self._start(job):
                break  # those behind it wait their turn

    def stop(self) -> None:
        for process in self._processes.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def spool(self, job: Job, ending: str) -> Path:
        return self._place / f"{job.number}.{ending}"

    def _start(self, job: Job) -> bool:
        asked = job.asked
        for node in NODES:
            here = [other for other in self.jobs.values() if other.state == "runs" and other.node == node]
            free = [n for n in range(GPUS) if all(n not in other.gpus for other in here)]
            if (
                sum(other.asked.cpus for other in here) + asked.cpus <= CPUS
                and sum(other.asked.memory for other in here) + asked.memory <= MEMORY
                and len(free) >= asked.gpus
                and not (here and (asked.exclusive or any(other.asked.exclusive for other in here)))
            ):
                job.node, job.gpus = node, tuple(free[: asked.gpus])
                self._run(job)
                return True
        return False

    def _run(self, job: Job) -> None:
        self.spool(job, "nodes").write_text(f"{job.node}\n" * job.asked.cpus)
        facts = {"id": job.number, "node": job.node, "nodefile": str(self.spool(job, "nodes"))}
        facts["gpus"] = ",".join(map(str, job.gpus))
        environment = {name: value.format(**facts) for name, value in job.asked.environment.items()}
        with self.spool(job, "out").open("wb") as out, self.spool(job, "err").open("wb") as err:
            self._processes[job.number] = subprocess.Popen(
                job.asked.command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=environment,
                cwd=self._place,
                start_new_session=True,
            )
        job.state, job.began = "runs", time.monotonic()

    def _watch(self, job: Job, now: float) -> None:
        process = self._processes[job.number]
        if process.poll() is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what it left behind
            for ending, target in (("out", job.asked.out), ("err", job.asked.err)):
                shutil.copyfile(self.spool(job, ending), target)  # only now, as schedulers do
            job.state, job.exit_code = "ended", process.returncode
        elif job.told_to_end and now - job.told_to_end > _GRACE_S:
            os.killpg(process.pid, signal.SIGKILL)
        elif not job.told_to_end and now - job.began > job.asked.seconds:
            self._end(job, "time")

    def _end(self, job: Job, reason: str) -> None:
        if not job.told_to_end:
            job.reason, job.told_to_end = reason, time.monotonic()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._processes[job.number].pid, signal.SIGTERM)
