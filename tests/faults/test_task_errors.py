"""What a task may do wrong, each row of the table in the docs."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
from leaks import leftovers, wait_until

from workflow_backends import ParslLocalBackend
from workflow_backends.errors import (
    RemoteError,
    ResultError,
    TaskExitedError,
    TimeLimitError,
    WorkerLostError,
)


class Awkward(Exception):
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason} ({code})")
        self.code = code


class Unpicklable(Exception):
    def __init__(self) -> None:
        super().__init__("holds a lock")
        import threading

        self.lock = threading.Lock()


class Unrebuildable:
    def __reduce__(self) -> tuple[object, ...]:
        return _explode, ()


def _explode() -> None:
    raise ValueError("cannot be rebuilt")


def _raise(error: BaseException) -> None:
    raise error


def test_a_picklable_exception_arrives_as_itself(backend: ParslLocalBackend) -> None:
    with pytest.raises(ValueError, match="boo") as caught:
        backend.submit_task(_raise, ValueError("boo")).result(20)
    assert "in _raise" in "".join(caught.value.__notes__)


def test_an_exception_with_several_constructor_arguments_arrives_as_itself(
    backend: ParslLocalBackend,
) -> None:
    def fail() -> None:
        raise Awkward(7, "bad")

    with pytest.raises(Awkward, match=r"bad \(7\)") as caught:
        backend.submit_task(fail).result(20)
    assert caught.value.code == 7


def test_an_unpicklable_exception_arrives_described(backend: ParslLocalBackend) -> None:
    def fail() -> None:
        raise Unpicklable

    with pytest.raises(RemoteError, match=r"Unpicklable: holds a lock"):
        backend.submit_task(fail).result(20)


def test_exception_classes_of_the_submitting_script_arrive_as_themselves(backend: ParslLocalBackend) -> None:
    class Local(Exception):
        pass

    def fail() -> None:
        raise Local("here")

    with pytest.raises(Local, match="here"):
        backend.submit_task(fail).result(20)


@pytest.mark.parametrize(
    "kind",
    [SystemExit, KeyboardInterrupt, StopIteration, GeneratorExit, asyncio.CancelledError,
     concurrent.futures.CancelledError, BaseException],
)  # fmt: skip
def test_what_no_future_may_carry_arrives_as_task_exited(
    backend: ParslLocalBackend, kind: type[BaseException]
) -> None:
    with pytest.raises(TaskExitedError, match=kind.__name__):
        backend.submit_task(_raise, kind()).result(20)
    assert isinstance(TaskExitedError("x"), Exception)


def test_a_result_that_cannot_be_pickled(backend: ParslLocalBackend) -> None:
    with pytest.raises(ResultError, match="lock"):
        backend.submit_task(lambda: __import__("threading").Lock()).result(20)


def test_a_result_that_cannot_be_rebuilt(backend: ParslLocalBackend) -> None:
    with pytest.raises(ResultError, match="cannot be rebuilt"):
        backend.submit_task(Unrebuildable).result(20)


class _ExitsWhenRebuilt:
    def __reduce__(self) -> tuple[object, ...]:
        return sys.exit, ("while a result is rebuilt",)


def test_a_result_that_ends_the_interpreter_when_it_is_rebuilt(backend: ParslLocalBackend) -> None:
    with pytest.raises(ResultError, match="SystemExit"):
        backend.submit_task(_ExitsWhenRebuilt).result(20)
    assert backend.submit_task(pow, 2, 5).result(20) == 32


def test_a_task_may_close_its_output(backend: ParslLocalBackend) -> None:
    def close() -> str:
        sys.stdout.close()
        return "closed"

    futures = [backend.submit_task(close) for _ in range(8)]
    assert [future.result(20) for future in futures] == ["closed"] * 8


def test_a_result_of_200_megabytes(backend: ParslLocalBackend) -> None:
    assert len(backend.submit_task(bytes, 200_000_000).result(60)) == 200_000_000


def test_the_end_of_what_a_task_printed_is_in_its_error(backend: ParslLocalBackend) -> None:
    def talk() -> None:
        print("printed words")
        print("error words", file=sys.stderr)
        warnings.warn("a warning", stacklevel=1)
        subprocess.run(["echo", "child words"], check=True)
        raise ValueError("boo")

    with pytest.raises(ValueError, match="boo") as caught:
        backend.submit_task(talk).result(20)
    notes = "".join(caught.value.__notes__)
    assert all(words in notes for words in ("printed words", "error words", "a warning", "child words"))

    with pytest.raises(ValueError, match="quiet") as caught:
        backend.submit_task(_raise, ValueError("quiet")).result(20)
    assert "words" not in "".join(caught.value.__notes__)


def _die_once(mark: Path) -> str:
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def test_a_task_whose_worker_died_is_run_again(backend: ParslLocalBackend, tmp_path: Path) -> None:
    assert backend.submit_task(_die_once, tmp_path / "mark").result(20) == "alive"


def _end(how: str) -> None:
    print("last words", flush=True)
    if how == "SIGKILL":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "SIGSEGV":
        import ctypes

        ctypes.string_at(0)
    elif how == "memory":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (10**9, 10**9))
        os.kill(os.getpid(), signal.SIGKILL)  # what the kernel does when memory runs out
    os._exit(3)


@pytest.mark.parametrize(
    ("how", "status"), [("SIGKILL", "SIGKILL"), ("SIGSEGV", "SIGSEGV"), ("exit", "exit status 3")]
)
def test_a_task_that_kills_every_worker_fails_with_the_facts(
    local: ParslLocalBackend, how: str, status: str
) -> None:
    future = local.options(name="poison", retries=1).submit_task(_end, how)
    with pytest.raises(WorkerLostError, match=status) as caught:
        future.result(20)
    message = str(caught.value)
    assert "'poison'" in message
    assert "pid" in message
    assert "tried 2 time" in message
    assert "last words" in "".join(caught.value.__notes__)
    [kept] = leftovers()
    assert str(kept) in message
    assert local.submit_task(pow, 2, 5).result(20) == 32
    local.stop()
    assert kept.is_dir()


def test_a_time_limit_ends_what_holds_the_interpreter_lock(backend: ParslLocalBackend) -> None:
    def hold() -> None:
        import re

        re.match(r"(a+)+$", "a" * 60 + "b")  # one call of C code that never lets go

    with pytest.raises(TimeLimitError, match=r"'hog'.*0\.5 s"):
        backend.options(name="hog", time_limit=0.5).submit_task(hold).result(20)
    assert backend.submit_task(pow, 2, 5).result(20) == 32


def _idle_pid() -> int:
    return os.getpid()


def test_an_idle_worker_that_was_killed_is_replaced(local: ParslLocalBackend) -> None:
    for pid in {local.submit_task(_idle_pid).result(20) for _ in range(6)}:
        os.kill(pid, signal.SIGKILL)
    assert local.submit_task(pow, 2, 5).result(20) == 32


def _spawn_and_sleep(mark: Path) -> None:
    child = subprocess.Popen(["sleep", "1000"])
    mark.with_suffix(".tmp").write_text(str(child.pid))
    mark.with_suffix(".tmp").rename(mark)
    time.sleep(1000)


def test_cancelling_a_running_task_ends_its_children_and_frees_the_worker(
    backend: ParslLocalBackend, tmp_path: Path
) -> None:
    import psutil

    futures = [backend.submit_task(_spawn_and_sleep, tmp_path / str(n)) for n in range(2)]
    assert wait_until(lambda: all((tmp_path / str(n)).exists() for n in range(2)), 20)
    children = [int((tmp_path / str(n)).read_text()) for n in range(2)]
    assert all(future.cancel() for future in futures)
    assert all(future.cancelled() for future in futures)
    assert backend.submit_task(pow, 2, 5).result(10) == 32
    assert wait_until(lambda: not any(psutil.pid_exists(pid) for pid in children), 5)


def _clean_up_on_interrupt(started: Path, cleaned: Path) -> None:
    started.touch()
    try:
        time.sleep(1000)
    finally:
        cleaned.touch()


def test_a_cancelled_task_may_clean_up(backend: ParslLocalBackend, tmp_path: Path) -> None:
    started, cleaned = tmp_path / "started", tmp_path / "cleaned"
    future = backend.submit_task(_clean_up_on_interrupt, started, cleaned)
    assert wait_until(started.exists, 20)
    future.cancel()
    assert wait_until(cleaned.exists, 5)


def test_a_queued_task_that_was_cancelled_never_starts(backend: ParslLocalBackend, tmp_path: Path) -> None:
    blockers = [backend.submit_task(time.sleep, 1) for _ in range(2)]
    futures = [backend.submit_task(Path.touch, tmp_path / str(n)) for n in range(40)]
    for future in futures:
        future.cancel()
    for blocker in blockers:
        blocker.result(20)
    assert backend.submit_task(pow, 2, 5).result(20) == 32
    assert not list(tmp_path.iterdir())


def test_cancels_that_race_with_completion_never_hang_the_pool(backend: ParslLocalBackend) -> None:
    for n in range(100):
        future = backend.submit_task(time.sleep, 0)
        time.sleep(n % 10 * 0.001)
        future.cancel()
        assert future.done()
    assert [backend.submit_task(pow, 2, n).result(20) for n in range(4)] == [1, 2, 4, 8]
