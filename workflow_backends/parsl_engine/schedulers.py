"""How to talk to each scheduler: its commands, and how to read their answers. Nothing here needs Parsl."""

from __future__ import annotations

import getpass
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["GRID_ENGINE", "LSF", "PBS", "SLURM", "JobStatus", "Scheduler", "kubernetes", "scheduler_named"]

_LIVE = ("PENDING", "RUNNING")


@dataclass(frozen=True)
class JobStatus:
    """What a scheduler says of a job.

    Parameters
    ----------
    state
        PENDING, RUNNING, COMPLETED, FAILED, CANCELLED or TIMEOUT.
    words
        The scheduler's own words for it.
    stuck
        Whether the job, although it ended, stays in the queue until it is cancelled.
    """

    state: str
    words: str
    stuck: bool = False

    @property
    def live(self) -> bool:
        """Whether the job waits or runs."""
        return self.state in _LIVE


@dataclass(frozen=True)
class Scheduler:
    """The commands of a scheduler.

    Parameters
    ----------
    name
        For `scheduler_named`.
    submit
        The command whose standard input is the job script.
    job_id
        Finds the job's id in the answer to that, as group 1.
    query
        The command that lists the jobs of a run, from the run's name and the jobs' ids.
    read
        From the answer to that to the jobs' states by id.
    cancel
        The command before the ids of jobs to cancel.
    unknown
        What query and cancellation say of jobs that ended.
    no_history, live_query
        What the query says where the site keeps no record of jobs that ended, and the query that works there.
    of_run
        Whether the query lists the jobs of the run only.
    speaker
        Who refuses, where it is not the command.
    """

    name: str
    submit: tuple[str, ...]
    job_id: str
    query: Callable[[str, Sequence[str]], list[str]]
    read: Callable[[str], dict[str, JobStatus]]
    cancel: tuple[str, ...]
    unknown: str = r"(?!)"
    no_history: str = r"(?!)"
    live_query: Callable[[str, Sequence[str]], list[str]] | None = None
    of_run: bool = True
    speaker: str = ""

    def id_of(self, answer: str) -> str | None:
        """Return the job's id in what the submission printed; None while it has printed none."""
        found = re.search(self.job_id, answer, flags=re.MULTILINE)
        return found and found[1]


def _status(words: Mapping[str, str], state: str, reason: str = "") -> JobStatus:
    shown = f"{state} ({reason})" if reason.strip("() \t") not in ("", "None", "-") else state
    return JobStatus(words.get(state, "RUNNING"), shown)


_SLURM_STATES = {
    "PENDING": "PENDING", "CONFIGURING": "PENDING", "REQUEUED": "PENDING",
    "REQUEUE_HOLD": "PENDING", "REQUEUE_FED": "PENDING", "SPECIAL_EXIT": "PENDING",
    "COMPLETED": "COMPLETED", "CANCELLED": "CANCELLED", "REVOKED": "CANCELLED",
    "TIMEOUT": "TIMEOUT", "DEADLINE": "TIMEOUT", "PREEMPTED": "TIMEOUT",
    "FAILED": "FAILED", "NODE_FAIL": "FAILED", "BOOT_FAIL": "FAILED", "OUT_OF_MEMORY": "FAILED",
}  # fmt: skip  # all others hold their nodes


def _slurm_query(run: str, _: Sequence[str]) -> list[str]:
    return ["squeue", "--noheader", "--me", f"--name={run}", "--states=all", "--format=%i|%T|%r"]


def _read_slurm(answer: str) -> dict[str, JobStatus]:
    rows = (line.split("|", 2) for line in answer.splitlines() if line.count("|") >= 2)
    return {job: _status(_SLURM_STATES, state, reason) for job, state, reason in rows}


SLURM = Scheduler(
    "slurm",
    submit=("sbatch", "--parsable"),
    job_id=r"^(\d+)",
    query=_slurm_query,
    read=_read_slurm,
    cancel=("scancel",),
)


_PBS_STATES = {"Q": "PENDING", "H": "PENDING", "W": "PENDING", "T": "PENDING", "M": "PENDING"}
_PBS_ENDS = {0: "COMPLETED", -29: "TIMEOUT", 256 + 15: "CANCELLED"}  # at its walltime; by SIGTERM, as of qdel


def _pbs_query(_: str, ids: Sequence[str]) -> list[str]:
    return ["qstat", "-x", "-f", "-F", "json", *ids]


def _pbs_live_query(_: str, ids: Sequence[str]) -> list[str]:
    return ["qstat", "-f", "-F", "json", *ids]


def _read_pbs(answer: str) -> dict[str, JobStatus]:
    jobs = json.loads(answer).get("Jobs", {}) if answer.strip() else {}
    return {job: _pbs_status(facts) for job, facts in jobs.items()}


def _pbs_status(facts: Mapping[str, object]) -> JobStatus:
    state, comment = str(facts.get("job_state")), str(facts.get("comment", ""))
    if state not in ("F", "X"):
        return _status(_PBS_STATES, state, comment)
    if "Exit_status" not in facts:
        return JobStatus("CANCELLED", f"{state} (it never ran) {comment}".strip())
    code = int(str(facts["Exit_status"]))
    return JobStatus(_PBS_ENDS.get(code, "FAILED"), f"{state} (exit status {code}) {comment}".strip())


PBS = Scheduler(
    "pbs",
    submit=("qsub",),
    job_id=r"^(\d\S*)\s*$",
    query=_pbs_query,
    read=_read_pbs,
    cancel=("qdel",),
    unknown=r"Unknown Job Id|Job has finished",
    no_history=r"job.history",
    live_query=_pbs_live_query,
    of_run=False,
)


_LSF_STATES = {
    "PEND": "PENDING", "PSUSP": "PENDING", "WAIT": "PENDING", "DONE": "COMPLETED", "EXIT": "FAILED"
}  # fmt: skip


def _lsf_query(run: str, _: Sequence[str]) -> list[str]:
    return ["bjobs", "-a", "-J", run, "-noheader", "-o", "jobid stat exit_reason delimiter='|'"]


def _read_lsf(answer: str) -> dict[str, JobStatus]:
    rows = (line.split("|", 2) for line in answer.splitlines() if line.count("|") >= 2)
    return {job.strip(): _lsf_status(state.strip(), reason.strip()) for job, state, reason in rows}


def _lsf_status(state: str, reason: str) -> JobStatus:
    ends = {"TERM_RUNLIMIT": "TIMEOUT", "TERM_OWNER": "CANCELLED", "TERM_ADMIN": "CANCELLED"}
    end = next((ends[word] for word in ends if word in reason), None) if state == "EXIT" else None
    status = _status(_LSF_STATES, state, reason)
    return status if end is None else JobStatus(end, status.words)


LSF = Scheduler(
    "lsf",
    submit=("bsub",),
    job_id=r"Job <(\d+)>",
    query=_lsf_query,
    read=_read_lsf,
    cancel=("bkill",),
    unknown=r"is not found|No (matching |unfinished )?job found|has already finished",
)


def _grid_engine_query(_run: str, _ids: Sequence[str]) -> list[str]:
    return ["qstat", "-u", getpass.getuser()]


def _read_grid_engine(answer: str) -> dict[str, JobStatus]:
    rows = (line.split() for line in answer.splitlines())
    return {row[0]: _grid_engine_status(row[4]) for row in rows if len(row) > 4 and row[0].isdigit()}


def _grid_engine_status(state: str) -> JobStatus:
    # Of several letters: E is an error that only its user can clear, d a deletion that its host has yet to
    # carry out, w waits, all others hold their slots.
    over = "FAILED" if "E" in state else "CANCELLED" if "d" in state else None
    return JobStatus(over or ("PENDING" if "w" in state else "RUNNING"), state, stuck=over is not None)


GRID_ENGINE = Scheduler(
    "grid engine",
    submit=("qsub", "-terse"),
    job_id=r"^(\d+)",
    query=_grid_engine_query,
    read=_read_grid_engine,
    cancel=("qdel",),
    of_run=False,
)


_KUBERNETES = "kubernetes "
_PODS = (sys.executable, "-P", str(Path(__file__).with_name("pods.py")))
_POD_PHASES = {"Pending": "PENDING", "Succeeded": "COMPLETED", "Failed": "FAILED"}
_NO_FAULT_OF_THE_POD = ("DeadlineExceeded", "Evicted", "NodeLost", "NodeShutdown", "Preempting", "Terminated")
_NO_CONTAINER = (
    *("ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"),
    *("CreateContainerConfigError", "CreateContainerError"),
)


def _read_kubernetes(answer: str) -> dict[str, JobStatus]:
    pods = json.loads(answer)["items"] if answer.strip() else []
    return {f"pod/{pod['metadata']['name']}": _pod_status(pod) for pod in pods}


def _pod_status(pod: Mapping[str, Any]) -> JobStatus:
    """Return a pod's state; one that ended stays until it is deleted, and one that is deleted for a while."""
    facts = pod["status"]
    phase, reason = str(facts.get("phase")), str(facts.get("reason", ""))
    if "deletionTimestamp" in pod["metadata"]:
        return JobStatus("CANCELLED", f"{phase} (deleted)", stuck=True)
    state = _POD_PHASES.get(phase, "RUNNING")
    kind, detail = _container_reason(facts)
    if phase == "Pending" and kind in _NO_CONTAINER:
        state = "FAILED"
    elif phase == "Failed" and reason in _NO_FAULT_OF_THE_POD:
        state = "TIMEOUT"
    reasons = (reason, kind, detail, _unscheduled(facts)) if state != "RUNNING" else ()
    shown = ": ".join(filter(None, reasons))
    return JobStatus(state, f"{phase} ({shown})" if shown else phase, stuck=state not in _LIVE)


def _container_reason(facts: Mapping[str, Any]) -> tuple[str, str]:
    """Return why a container does not run, or ended: a word, and the last line that was said."""
    for container in facts.get("containerStatuses", []):
        for name in ("waiting", "terminated"):
            if state := container.get("state", {}).get(name):
                return state.get("reason", ""), (state.get("message", "").strip().splitlines() or [""])[-1]
    return "", ""


def _unscheduled(facts: Mapping[str, Any]) -> str:
    reasons = (c.get("message") for c in facts.get("conditions", []) if c.get("status") == "False")
    return next(filter(None, reasons), "") if facts.get("phase") == "Pending" else ""


def kubernetes(namespace: str) -> Scheduler:
    """Return what stands for the commands of a scheduler with the pods of a namespace; see pods.py."""

    def query(run: str, _: Sequence[str]) -> list[str]:
        return [*_PODS, "list", namespace, f"workflow-backends/run={run}"]

    return Scheduler(
        f"{_KUBERNETES}{namespace}",
        submit=(*_PODS, "create", namespace),
        job_id=r"^(pod/\S+)",
        query=query,
        read=_read_kubernetes,
        cancel=(*_PODS, "delete", namespace),
        speaker="Kubernetes",
    )


def scheduler_named(name: str) -> Scheduler:
    """Return the scheduler whose `name` this is."""
    if name.startswith(_KUBERNETES):
        return kubernetes(name.removeprefix(_KUBERNETES))
    return {item.name: item for item in (SLURM, PBS, LSF, GRID_ENGINE)}[name]
