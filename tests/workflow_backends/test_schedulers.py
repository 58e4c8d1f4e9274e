"""How the schedulers' answers are read, from their documented formats."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from workflow_backends.parsl_engine import commands
from workflow_backends.parsl_engine.canceller import end_jobs
from workflow_backends.parsl_engine.commands import (
    SchedulerError,
    ask,
    cancel_jobs,
    query_jobs,
    recorded_ids,
    submit_job,
    unanswered,
)
from workflow_backends.parsl_engine.schedulers import (
    GRID_ENGINE,
    LSF,
    PBS,
    SLURM,
    Scheduler,
    kubernetes,
    scheduler_named,
)

PODS = kubernetes("chemistry")


@pytest.mark.parametrize(
    ("scheduler", "answer", "job"),
    [
        (SLURM, "123\n", "123"),
        (SLURM, "123;cluster2\n", "123"),
        (PBS, "6021.pbs-server\n", "6021.pbs-server"),
        (LSF, "Job <77> is submitted to default queue <normal>.\n", "77"),
        (GRID_ENGINE, "42\n", "42"),
        (PODS, "pod/wb-1-block-0\n", "pod/wb-1-block-0"),
        (SLURM, "", None),
        (LSF, "Request aborted by esub. Job not submitted.\n", None),
    ],
)
def test_the_id_in_the_answer_to_a_submission(scheduler: Scheduler, answer: str, job: str | None) -> None:
    assert scheduler.id_of(answer) == job


_PBS_ANSWER = {
    "Jobs": {
        "1.srv": {"job_state": "Q", "comment": "Not Running: Insufficient amount of resource: ngpus"},
        "2.srv": {"job_state": "R"},
        "3.srv": {"job_state": "F", "Exit_status": 0},
        "4.srv": {"job_state": "F", "Exit_status": -29},
        "5.srv": {"job_state": "F", "Exit_status": 127, "comment": "Job run at ..."},
        "6.srv": {"job_state": "S"},
        "7.srv": {"job_state": "F"},
        "8.srv": {"job_state": "F", "Exit_status": 271},
    }
}


def _pod(name: str, phase: str, container: object = None, **facts: object) -> dict[str, object]:
    metadata = {"name": name} | ({"deletionTimestamp": "now"} if facts.pop("deleted", False) else {})
    containers = [] if container is None else [{"state": container}]
    return {"metadata": metadata, "status": {"phase": phase, "containerStatuses": containers} | facts}


_PULL = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "x"'}
_FULL = {"status": "False", "message": "0/9 nodes are available: 9 Insufficient cpu."}
_LAST = {"reason": "Error", "exitCode": 127, "message": "set up\nbash: module: command not found\n"}
_PODS_ANSWER = {
    "items": [
        _pod("a", "Running", {"running": {}}),
        _pod("b", "Pending", conditions=[{"status": "True"}, _FULL]),
        _pod("c", "Pending", {"waiting": _PULL}),
        _pod("d", "Failed", reason="DeadlineExceeded"),
        _pod("e", "Failed", {"terminated": _LAST}),
        _pod("f", "Succeeded", {"terminated": {"reason": "Completed", "exitCode": 0}}),
        _pod("g", "Pending", {"waiting": {"reason": "ContainerCreating"}}),
        _pod("h", "Running", {"running": {}}, deleted=True),
        _pod("i", "Failed", reason="Evicted"),
    ]
}
_ANSWERS = {
    "slurm": (
        SLURM,
        "1|PENDING|Resources\n2|RUNNING|None\n3|COMPLETING|None\n4|TIMEOUT|TimeLimit\n5|NODE_FAIL|None\n"
        "6|PREEMPTED|None\n7|SUSPENDED|None\n8|CANCELLED|None\n9|COMPLETED|None\n10|OUT_OF_MEMORY|OutOfMemory\n",
        "PENDING RUNNING RUNNING TIMEOUT FAILED TIMEOUT RUNNING CANCELLED COMPLETED FAILED",
        {"1": "PENDING (Resources)", "2": "RUNNING", "10": "OUT_OF_MEMORY (OutOfMemory)"},
    ),
    "pbs": (
        PBS,
        json.dumps(_PBS_ANSWER),
        "PENDING RUNNING COMPLETED TIMEOUT FAILED RUNNING CANCELLED CANCELLED",
        {"1.srv": "Q (Not Running: Insufficient amount of resource: ngpus)"},
    ),
    "lsf": (
        LSF,
        "11|PEND|-\n12|RUN|-\n13|DONE|-\n14|EXIT|TERM_RUNLIMIT: killed at its run limit\n"
        "15|EXIT|-\n16|SSUSP|-\n17|EXIT|TERM_OWNER: job killed by owner\n",
        "PENDING RUNNING COMPLETED TIMEOUT FAILED RUNNING CANCELLED",
        {"11": "PEND"},
    ),
    "grid engine": (
        GRID_ENGINE,
        "job-ID  prior   name       user         state submit/start at     queue          slots ja-task-ID\n"
        "--------------------------------------------------------------------------------------------------\n"
        "      7 0.55500 wb-0a1b2c  root         r     11/23/2026 01:02:03 all.q@node1        2\n"
        "      8 0.00000 wb-0a1b2c  root         qw    11/23/2026 01:02:03                    2\n"
        "      9 0.55500 wb-0a1b2c  root         t     11/23/2026 01:02:03 all.q@node1        2\n"
        "     10 0.00000 wb-0a1b2c  root         Eqw   11/23/2026 01:02:03                    2\n"
        "     11 0.00000 wb-0a1b2c  root         hqw   11/23/2026 01:02:03                    2\n"
        "     12 0.55500 wb-0a1b2c  root         dr    11/23/2026 01:02:03 all.q@node1        2\n",
        "RUNNING PENDING RUNNING FAILED PENDING CANCELLED",
        {"10": "Eqw"},
    ),
    "kubernetes": (
        PODS,
        json.dumps(_PODS_ANSWER),
        "RUNNING PENDING FAILED TIMEOUT FAILED COMPLETED PENDING CANCELLED TIMEOUT",
        {
            "pod/b": "Pending (0/9 nodes are available: 9 Insufficient cpu.)",
            "pod/c": 'Pending (ImagePullBackOff: Back-off pulling image "x")',
            "pod/e": "Failed (Error: bash: module: command not found)",
            "pod/g": "Pending (ContainerCreating)",
        },
    ),
}


@pytest.mark.parametrize("name", _ANSWERS)
def test_the_states_of_jobs(name: str) -> None:
    scheduler, answer, states, words = _ANSWERS[name]
    found = scheduler.read(answer)
    assert " ".join(status.state for status in found.values()) == states
    assert {job: found[job].words for job in words} == words
    assert scheduler.read("") == {}


def test_a_scheduler_is_found_by_its_name() -> None:
    for scheduler in (SLURM, PBS, LSF, GRID_ENGINE):
        assert scheduler_named(scheduler.name) is scheduler
    assert scheduler_named(PODS.name).cancel == PODS.cancel
    assert PODS.query("wb-1", [])[-3:] == ["list", "chemistry", "workflow-backends/run=wb-1"]


def test_pods_that_ended_are_deleted_too() -> None:
    stuck = {pod for pod, status in PODS.read(json.dumps(_PODS_ANSWER)).items() if status.stuck}
    assert stuck == {f"pod/{name}" for name in "cdefhi"}


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for stand-ins of a scheduler's programs, first on PATH."""
    place = tmp_path / "bin"
    place.mkdir()
    monkeypatch.setenv("PATH", str(place), prepend=os.pathsep)
    return place


def _program(place: Path, name: str, text: str) -> None:
    (place / name).write_text(f"#!/bin/bash\n{text}\n")
    (place / name).chmod(stat.S_IRWXU)


def test_a_submission_leaves_script_and_id(programs: Path, tmp_path: Path) -> None:
    _program(programs, "sbatch", f"cat > {tmp_path}/received; echo 5")
    assert submit_job(SLURM, "#!/bin/bash\n", tmp_path / "block-0") == "5"
    assert (tmp_path / "received").read_text(encoding="utf-8") == "#!/bin/bash\n"
    assert recorded_ids(SLURM, tmp_path) == ["5"]
    assert not unanswered(tmp_path)


def test_a_refusal_has_the_schedulers_words_in_one_line(programs: Path, tmp_path: Path) -> None:
    _program(programs, "qsub", "echo 'qsub: Unknown queue' >&2; echo 'try another'; exit 1")
    with pytest.raises(SchedulerError, match=r"^qsub refused the job: qsub: Unknown queue try another$"):
        submit_job(GRID_ENGINE, "", tmp_path / "block-0")
    assert recorded_ids(SLURM, tmp_path) == []
    assert not unanswered(tmp_path)


def test_a_command_that_hangs_is_named_with_what_it_said(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "_SUBMIT_S", 0.5)
    monkeypatch.setattr(commands, "_ANSWER_S", 0.5)
    _program(programs, "sbatch", "echo 'sbatch: error: sleeping and retrying' >&2; exec sleep 60")
    with pytest.raises(
        SchedulerError, match=r"^sbatch did not answer within 0 s: sbatch: error: sleeping and retrying$"
    ):
        submit_job(SLURM, "", tmp_path / "block-0")
    assert not unanswered(tmp_path)
    for name in ("squeue", "scancel", "sinfo"):
        _program(programs, name, "exec sleep 60")
    for ask_for in (
        lambda: query_jobs(SLURM, "wb-1", ["5"]),
        lambda: cancel_jobs(SLURM, ["5"]),
        lambda: ask(["sinfo"]),
    ):
        with pytest.raises(SchedulerError, match=r"^s(queue|cancel|info) did not answer within 0 s$"):
            ask_for()


def test_an_answer_without_an_id_is_a_refusal(programs: Path, tmp_path: Path) -> None:
    _program(programs, "bsub", "echo 'Request aborted by esub'")
    with pytest.raises(SchedulerError, match="bsub refused the job: Request aborted by esub"):
        submit_job(LSF, "", tmp_path / "block-0")


def test_jobs_that_nobody_knows_any_more_are_no_error(programs: Path) -> None:
    _program(programs, "qstat", "echo 'qstat: Unknown Job Id 6.srv' >&2; exit 153")
    assert query_jobs(PBS, "wb-1", ["6.srv"]) == {}
    _program(programs, "qstat", "echo 'qstat: cannot connect to server srv' >&2; exit 1")
    with pytest.raises(SchedulerError, match="qstat failed: qstat: cannot connect to server srv"):
        query_jobs(PBS, "wb-1", ["6.srv"])
    _program(programs, "qstat", "echo not json")
    with pytest.raises(SchedulerError, match="qstat gave an answer that cannot be read"):
        query_jobs(PBS, "wb-1", ["6.srv"])


def test_jobs_are_found_where_pbs_keeps_no_history(programs: Path) -> None:
    live = json.dumps({"Jobs": {"6.srv": {"job_state": "R"}}})
    words = "qstat: PBS is not configured to maintain job history 6.srv"
    _program(programs, "qstat", f"if [ $1 = -x ]; then echo '{words}' >&2; else echo '{live}'; fi")
    assert query_jobs(PBS, "wb-1", ["6.srv"])["6.srv"].state == "RUNNING"


def test_jobs_of_others_are_not_asked_for(programs: Path) -> None:
    _program(programs, "qstat", f"echo '{json.dumps(_PBS_ANSWER)}'")
    assert query_jobs(PBS, "wb-1", []) == {}
    assert list(query_jobs(PBS, "wb-1", ["2.srv"])) == ["2.srv"]


def test_cancelling_what_has_ended_is_no_error(programs: Path) -> None:
    _program(programs, "qdel", "echo 'qdel: Job has finished 6.srv' >&2; exit 35")
    cancel_jobs(PBS, ["6.srv", "7.srv"])
    _program(programs, "bkill", "echo 'Job <6>: Job has already finished' >&2; exit 255")
    cancel_jobs(LSF, ["6"])
    _program(
        programs,
        "qdel",
        "printf 'qdel: Job has finished 6.srv\\nqdel: Unauthorized Request\\n' >&2; exit 159",
    )
    with pytest.raises(SchedulerError, match=r"qdel failed: .*Unauthorized"):
        cancel_jobs(PBS, ["6.srv", "7.srv"])
    _program(programs, "qdel", "exit 1")
    with pytest.raises(SchedulerError, match="qdel failed: it gave no reason"):
        cancel_jobs(PBS, ["6.srv"])


_ROW = "{} 0.5 wb root {} 11/23/2026 01:02:03 all.q 1"


def test_only_jobs_of_the_run_are_cancelled_and_stuck_ones_too(programs: Path, tmp_path: Path) -> None:
    queue = tmp_path / "queue"
    queue.write_text("\n".join([_ROW.format(3, "r"), _ROW.format(4, "Eqw"), _ROW.format(99, "r")]) + "\n")
    _program(programs, "qstat", f"cat {queue}")
    _program(
        programs,
        "qdel",
        f'echo "$@" >> {tmp_path}/cancelled\nfor job in "$@"; do sed -i "/^$job /d" {queue}; done',
    )
    for number, job in enumerate(("3", "4", "5")):  # of which the last has ended
        (tmp_path / f"block-{number}.id").write_text(f"{job}\n")
    assert end_jobs(GRID_ENGINE, "wb-1", tmp_path, 20)
    assert sorted((tmp_path / "cancelled").read_text(encoding="utf-8").split()) == ["3", "4"]
    assert queue.read_text(encoding="utf-8").startswith("99 ")


def test_cancelling_gives_up_when_its_time_is_over(programs: Path, tmp_path: Path) -> None:
    _program(programs, "qstat", f"echo '{_ROW.format(3, 'r')}'")
    _program(programs, "qdel", "")
    (tmp_path / "block-0.id").write_text("3\n")
    assert not end_jobs(GRID_ENGINE, "wb-1", tmp_path, 1)
