"""The dispatcher's decisions, with an engine whose every answer the test gives."""

from __future__ import annotations

import concurrent.futures
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from workflow_backends import ComputeResources, TaskFuture, retries
from workflow_backends.dispatcher import Dispatcher
from workflow_backends.engine import Pool, TaskOptions
from workflow_backends.errors import (
    BackendStateError,
    DeviceError,
    EngineError,
    ResultError,
    TimeLimitError,
    WorkerLostError,
)
from workflow_backends.runner import Ticket
from workflow_backends.serialization import Failure, TaskFailed, dump_call


class LostBlockError(Exception):
    pass


class Engine:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.attempts: list[tuple[Ticket, concurrent.futures.Future[bytes]]] = []
        self.broken: str | None = None

    def submit(
        self, pool: str, prefix: bytes, call: bytes, ticket: Ticket
    ) -> concurrent.futures.Future[bytes]:
        future: concurrent.futures.Future[bytes] = concurrent.futures.Future()
        self.attempts.append((ticket, future))
        return future

    def is_lost_block(self, error: BaseException) -> bool:
        return isinstance(error, LostBlockError)

    def failure(self) -> str | None:
        return self.broken

    def answer(self, number: int, outcome: Any) -> None:
        assert _soon(lambda: len(self.attempts) > number)
        future = self.attempts[number][1]
        if isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(pickle.dumps(outcome))


def _soon(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.005)
    return condition()


def _lost() -> TaskFailed:
    return TaskFailed(pickle.dumps(Failure("lost", "its worker (pid 1) ended with signal 9 (SIGKILL)")))


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(tmp_path)


@pytest.fixture
def dispatcher(engine: Engine) -> Iterator[Dispatcher]:
    started = Dispatcher(engine, {"workers": Pool(1, ComputeResources())})
    started.start()
    yield started
    started.stop(5)


def _submit(dispatcher: Dispatcher, *args: Any, name: str = "job", **options: Any) -> TaskFuture[Any]:
    call, inputs = dump_call(len, args, {})
    return dispatcher.submit("workers", call, inputs, name, TaskOptions(**options))


def test_a_death_uses_up_retries_and_then_fails(dispatcher: Dispatcher, engine: Engine) -> None:
    future = _submit(dispatcher, "x", retries=2)
    for attempt in range(3):
        engine.answer(attempt, _lost())
    with pytest.raises(WorkerLostError, match=r"'job'.*SIGKILL.*tried 3 time"):
        future.result(5)
    assert [ticket.attempt for ticket, _ in engine.attempts] == [f"000001-job-{n}" for n in (1, 2, 3)]


def test_lost_blocks_use_up_no_retry_up_to_ten(dispatcher: Dispatcher, engine: Engine) -> None:
    future = _submit(dispatcher, "x", retries=0)
    for attempt in range(10):
        engine.answer(attempt, LostBlockError())
    assert _soon(lambda: len(engine.attempts) == 11)
    assert not future.done()
    engine.answer(10, LostBlockError())
    with pytest.raises(WorkerLostError, match="lost 11 blocks"):
        future.result(5)


def test_what_the_engine_cannot_explain_fails_the_task_alone(dispatcher: Dispatcher, engine: Engine) -> None:
    broken, whole = _submit(dispatcher, "x"), _submit(dispatcher, "x")
    engine.answer(0, RuntimeError("odd"))
    engine.answer(1, 5)
    with pytest.raises(EngineError, match="odd"):
        broken.result(5)
    assert whole.result(5) == 5


def test_a_result_that_is_no_pickle_is_an_error(dispatcher: Dispatcher, engine: Engine) -> None:
    future = _submit(dispatcher, "x")
    assert _soon(lambda: bool(engine.attempts))
    engine.attempts[0][1].set_result(b"garbage")
    with pytest.raises(ResultError, match="cannot be rebuilt"):
        future.result(5)


def test_a_broken_engine_fails_all_and_every_later_task(dispatcher: Dispatcher, engine: Engine) -> None:
    futures = [_submit(dispatcher, "x") for _ in range(300)]
    engine.broken = "it broke"
    for future in futures:
        with pytest.raises(EngineError, match="it broke"):
            future.result(5)
    with pytest.raises(EngineError, match="it broke"):
        _submit(dispatcher, "x").result(5)


def test_many_small_tasks_go_to_the_engine_but_few_large_ones(dispatcher: Dispatcher, engine: Engine) -> None:
    for _ in range(400):
        _submit(dispatcher, "x")
    assert _soon(lambda: len(engine.attempts) == 256)
    time.sleep(0.05)
    assert len(engine.attempts) == 256
    engine.answer(0, 1)
    assert _soon(lambda: len(engine.attempts) == 257)


def test_large_tasks_wait_here(dispatcher: Dispatcher, engine: Engine) -> None:
    for _ in range(40):
        _submit(dispatcher, bytes(4_000_000))
    assert _soon(lambda: len(engine.attempts) == 16)
    time.sleep(0.05)
    assert len(engine.attempts) == 16


def test_a_queued_task_that_was_cancelled_never_reaches_the_engine(
    dispatcher: Dispatcher, engine: Engine
) -> None:
    futures = [_submit(dispatcher, "x") for _ in range(300)]
    futures[-1].cancel()
    for attempt in range(299):
        engine.answer(attempt, attempt)
    assert [future.result(5) for future in futures[:-1]] == list(range(299))
    assert len(engine.attempts) == 299


def test_a_running_task_that_was_cancelled_leaves_a_mark_until_it_ended(
    dispatcher: Dispatcher, engine: Engine, tmp_path: Path
) -> None:
    future = _submit(dispatcher, "x")
    assert _soon(lambda: bool(engine.attempts))
    future.cancel()
    assert _soon((tmp_path / "000001-job-1.cancel").exists)
    engine.answer(0, TaskFailed(pickle.dumps(Failure("cancelled", "it was cancelled"))))
    assert _soon(lambda: not (tmp_path / "000001-job-1.cancel").exists())


def test_names_are_fit_for_files(dispatcher: Dispatcher, engine: Engine) -> None:
    _submit(dispatcher, "x", name="a/b c:ü" + "x" * 100)
    assert _soon(lambda: bool(engine.attempts))
    attempt = engine.attempts[0][0].attempt
    assert attempt.startswith("000001-a_b_c_ü")
    assert len(attempt) < 80


def test_stop_cancels_all_and_refuses_more(dispatcher: Dispatcher) -> None:
    futures = [_submit(dispatcher, "x") for _ in range(300)]
    dispatcher.stop(5)
    assert all(future.cancelled() for future in futures)
    with pytest.raises(concurrent.futures.CancelledError, match="the backend was stopped"):
        futures[0].result()
    with pytest.raises(BackendStateError, match="stopped"):
        _submit(dispatcher, "x")
    assert not [
        t
        for t in threading.enumerate()
        if t.name.startswith("backend-dispatcher") and t.is_alive() and t in dispatcher._threads
    ]


def _failed(kind: str, place: str = "") -> TaskFailed:
    exception = pickle.dumps(DeviceError("gone"))
    return TaskFailed(pickle.dumps(Failure(kind, "DeviceError: gone", exception, place=place)))


@pytest.fixture
def two_workers(engine: Engine) -> Iterator[Dispatcher]:
    started = Dispatcher(engine, {"workers": Pool(2, ComputeResources())})
    started.start()
    yield started
    started.stop(5)


def test_a_device_error_is_tried_again_on_another_worker(engine: Engine, two_workers: Dispatcher) -> None:
    future = _submit(two_workers, "abc")
    engine.answer(0, _failed("device", "first"))
    engine.answer(1, _failed("elsewhere"))
    engine.answer(2, 3)
    assert future.result(5) == 3
    assert [ticket.avoid for ticket, _ in engine.attempts] == [(), ("first",), ("first",)]


def test_a_device_error_that_stays_is_the_tasks_own(engine: Engine, two_workers: Dispatcher) -> None:
    future = _submit(two_workers, "abc")
    engine.answer(0, _failed("device", "first"))
    engine.answer(1, _failed("device", "second"))
    assert isinstance(future.exception(5), DeviceError)


def test_nobody_is_avoided_for_ever(
    engine: Engine, two_workers: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "_REFUSALS_LIMIT", 3)
    future = _submit(two_workers, "abc")
    engine.answer(0, _failed("device", "first"))
    for number in (1, 2, 3):
        engine.answer(number, _failed("elsewhere"))
    engine.answer(4, 3)
    assert future.result(5) == 3
    assert [ticket.avoid for ticket, _ in engine.attempts][-2:] == [("first",), ()]


def test_the_only_worker_is_not_avoided(engine: Engine, dispatcher: Dispatcher) -> None:
    future = _submit(dispatcher, "abc")
    engine.answer(0, _failed("device", "first"))
    engine.answer(1, 3)
    assert future.result(5) == 3
    assert engine.attempts[1][0].avoid == ()


def _of_block(kind: str) -> TaskFailed:
    return TaskFailed(pickle.dumps(Failure(kind, "its block of workers had 300 s, and 10 s left")))


def test_a_block_that_ends_uses_up_nothing(dispatcher: Dispatcher, engine: Engine) -> None:
    future = _submit(dispatcher, "x", retries=0)
    for attempt in range(30):
        engine.answer(attempt, _of_block("block ends"))
    engine.answer(30, 7)
    assert future.result(5) == 7
    assert len({ticket.attempt for ticket, _ in engine.attempts}) == 31


def test_a_task_that_fits_into_no_block_is_told_so(dispatcher: Dispatcher, engine: Engine) -> None:
    future = _submit(dispatcher, "x", time_limit=299.0)
    for attempt in range(3):
        engine.answer(attempt, _of_block("block too short"))
    with pytest.raises(TimeLimitError, match=r"limit is 299.0 s, but .* 300 s, .*; ask for a longer wallc"):
        future.result(5)


def test_a_block_that_was_ended_is_a_lost_one(dispatcher: Dispatcher, engine: Engine) -> None:
    future = _submit(dispatcher, "x", retries=0)
    for attempt in range(11):
        engine.answer(attempt, _of_block("block lost"))
    with pytest.raises(WorkerLostError, match="lost 11 blocks"):
        future.result(5)
    assert dispatcher.kept_logs
