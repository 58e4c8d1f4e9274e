"""The runner and its worker process, without any engine."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from workflow_backends import ComputeResources, runner, time_left
from workflow_backends.block import END_VARIABLE, Departure
from workflow_backends.errors import BlockEndingError, DeviceError
from workflow_backends.runner import Ticket, run_task
from workflow_backends.serialization import PLAIN_MARK, Failure, TaskFailed, call_prefix, dump_call


@pytest.fixture(autouse=True)
def _own_worker() -> Iterator[None]:
    yield
    runner.end_worker()
    runner._local.__dict__.clear()


def _ticket(directory: Path, **changes: Any) -> Ticket:
    return Ticket("000001-0", str(directory), None, pickle.dumps(ComputeResources(2)))._replace(**changes)


def _run(ticket: Ticket, function: Any, *args: Any) -> Any:
    return pickle.loads(
        run_task(dump_call(function, args, {})[0], call_prefix([]), ticket).removeprefix(PLAIN_MARK)
    )


def _failure(ticket: Ticket, function: Any, *args: Any) -> Failure:
    with pytest.raises(TaskFailed) as caught:
        _run(ticket, function, *args)
    failure: Failure = pickle.loads(caught.value.args[0])
    return failure


def test_tasks_share_a_worker_that_has_its_resources(tmp_path: Path) -> None:
    ticket = _ticket(tmp_path)
    pids = {_run(ticket, os.getpid) for _ in range(3)}
    assert len(pids) == 1
    assert os.getpid() not in pids
    assert _run(ticket, lambda available_resources: available_resources) == ComputeResources(2)
    assert _run(ticket, os.getenv, "OMP_NUM_THREADS") == "2"


def test_a_worker_that_died_idle_costs_no_task(tmp_path: Path) -> None:
    ticket = _ticket(tmp_path)
    os.kill(_run(ticket, os.getpid), signal.SIGKILL)
    assert _run(ticket, abs, -1) == 1


def test_a_death_tells_pid_signal_and_last_words(tmp_path: Path) -> None:
    def die() -> None:
        print("last words", flush=True)
        os.kill(os.getpid(), signal.SIGTERM)

    failure = _failure(_ticket(tmp_path), die)
    assert failure.kind == "lost"
    assert "SIGTERM" in failure.description
    assert failure.log == "last words"
    assert _run(_ticket(tmp_path), abs, -1) == 1


def test_output_goes_to_a_file_for_each_task_that_prints(tmp_path: Path) -> None:
    _run(_ticket(tmp_path, attempt="a"), print, "first")
    _run(_ticket(tmp_path, attempt="b"), abs, 1)
    _run(_ticket(tmp_path, attempt="c"), print, "third")
    logs = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.glob("?.log")}
    assert logs == {"a.log": "first\n", "c.log": "third\n"}


def test_a_mark_cancels_before_and_during_a_task(tmp_path: Path) -> None:
    ticket = _ticket(tmp_path)
    pid = _run(ticket, os.getpid)
    threading.Timer(0.3, Path(ticket.cancel_mark).touch).start()
    assert _failure(ticket, time.sleep, 1000).kind == "cancelled"
    assert _failure(ticket, abs, 1).kind == "cancelled"
    Path(ticket.cancel_mark).unlink()
    assert _run(ticket, os.getpid) != pid


def test_a_task_that_ignores_the_interrupt_is_killed(tmp_path: Path) -> None:
    def stubborn() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        time.sleep(1000)

    ticket = _ticket(tmp_path)
    threading.Timer(0.5, Path(ticket.cancel_mark).touch).start()
    assert _failure(ticket, stubborn).kind == "cancelled"


def test_a_child_that_holds_the_socket_does_not_hide_a_death(tmp_path: Path) -> None:
    def fork_and_die() -> None:
        if os.fork() == 0:
            time.sleep(1000)
        os._exit(5)

    failure = _failure(_ticket(tmp_path), fork_and_die)
    assert "exit status 5" in failure.description


def _break_device() -> None:
    raise DeviceError("the GPU fell off the bus")


def _wrap_broken_device() -> None:
    try:
        _break_device()
    except DeviceError as error:
        raise RuntimeError("the task failed") from error


class _Sticky:
    """As OpenMM's Context after an error that CUDA does not forget: its end is that of the process."""

    def __del__(self) -> None:
        os.abort()


def _break_device_for_good() -> None:
    print("last words", end="")
    context = _Sticky()
    _wrap_broken_device()
    del context


def test_the_end_of_a_broken_device_does_not_hide_the_error(tmp_path: Path) -> None:
    failure = _failure(_ticket(tmp_path), _break_device_for_good)
    assert (failure.kind, failure.place, failure.log) == ("device", runner._place(), "last words")
    assert "RuntimeError: the task failed" in failure.description


@pytest.mark.parametrize("task", [_break_device, _wrap_broken_device])
def test_a_device_error_replaces_the_process_and_names_the_place(task: Any, tmp_path: Path) -> None:
    ticket = _ticket(tmp_path)
    pid = _run(ticket, os.getpid)
    failure = _failure(ticket, task)
    assert (failure.kind, failure.place) == ("device", runner._place())
    assert _run(ticket, os.getpid) != pid


def test_a_worker_that_is_to_be_avoided_leaves_the_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "_ELSEWHERE_S", 0)
    assert _failure(_ticket(tmp_path, avoid=(runner._place(),)), abs, 1).kind == "elsewhere"
    assert _run(_ticket(tmp_path, avoid=("another",)), abs, -1) == 1


def test_a_worker_sees_its_own_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-aa,GPU-bb,GPU-cc")
    monkeypatch.setenv("PARSL_WORKER_RANK", "1")
    ticket = _ticket(tmp_path, resources=pickle.dumps(ComputeResources(number_of_gpus=1)))
    assert _run(ticket, os.getenv, "CUDA_VISIBLE_DEVICES") == "GPU-bb"
    runner.settle(2, {"OMP_NUM_THREADS": "8", "OWN": "yes"})
    other = _ticket(tmp_path, resources=pickle.dumps(ComputeResources(2, number_of_gpus=1)))
    assert _run(other, os.getenv, "CUDA_VISIBLE_DEVICES") == "GPU-cc"
    assert [_run(other, os.getenv, name) for name in ("OWN", "OMP_NUM_THREADS")] == ["yes", "2"]
    assert _run(_ticket(tmp_path), os.getenv, "CUDA_VISIBLE_DEVICES") == "GPU-aa,GPU-bb,GPU-cc"


def _in_a_block(monkeypatch: pytest.MonkeyPatch, seconds: float) -> Departure:
    monkeypatch.setenv(END_VARIABLE, str(time.time() + seconds))
    departure = Departure()
    monkeypatch.setattr(runner, "departure", departure)
    return departure


def test_a_task_that_its_block_cannot_finish_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _in_a_block(monkeypatch, 30)
    assert _run(_ticket(tmp_path, time_limit=20.0), abs, -1) == 1
    mark = tmp_path / "mark"
    assert _failure(_ticket(tmp_path, time_limit=40.0), mark.touch).kind == "block too short"
    assert not mark.exists()
    assert _failure(_ticket(tmp_path), abs, -1).kind == "block ends"


def test_a_task_that_saved_its_work_goes_on_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save() -> None:
        raise BlockEndingError(f"{time_left()} s are left")

    with pytest.raises(TaskFailed) as caught:
        _run(_ticket(tmp_path), save)
    assert pickle.loads(caught.value.args[0]).kind == "raised"  # no end is known
    runner._discard(runner._local.worker)
    _in_a_block(monkeypatch, 30)
    assert _failure(_ticket(tmp_path), save).kind == "block ends"
    assert _failure(_ticket(tmp_path), abs, -1).kind == "block ends"


@pytest.mark.parametrize("of_the_worker", [False, True])
def test_a_task_whose_block_is_ended_is_lost_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of_the_worker: bool
) -> None:
    departure = _in_a_block(monkeypatch, 300)

    def end() -> None:
        while not (tmp_path / "pid").exists():
            time.sleep(0.01)
        if of_the_worker:
            os.kill(int((tmp_path / "pid").read_text(encoding="utf-8")), signal.SIGTERM)
            time.sleep(0.2)
        departure.killed.set()

    def work() -> None:
        (tmp_path / "draft").write_text(str(os.getpid()))
        (tmp_path / "draft").rename(tmp_path / "pid")
        time.sleep(60)

    threading.Thread(target=end).start()
    assert _failure(_ticket(tmp_path), work).kind == "block lost"


def test_the_end_of_a_block_may_be_the_cause_of_another_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save() -> None:
        try:
            raise BlockEndingError("saved")
        except BlockEndingError as error:
            raise ValueError("in a member") from error

    _in_a_block(monkeypatch, 30)
    assert _failure(_ticket(tmp_path), save).kind == "block ends"
