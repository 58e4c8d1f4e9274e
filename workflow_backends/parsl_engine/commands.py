"""Runs the schedulers' commands, within a time, apart from the script's signals; keeps jobs' ids on disk."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from workflow_backends.errors import WorkflowBackendError
from workflow_backends.parsl_engine.schedulers import JobStatus, Scheduler

__all__ = ["SchedulerError", "ask", "cancel_jobs", "query_jobs", "recorded_ids", "submit_job", "unanswered"]

_SUBMIT_S = 30.0  # a loaded scheduler may take 10 to 20
_ANSWER_S = 20.0
_ENDING = ".id"


class SchedulerError(WorkflowBackendError):
    """A scheduler's command failed; the message has its own words."""


def submit_job(scheduler: Scheduler, script: str, stem: Path) -> str:
    """Submit a job and return its id, which its scheduler's command itself has written to disk by then.

    Whatever ends this process, the command goes on and leaves the id in the file ``stem.id``.

    Parameters
    ----------
    scheduler
        Takes the job.
    script
        The job's script; kept as ``stem.job``.
    stem
        Path of the job's files, without their endings.

    Raises
    ------
    SchedulerError
        The job was refused, or the scheduler does not answer.
    """
    Path(f"{stem}.job").write_text(script, encoding="utf-8")
    record = Path(f"{stem}{_ENDING}")
    try:
        with record.open("wb") as answer:
            run = _run([*scheduler.submit], _SUBMIT_S, script=Path(f"{stem}.job"), answer=answer.fileno())
        return _accepted(scheduler, run, record.read_text(encoding="utf-8", errors="replace"))
    except SchedulerError:
        record.unlink()
        raise


def _accepted(scheduler: Scheduler, run: subprocess.CompletedProcess[str], printed: str) -> str:
    job_id = scheduler.id_of(printed)
    if run.returncode != 0 or job_id is None:
        raise SchedulerError(
            f"{scheduler.speaker or scheduler.submit[0]} refused the job: {_words(run.stderr, printed)}"
        )
    return job_id


def query_jobs(scheduler: Scheduler, run: str, ids: Sequence[str]) -> dict[str, JobStatus]:
    """Ask for the states of a run's jobs, all with one command; jobs that nobody knows any more are left out.

    Raises
    ------
    SchedulerError
        The scheduler does not answer.
    """
    if not (ids or scheduler.of_run):
        return {}  # without ids, the query would be for everybody's
    command = scheduler.query(run, ids)
    result = _run(command, _ANSWER_S)
    if scheduler.live_query is not None and re.search(scheduler.no_history, result.stderr):
        command = scheduler.live_query(run, ids)
        result = _run(command, _ANSWER_S)
    if result.returncode != 0 and not re.search(scheduler.unknown, result.stderr):
        raise SchedulerError(
            f"{scheduler.speaker or command[0]} failed: {_words(result.stderr, result.stdout)}"
        )
    try:
        found = scheduler.read(result.stdout)
    except (ValueError, LookupError) as error:
        raise SchedulerError(
            f"{scheduler.speaker or command[0]} gave an answer that cannot be read: {error}"
        ) from error
    return found if scheduler.of_run else {job: found[job] for job in ids if job in found}


def cancel_jobs(scheduler: Scheduler, ids: Iterable[str]) -> None:
    """Cancel jobs; those that ended meanwhile are no error.

    Raises
    ------
    SchedulerError
        The scheduler does not answer.
    """
    command = [*scheduler.cancel, *ids]
    result = _run(command, _ANSWER_S)
    known = [line for line in result.stderr.splitlines() if not re.search(scheduler.unknown, line)]
    if result.returncode != 0 and (known or not result.stderr):
        raise SchedulerError(
            f"{scheduler.speaker or command[0]} failed: {_words(result.stderr, result.stdout)}"
        )


def ask(command: list[str]) -> str:
    """Run a command that only answers, and return what it prints.

    Raises
    ------
    SchedulerError
        It fails.
    """
    result = _run(command, _ANSWER_S)
    if result.returncode != 0:
        raise SchedulerError(f"{command[0]} failed: {_words(result.stderr, result.stdout)}")
    return result.stdout


def recorded_ids(scheduler: Scheduler, directory: Path) -> list[str]:
    """Return the ids of all jobs that were submitted from a directory."""
    answers = (path.read_text(errors="replace") for path in directory.glob(f"*{_ENDING}"))
    return [job for job in map(scheduler.id_of, answers) if job is not None]


def unanswered(directory: Path) -> bool:
    """Tell whether a submission from a directory is still under way."""
    return any(path.stat().st_size == 0 for path in directory.glob(f"*{_ENDING}"))


def _run(
    command: list[str], timeout: float, script: Path | None = None, answer: int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """Run a command in a session of its own: a Ctrl-C for the script may not lose a job's id."""
    given = os.open(script or os.devnull, os.O_RDONLY)
    try:
        return subprocess.run(
            command,
            stdin=given,
            stdout=answer,
            stderr=subprocess.PIPE,
            timeout=timeout,
            text=True,
            errors="replace",
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired as error:
        said = " ".join((error.stderr or b"").decode(errors="replace").split())  # bytes, whatever text= says
        silence = f"{command[0]} did not answer within {timeout:.0f} s"
        raise SchedulerError(f"{silence}: {said}" if said else silence) from error
    except OSError as error:
        reason = f"{error.strerror}; it must be on PATH on this machine"
        raise SchedulerError(f"{command[0]} cannot be run: {reason}") from error
    finally:
        os.close(given)


def _words(*texts: str | None) -> str:
    """Return what a command said, in one line."""
    return " ".join(" ".join(filter(None, texts)).split()) or "it gave no reason"
