"""TaskFuture by itself: states, callbacks, error classes."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest

from workflow_backends import TaskFuture


class Owner:
    """Answers for futures as a backend does: callbacks run in a thread of their own."""

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.cancelled: list[TaskFuture[Any]] = []

    def on_cancel(self, future: TaskFuture[Any]) -> None:
        self.cancelled.append(future)

    def run_callback(self, call: Callable[[], object]) -> None:
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()


def _future(owner: Owner | None = None) -> TaskFuture[Any]:
    return TaskFuture("job", owner or Owner())


def _later(delay: float, call: Callable[..., object], *args: object) -> None:
    threading.Timer(delay, call, args).start()


def test_a_result_is_there_for_all_who_ask() -> None:
    future = _future()
    assert not future.done()
    future.set_result(3)
    assert (future.done(), future.cancelled(), future.result(), future.exception()) == (True, False, 3, None)
    assert future.result() == 3


def test_result_blocks_until_it_is_there() -> None:
    future = _future()
    _later(0.05, future.set_result, 3)
    assert future.result(5) == 3


def test_result_times_out_naming_the_task() -> None:
    with pytest.raises(TimeoutError, match="'job'"):
        _future().result(0.01)
    assert _future().wait(0.01) is False


def test_an_exception_is_raised_and_returned() -> None:
    future = _future()
    future.set_exception(ValueError("boo"))
    assert isinstance(future.exception(), ValueError)
    for _ in range(2):
        with pytest.raises(ValueError, match="boo"):
            future.result()


def test_cancel_tells_the_backend_once_and_raises_the_reason() -> None:
    owner = Owner()
    future = _future(owner)
    assert future.cancel("no need") is True
    assert future.cancel() is False
    assert owner.cancelled == [future]
    assert future.cancelled()
    with pytest.raises(concurrent.futures.CancelledError, match="no need"):
        future.result()
    with pytest.raises(concurrent.futures.CancelledError):
        future.exception()


def test_a_finished_future_cannot_be_cancelled() -> None:
    future = _future()
    future.set_result(1)
    assert future.cancel() is False
    assert not future.cancelled()


async def test_in_a_loop_result_never_blocks_and_raises_asyncios_errors() -> None:
    future = _future()
    with pytest.raises(asyncio.InvalidStateError):
        future.result()
    with pytest.raises(asyncio.InvalidStateError):
        future.exception(timeout=10)
    future.cancel("why")
    with pytest.raises(asyncio.CancelledError, match="why"):
        future.result()


async def test_it_can_be_awaited_more_than_once_and_when_done() -> None:
    future = _future()
    _later(0.02, future.set_result, 5)
    assert [await future, await future] == [5, 5]


async def test_awaiting_raises_the_exception() -> None:
    future = _future()
    _later(0.02, future.set_exception, KeyError("x"))
    with pytest.raises(KeyError):
        await future


def test_two_loops_in_two_threads_await_one_future() -> None:
    future = _future()

    async def wait() -> int:
        return await future

    with concurrent.futures.ThreadPoolExecutor() as threads:
        waits = [threads.submit(asyncio.run, wait()) for _ in range(2)]
        _later(0.05, future.set_result, 9)
        assert [w.result(5) for w in waits] == [9, 9]


async def test_gather_wait_as_completed_and_shield() -> None:
    futures = [_future() for _ in range(4)]
    for n, future in enumerate(futures):
        _later(0.01 * n, future.set_result, n)
    assert await asyncio.gather(*futures) == [0, 1, 2, 3]
    done, pending = await asyncio.wait(futures)
    assert (done, pending) == (set(futures), set())
    assert sorted([await next_done for next_done in asyncio.as_completed(futures)]) == [0, 1, 2, 3]
    assert await asyncio.shield(futures[0]) == 0


async def test_wait_returns_at_the_first_result_and_the_first_exception() -> None:
    quick, slow = _future(), _future()
    _later(0.01, quick.set_result, 1)
    done, pending = await asyncio.wait([quick, slow], return_when=asyncio.FIRST_COMPLETED)
    assert (done, pending) == ({quick}, {slow})
    _later(0.01, slow.set_exception, ValueError())
    done, _ = await asyncio.wait([slow], return_when=asyncio.FIRST_EXCEPTION, timeout=5)
    assert done == {slow}


async def test_gather_with_exceptions_returned() -> None:
    good, bad = _future(), _future()
    good.set_result(1)
    bad.set_exception(ValueError("boo"))
    first, second = await asyncio.gather(good, bad, return_exceptions=True)
    assert first == 1
    assert isinstance(second, ValueError)


async def test_a_timeout_of_wait_for_cancels_the_task() -> None:
    future = _future()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(future, 0.02)
    assert future.cancelled()


async def test_asyncio_timeout_cancels_the_task() -> None:
    future = _future()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await future
    assert future.cancelled()


async def test_shield_protects_the_task() -> None:
    future = _future()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(future), 0.02)
    assert not future.cancelled()
    future.set_result(1)
    assert await future == 1


async def test_cancelling_the_awaiting_task_cancels_the_work() -> None:
    future = _future()

    async def wait() -> None:
        await future

    task = asyncio.create_task(wait())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert future.cancelled()


async def test_in_a_task_group_a_failure_cancels_the_siblings() -> None:
    failing, waiting = _future(), _future()

    async def wait(future: TaskFuture[Any]) -> None:
        await future

    _later(0.02, failing.set_exception, ValueError("boo"))
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as group:
            group.create_task(wait(failing))
            group.create_task(wait(waiting))
    assert caught.group_contains(ValueError, match="boo")
    assert waiting.cancelled()


async def test_awaiting_a_cancelled_future_raises_with_the_reason() -> None:
    future = _future()
    _later(0.02, future.cancel, "stopped")
    with pytest.raises(asyncio.CancelledError, match="stopped"):
        await future


def test_concurrent_wait_and_as_completed_take_it() -> None:
    futures = [_future() for _ in range(3)]
    for n, future in enumerate(futures[:2]):
        _later(0.01 * n, future.set_result, n)
    _later(0.02, futures[2].cancel)
    done, pending = concurrent.futures.wait(futures, timeout=5)
    assert (len(done), len(pending)) == (3, 0)
    assert set(concurrent.futures.as_completed(futures, timeout=5)) == set(futures)


async def test_wrap_future_takes_it() -> None:
    future = _future()
    _later(0.01, future.set_result, 2)
    assert await asyncio.wrap_future(future) == 2


async def test_a_callback_registered_in_a_loop_runs_in_it_with_its_context() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outside")
    context = contextvars.copy_context()
    context.run(variable.set, "inside")
    future = _future()
    seen: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.add_done_callback(
        lambda f: seen.set_result((threading.current_thread(), variable.get(), f)), context=context
    )
    _later(0.01, future.set_result, 1)
    assert await asyncio.wait_for(seen, 5) == (threading.current_thread(), "inside", future)


def test_a_callback_registered_outside_runs_in_the_backends_thread() -> None:
    future = _future()
    threads: list[threading.Thread] = []
    future.add_done_callback(lambda _: threads.append(threading.current_thread()))
    future.set_result(1)
    future.add_done_callback(lambda _: threads.append(threading.current_thread()))
    assert len(threads) == 2
    assert threading.current_thread() not in threads


def test_removed_callbacks_do_not_run() -> None:
    future, calls = _future(), []
    future.add_done_callback(calls.append)
    future.add_done_callback(calls.append)
    assert future.remove_done_callback(calls.append) == 2
    assert future.remove_done_callback(calls.append) == 0
    future.set_result(1)
    assert calls == []


def test_a_callback_that_raises_is_logged_and_others_run(caplog: pytest.LogCaptureFixture) -> None:
    future, calls = _future(), []
    future.add_done_callback(lambda _: 1 / 0)
    future.add_done_callback(calls.append)
    future.set_result(1)
    assert calls == [future]
    assert "ZeroDivisionError" in caplog.text


async def test_a_callback_that_raises_in_a_loop_reaches_its_handler() -> None:
    problems: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, problem: problems.append(problem))
    future = _future()
    future.add_done_callback(lambda _: 1 / 0)
    future.set_result(1)
    await asyncio.sleep(0.01)
    assert [type(p["exception"]) for p in problems] == [ZeroDivisionError]


def test_a_loop_that_closed_before_the_end_is_no_problem() -> None:
    future, calls = _future(), []

    async def register() -> None:
        future.add_done_callback(calls.append)
        await asyncio.sleep(0.01)

    asyncio.run(register())
    future.set_result(1)
    assert calls == []


async def test_nothing_is_left_in_the_loops_exception_handler() -> None:
    problems: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, problem: problems.append(problem))
    failed, cancelled = _future(), _future()
    failed.set_exception(ValueError("never asked for"))
    cancelled.cancel()
    with pytest.raises(ValueError, match="never"):
        await asyncio.gather(failed, _cancelled_soon())
    await asyncio.gather(failed, cancelled, return_exceptions=True)
    del failed, cancelled
    await asyncio.sleep(0.01)
    assert problems == []


async def _cancelled_soon() -> None:
    await asyncio.sleep(0.001)


async def test_a_thousand_futures_awaited_together() -> None:
    futures = [_future() for _ in range(1000)]

    def finish() -> None:
        for n, future in enumerate(futures):
            future.set_result(n)

    threading.Thread(target=finish).start()
    assert sum(await asyncio.gather(*futures)) == sum(range(1000))


async def test_get_loop_is_the_running_loop() -> None:
    assert _future().get_loop() is asyncio.get_running_loop()


def test_it_cannot_be_pickled_by_itself() -> None:
    with pytest.raises(TypeError, match="await it"):
        pickle.dumps(_future())
