"""Blocks of workers that are jobs of a scheduler."""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parsl.jobs.states import JobState
from parsl.jobs.states import JobStatus as ParslStatus
from parsl.providers.base import ExecutionProvider
from parsl.providers.errors import SubmitException

from workflow_backends.parsl_engine.canceller import end_jobs, start_canceller
from workflow_backends.parsl_engine.commands import SchedulerError, cancel_jobs, query_jobs, submit_job
from workflow_backends.parsl_engine.schedulers import JobStatus, Scheduler
from workflow_backends.processes import last_line

__all__ = ["BUSY_POLL_S", "QueueProvider"]

BUSY_POLL_S, _QUIET_POLL_S = 5.0, 60.0
_UNLISTED_S = 30.0  # after which a job that the scheduler does not list is over
_PATIENCE_S = 60.0
_AFTER_REFUSAL_S = 30.0
_STOP_S = 15.0
_logger = logging.getLogger(__name__)


@dataclass
class _Block:
    stem: Path
    submitted: float = field(default_factory=time.monotonic)
    status: JobStatus = field(default_factory=lambda: JobStatus("PENDING", "submitted"))
    warned: bool = False

    @property
    def age(self) -> float:
        """Seconds since it was submitted."""
        return time.monotonic() - self.submitted

    @property
    def began(self) -> bool:
        """Whether it is sure to have begun: schedulers make the file of a job's messages then."""
        return Path(f"{self.stem}.err").exists()


class QueueProvider(ExecutionProvider):  # type: ignore[misc]  # parsl is not typed
    """Parsl's provider for any scheduler: what it asks and how it reads the answers is the scheduler's own.

    Jobs are cancelled by a process of their own once this one stops or dies (see canceller.py).

    Parameters
    ----------
    scheduler
        Takes the jobs.
    run
        The name that all jobs of the run share.
    directory
        For scripts, ids and output of jobs, on a file system that the nodes share.
    script
        From a job's stem and the command that starts its workers to the job's script.
    nodes_per_job, minimum, maximum
        Nodes of a job, and how many jobs there are.
    """

    init_blocks = 0
    parallelism = 1
    cores_per_node = None
    mem_per_node = None
    script_dir = None
    label = "queue"

    def __init__(
        self,
        scheduler: Scheduler,
        run: str,
        directory: Path,
        script: Callable[[str, str], str],
        *,
        nodes_per_job: int,
        minimum: int,
        maximum: int,
    ) -> None:
        self.nodes_per_block = nodes_per_job
        self.min_blocks = minimum
        self.refusal: str | None = None  # why the scheduler takes no job, where it has never taken one
        self.silence: str | None = None  # why it tells nothing of jobs, where it has never told anything
        self._maximum = maximum
        self._scheduler = scheduler
        self._run = run
        self._directory = directory
        self._script = script
        self._blocks: dict[str, _Block] = {}
        self._try_again = 0.0
        self._unanswered = 0  # queries, since the last answer
        self._answered = False
        self._changing = threading.Lock()
        self._closed = False
        self._canceller: subprocess.Popen[bytes] | None = None

    @property
    def max_blocks(self) -> int:
        """How many blocks there may be now: none more for a while after the scheduler refused one."""
        return self._maximum if time.monotonic() >= self._try_again else len(self._live())

    @property
    def status_polling_interval(self) -> float:
        """Seconds between two queries: few while a job waits in the queue, many while all are at work."""
        waiting = any(block.status.state == "PENDING" for block in self._blocks.values())
        return BUSY_POLL_S if waiting else _QUIET_POLL_S

    def submit(self, command: str, tasks_per_node: int, job_name: str = "block") -> str:  # noqa: ARG002
        """Submit a block; return its job's id."""
        with self._changing:
            if self._closed:
                raise SubmitException(job_name, "the backend is stopping")
            if self._canceller is None:
                self._canceller = start_canceller(self._scheduler, self._run, self._directory)
            stem = self._directory / job_name.rpartition(".")[2]
            self.refusal = None
            try:
                job = submit_job(self._scheduler, self._script(str(stem), command), stem)
            except SchedulerError as error:
                self.refusal = (
                    None if self._blocks else str(error)
                )  # a scheduler that took others may recover
                self._try_again = time.monotonic() + _AFTER_REFUSAL_S
                _logger.warning("%s", error)
                raise SubmitException(job_name, str(error)) from error
            self._blocks[job] = _Block(stem)
            return job

    def status(self, job_ids: Sequence[str]) -> list[Any]:
        """Return the state of each job, found out with one query."""
        live = self._live()
        if live:
            try:
                listed = query_jobs(self._scheduler, self._run, list(live))
            except SchedulerError as error:
                self._note_silence(error)
            else:
                self._unanswered, self._answered, self.silence = 0, True, None
                for job, block in live.items():
                    self._update(job, block, listed.get(job))
        return [_parsl_status(self._blocks[job]) for job in job_ids]

    def cancel(self, job_ids: Sequence[str]) -> list[bool]:
        """Cancel jobs."""
        left = [job for job in job_ids if self._blocks[job].status.live]
        try:
            if left and not self._closed:
                cancel_jobs(self._scheduler, left)
        except SchedulerError as error:
            _logger.warning("%s", error)
            return [job not in left for job in job_ids]
        for job in left:
            self._blocks[job].status = JobStatus("CANCELLED", "cancelled by this backend")
        return [True for _ in job_ids]

    def close(self) -> None:
        """Submit no more, and cancel every job; on return all are gone, if the scheduler answers."""
        with self._changing:
            self._closed = True
        if self._canceller is None:
            return
        self._canceller.terminate()
        try:
            ended = self._canceller.wait(_STOP_S) == 0
        except subprocess.TimeoutExpired:
            _logger.warning(
                "jobs named %s may still be in the queue; process %d goes on cancelling them",
                *(self._run, self._canceller.pid),
            )
            return
        if not ended:  # it was killed
            end_jobs(self._scheduler, self._run, self._directory, _STOP_S)

    def _note_silence(self, error: SchedulerError) -> None:
        self._unanswered += 1
        if self._unanswered == 1:
            _logger.warning("%s; asking again", error)
        elif not self._answered:  # one that answered others may recover
            self.silence = str(error)

    def _live(self) -> dict[str, _Block]:
        return {job: block for job, block in list(self._blocks.items()) if block.status.live}

    def _update(self, job: str, block: _Block, status: JobStatus | None) -> None:
        if not block.status.live:  # cancelled meanwhile
            return
        if status is None:
            if block.age < _UNLISTED_S and block.status.state == "PENDING" and not block.began:
                return
            status = JobStatus("COMPLETED", "not in the queue any more")
        changed = status.words != block.status.words
        block.status = status
        if status.state == "FAILED":
            _logger.warning("job %s: %s", job, _parsl_status(block).message)
        elif changed:
            _logger.info("job %s: %s", job, status.words)
        if status.state == "PENDING" and block.age > _PATIENCE_S and not block.warned:
            block.warned = True
            _logger.warning("job %s still waits after %.0f s: %s", job, block.age, status.words)


def _parsl_status(block: _Block) -> Any:
    """Return what Parsl is told of a block; what the job said last makes the message of a failure."""
    state = JobState[block.status.state]
    words = block.status.words
    if not block.status.live:
        words = " ".join(filter(None, (words, last_line(Path(f"{block.stem}.err")))))
    return ParslStatus(state, words)
