"""QueueProvider with stand-ins of Grid Engine's programs."""

from __future__ import annotations

import inspect
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from parsl.jobs.states import JobState
from parsl.jobs.strategy import Strategy
from parsl.providers.errors import SubmitException

from workflow_backends.parsl_engine import queue_provider
from workflow_backends.parsl_engine.queue_provider import QueueProvider
from workflow_backends.parsl_engine.schedulers import GRID_ENGINE


class _GridEngine:
    """Programs whose answers a test sets, and the calls they got."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.set("qsub", "echo 1")
        self.set("qstat", "true")
        self.set("qdel", "true")

    def set(self, name: str, text: str) -> None:
        (self._place / name).write_text(f'#!/bin/bash\necho "$@" >> {self._place}/{name}.calls\n{text}\n')
        (self._place / name).chmod(stat.S_IRWXU)

    def calls(self, name: str) -> list[str]:
        calls = self._place / f"{name}.calls"
        return calls.read_text(encoding="utf-8").splitlines() if calls.exists() else []

    def list(self, **states: str) -> None:
        rows = [f"{job[1:]} 0.5 wb root {state} 11/23/2026 01:02:03" for job, state in states.items()]
        self.set("qstat", "cat <<'END'\n" + "\n".join(rows) + "\nEND")


@pytest.fixture
def grid_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> _GridEngine:
    place = tmp_path / "bin"
    place.mkdir()
    monkeypatch.setenv("PATH", str(place), prepend=os.pathsep)
    return _GridEngine(place)


@pytest.fixture
def provider(grid_engine: _GridEngine, tmp_path: Path) -> Iterator[QueueProvider]:
    (tmp_path / "jobs").mkdir()
    made = QueueProvider(
        *(GRID_ENGINE, "wb-1", tmp_path / "jobs", lambda stem, command: f"{stem}: {command}"),
        nodes_per_job=1,
        minimum=0,
        maximum=3,
    )
    yield made
    grid_engine.set("qstat", "true")
    made.close()


def _state(provider: QueueProvider, job: str) -> Any:
    [status] = provider.status([job])
    return status.state


def test_one_query_for_all_jobs_and_none_without_one(
    provider: QueueProvider, grid_engine: _GridEngine
) -> None:
    assert provider.status([]) == []
    assert grid_engine.calls("qstat") == []
    for job in ("1", "2"):
        grid_engine.set("qsub", f"echo {job}")
        assert provider.submit("COMMAND", 1, f"parsl.workers.block-{job}") == job
    assert provider.status_polling_interval == 5
    grid_engine.list(j1="r", j2="r")
    assert [status.state for status in provider.status(["1", "2"])] == [JobState.RUNNING] * 2
    assert len(grid_engine.calls("qstat")) == 1
    assert provider.status_polling_interval == 60


def test_an_end_is_told_with_the_jobs_last_words_and_stays(
    provider: QueueProvider, grid_engine: _GridEngine, tmp_path: Path
) -> None:
    job = provider.submit("COMMAND", 1, "parsl.workers.block-0")
    grid_engine.list(j1="r")
    assert _state(provider, job) == JobState.RUNNING
    (tmp_path / "jobs" / "block-0.err").write_text("first\nlast words\n")
    grid_engine.list()
    [status] = provider.status([job])
    assert (status.state, status.message) == (JobState.COMPLETED, "not in the queue any more last words")
    grid_engine.list(j1="r")  # an id that was given again
    assert _state(provider, job) == JobState.COMPLETED


def test_a_job_just_submitted_may_not_be_listed_yet(
    provider: QueueProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = provider.submit("COMMAND", 1, "block-0")
    assert _state(provider, job) == JobState.PENDING
    monkeypatch.setattr(queue_provider, "_UNLISTED_S", 0.0)
    assert _state(provider, job) == JobState.COMPLETED


def test_a_job_that_began_and_ended_between_two_queries_is_over(
    provider: QueueProvider, tmp_path: Path
) -> None:
    job = provider.submit("COMMAND", 1, "block-0")
    assert _state(provider, job) == JobState.PENDING
    (tmp_path / "jobs" / "block-0.err").touch()
    assert _state(provider, job) == JobState.COMPLETED


def test_a_scheduler_that_does_not_answer_changes_nothing_and_is_told_once(
    provider: QueueProvider, grid_engine: _GridEngine, caplog: pytest.LogCaptureFixture
) -> None:
    job = provider.submit("COMMAND", 1, "block-0")
    grid_engine.list(j1="r")
    assert _state(provider, job) == JobState.RUNNING
    grid_engine.set("qstat", "echo 'error: commlib error: got select error' >&2; exit 1")
    for _ in range(3):
        assert _state(provider, job) == JobState.RUNNING
    assert caplog.text.count("qstat failed: error: commlib error") == 1
    assert provider.silence is None  # it answered before, so it may again


def test_a_scheduler_that_never_answered_twice_says_why(
    provider: QueueProvider, grid_engine: _GridEngine
) -> None:
    job = provider.submit("COMMAND", 1, "block-0")
    grid_engine.set("qstat", "echo 'error: no qmaster' >&2; exit 1")
    assert _state(provider, job) == JobState.PENDING
    assert provider.silence is None
    assert _state(provider, job) == JobState.PENDING
    assert provider.silence == "qstat failed: error: no qmaster"
    grid_engine.list(j1="r")
    assert _state(provider, job) == JobState.RUNNING
    assert provider.silence is None


def test_a_refusal_is_final_only_where_no_job_was_ever_taken(
    provider: QueueProvider, grid_engine: _GridEngine
) -> None:
    taken = "echo 1"
    refused = "echo 'too many jobs' >&2; exit 25"
    grid_engine.set("qsub", refused)
    with pytest.raises(SubmitException, match="too many jobs"):
        provider.submit("COMMAND", 1, "block-0")
    assert provider.refusal == "qsub refused the job: too many jobs"
    grid_engine.set("qsub", taken)
    provider.submit("COMMAND", 1, "block-1")
    assert provider.refusal is None
    grid_engine.set("qsub", refused)
    with pytest.raises(SubmitException, match="too many jobs"):
        provider.submit("COMMAND", 1, "block-2")
    assert provider.refusal is None
    assert provider.max_blocks == 1  # Parsl asks for no more for a while
    assert "provider.max_blocks" in inspect.getsource(Strategy)


def test_a_long_wait_is_told_once_with_its_reason(
    provider: QueueProvider,
    grid_engine: _GridEngine,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(queue_provider, "_PATIENCE_S", 0.0)
    job = provider.submit("COMMAND", 1, "block-0")
    grid_engine.list(j1="hqw")
    for _ in range(2):
        assert _state(provider, job) == JobState.PENDING
    assert caplog.text.count("job 1 still waits after 0 s: hqw") == 1


def test_cancelling_asks_for_those_left_and_tells_whether_it_did(
    provider: QueueProvider, grid_engine: _GridEngine
) -> None:
    job = provider.submit("COMMAND", 1, "block-0")
    grid_engine.set("qdel", "echo 'no answer' >&2; exit 1")
    assert provider.cancel([job]) == [False]
    grid_engine.set("qdel", "true")
    assert provider.cancel([job]) == [True]
    assert provider.cancel([job]) == [True]
    assert grid_engine.calls("qdel") == ["1", "1"]
    assert _state(provider, job) == JobState.CANCELLED


def test_a_closed_provider_submits_nothing(provider: QueueProvider, grid_engine: _GridEngine) -> None:
    provider.close()
    with pytest.raises(SubmitException, match="stopping"):
        provider.submit("COMMAND", 1, "block-0")
    assert grid_engine.calls("qsub") == []
