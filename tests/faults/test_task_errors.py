"""What a task may do wrong, beside what the conformance suite asks of every backend."""

from __future__ import annotations

import subprocess
import sys
import warnings

import pytest
from leaks import leftovers

from workflow_backends import ParslLocalBackend
from workflow_backends.errors import (
    WorkerLostError,
)


def _raise(error: BaseException) -> None:
    raise error


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


def _crash() -> None:
    import ctypes

    print("last words", flush=True)
    ctypes.string_at(0)


def test_the_logs_of_a_task_that_kills_every_worker_are_kept(local: ParslLocalBackend) -> None:
    future = local.options(name="poison", retries=1).submit_task(_crash)
    with pytest.raises(WorkerLostError, match="SIGSEGV") as caught:
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
