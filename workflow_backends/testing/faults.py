"""What goes wrong: exceptions, cancelled tasks, lost workers, time limits."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from workflow_backends.backend import CalculationBackend
from workflow_backends.errors import (
    RemoteError,
    ResultError,
    TaskExitedError,
    TimeLimitError,
    WorkerLostError,
)
from workflow_backends.testing.base import PATIENCE_S, SuiteBase, is_running, wait_until

__all__ = ["FaultTests"]


class _AwkwardError(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason} ({code})")
        self.code = code


class _UnpicklableError(Exception):
    def __init__(self) -> None:
        super().__init__("holds a lock")
        self.lock = threading.Lock()


class _Unrebuildable:
    def __reduce__(self) -> tuple[object, ...]:
        return _raise, (ValueError("cannot be rebuilt"),)


class _ExitsWhenRebuilt:
    def __reduce__(self) -> tuple[object, ...]:
        return sys.exit, ("while a result is rebuilt",)


def _raise(error: BaseException) -> None:
    raise error


def _fail_awkwardly() -> None:
    raise _AwkwardError(7, "bad")


def _fail_unpicklably() -> None:
    raise _UnpicklableError


def _talk_and_fail() -> None:
    os.write(1, b"printed words")
    subprocess.run(["echo", "child words"], check=True)
    raise ValueError("boo")


def _die(how: str) -> None:
    os.write(1, b"last words")
    if how == "SIGKILL":
        os.kill(os.getpid(), signal.SIGKILL)
    os._exit(3)


def _count(file: Path) -> int:
    with file.open("a", encoding="utf-8") as lines:
        lines.write("a try\n")
    return len(file.read_text(encoding="utf-8").splitlines())


def _die_once(file: Path) -> str:
    if _count(file) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def _fail_once(file: Path) -> int:
    if (tries := _count(file)) == 1:
        raise OSError(tries)
    return tries


def _hold_the_interpreter() -> None:
    import re  # noqa: PLC0415

    re.match(r"(a+)+$", "a" * 60 + "b")  # one call of C code that never lets go


def _sleep_with_a_child(note: Path) -> None:
    child = subprocess.Popen(["sleep", "1000"])
    note.with_suffix(".new").write_text(str(child.pid))
    note.with_suffix(".new").rename(note)
    try:
        time.sleep(1000)
    finally:
        note.with_suffix(".cleaned").touch()


class FaultTests(SuiteBase):
    """Tests on one backend, which goes on whatever its tasks do."""

    def test_an_exception_arrives_as_itself_with_the_workers_traceback(
        self, backend: CalculationBackend
    ) -> None:
        with pytest.raises(ValueError, match="boo") as caught:
            backend.submit_task(_raise, ValueError("boo")).result(PATIENCE_S)
        assert "in _raise" in "".join(caught.value.__notes__)
        with pytest.raises(_AwkwardError, match=r"bad \(7\)") as awkward:
            backend.submit_task(_fail_awkwardly).result(PATIENCE_S)
        assert awkward.value.code == 7

    def test_an_exception_class_of_the_script_arrives_as_itself(self, backend: CalculationBackend) -> None:
        class LocalError(Exception):
            pass

        def fail() -> None:
            raise LocalError("here")

        with pytest.raises(LocalError, match="here"):
            backend.submit_task(fail).result(PATIENCE_S)

    def test_an_exception_that_cannot_be_pickled_arrives_described(self, backend: CalculationBackend) -> None:
        with pytest.raises(RemoteError, match=r"UnpicklableError: holds a lock"):
            backend.submit_task(_fail_unpicklably).result(PATIENCE_S)

    @pytest.mark.parametrize(
        "kind",
        [
            *(SystemExit, KeyboardInterrupt, StopIteration, GeneratorExit, BaseException),
            *(asyncio.CancelledError, concurrent.futures.CancelledError),
        ],
    )
    def test_what_no_future_may_carry_arrives_as_task_exited(
        self, backend: CalculationBackend, kind: type[BaseException]
    ) -> None:
        with pytest.raises(TaskExitedError, match=kind.__name__):
            backend.submit_task(_raise, kind()).result(PATIENCE_S)

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (threading.Lock, "lock"),
            (_Unrebuildable, "cannot be rebuilt"),
            (_ExitsWhenRebuilt, "SystemExit"),
        ],
    )
    def test_a_result_that_cannot_travel_is_an_error(
        self, backend: CalculationBackend, make: Any, message: str
    ) -> None:
        with pytest.raises(ResultError, match=message):
            backend.submit_task(make).result(PATIENCE_S)

    def test_the_end_of_what_a_task_printed_is_in_its_error(self, backend: CalculationBackend) -> None:
        with pytest.raises(ValueError, match="boo") as caught:
            backend.submit_task(_talk_and_fail).result(PATIENCE_S)
        notes = "".join(caught.value.__notes__)
        assert "printed words" in notes
        assert "child words" in notes

    def test_a_task_is_run_again_when_it_asks_for_it(
        self, backend: CalculationBackend, tmp_path: Path
    ) -> None:
        with pytest.raises(OSError, match="1"):
            backend.submit_task(_fail_once, tmp_path / "plain").result(PATIENCE_S)
        asked = backend.options(retries=1, retry_exceptions=(OSError,))
        assert asked.submit_task(_fail_once, tmp_path / "asked").result(PATIENCE_S) == 2

    def test_a_task_whose_worker_died_is_run_again(self, backend: CalculationBackend, tmp_path: Path) -> None:
        assert backend.submit_task(_die_once, tmp_path / "tries").result(PATIENCE_S) == "alive"

    @pytest.mark.parametrize(("how", "status"), [("SIGKILL", "SIGKILL"), ("exit", "exit status 3")])
    def test_a_task_that_kills_every_worker_fails_with_the_facts(
        self, backend: CalculationBackend, how: str, status: str
    ) -> None:
        future = backend.options(name="poison", retries=1).submit_task(_die, how)
        with pytest.raises(WorkerLostError, match=status) as caught:
            future.result(PATIENCE_S)
        for fact in ("'poison'", "pid", "tried 2 time", "logs in "):
            assert fact in str(caught.value)
        assert "last words" in "".join(caught.value.__notes__)
        assert backend.submit_task(abs, -1).result(PATIENCE_S) == 1

    def test_an_idle_worker_that_was_killed_is_replaced(self, backend: CalculationBackend) -> None:
        pid = backend.submit_task(os.getpid).result(PATIENCE_S)
        os.kill(pid, signal.SIGKILL)
        assert [backend.submit_task(abs, -n).result(PATIENCE_S) for n in range(4)] == [0, 1, 2, 3]

    def test_a_time_limit_ends_what_holds_the_interpreter(self, backend: CalculationBackend) -> None:
        limited = backend.options(name="hog", time_limit=0.5)
        with pytest.raises(TimeLimitError, match=r"'hog'.*0\.5 s"):
            limited.submit_task(_hold_the_interpreter).result(PATIENCE_S)
        assert backend.submit_task(abs, -1).result(PATIENCE_S) == 1

    def test_a_queued_task_that_was_cancelled_never_starts(
        self, backend: CalculationBackend, tmp_path: Path
    ) -> None:
        blockers = [backend.submit_task(time.sleep, 0.5) for _ in range(2)]
        futures = [backend.submit_task(Path.touch, tmp_path / str(n)) for n in range(40)]
        assert all(future.cancel() for future in futures)
        for blocker in blockers:
            blocker.result(PATIENCE_S)
        assert backend.submit_task(abs, -1).result(PATIENCE_S) == 1
        assert not list(tmp_path.iterdir())

    def test_a_running_task_that_was_cancelled_ends_with_its_children(
        self, backend: CalculationBackend, tmp_path: Path
    ) -> None:
        notes = [tmp_path / str(n) for n in range(2)]
        futures = [backend.submit_task(_sleep_with_a_child, note) for note in notes]
        assert wait_until(lambda: all(note.exists() for note in notes))
        assert all(future.cancel() for future in futures)
        assert all(future.cancelled() for future in futures)
        assert backend.submit_task(abs, -1).result(PATIENCE_S) == 1
        assert wait_until(
            lambda: not any(is_running(int(note.read_text(encoding="utf-8"))) for note in notes)
        )
        assert all(note.with_suffix(".cleaned").exists() for note in notes)

    def test_cancels_that_race_with_the_end_never_hang(self, backend: CalculationBackend) -> None:
        for n in range(30):
            future = backend.submit_task(time.sleep, 0)
            time.sleep(n % 10 * 0.001)
            future.cancel()
            assert future.done()
        assert [backend.submit_task(abs, -n).result(PATIENCE_S) for n in range(4)] == [0, 1, 2, 3]
