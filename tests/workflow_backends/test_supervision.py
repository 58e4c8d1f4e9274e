"""Every private attribute of Parsl that we touch still is what we take it for."""

from __future__ import annotations

import inspect
from typing import Any

import parsl.multiprocessing
from parsl.executors import HighThroughputExecutor
from parsl.executors.high_throughput import process_worker_pool, zmq_pipes
from parsl.executors.high_throughput.executor import DEFAULT_LAUNCH_CMD
from parsl.executors.status_handling import BlockProviderExecutor
from parsl.jobs.states import JobState, JobStatus

from workflow_backends.parsl_engine.supervision import (
    MemoizableMessage,
    SupervisedExecutor,
    executor_failure,
    fail_without_blocks,
    give_up,
)


def _executor(**settings: Any) -> SupervisedExecutor:
    return SupervisedExecutor({"MARK": "x"}, label="pool", address="127.0.0.1", **settings)


def test_the_attributes_of_the_executor() -> None:
    executor = _executor()
    assert executor.interchange_proc is None
    assert executor._result_queue_thread is None
    assert executor._executor_exception is None
    assert not executor._executor_bad_state.is_set()
    assert isinstance(executor, BlockProviderExecutor)
    source = inspect.getsource(HighThroughputExecutor)
    for name in ("connected_managers", "connected_blocks", "_hold_manager"):
        assert f"self.{name}(" in source
    assert "self.command_client.run(" in source


def test_the_attributes_of_the_command_client() -> None:
    source = inspect.getsource(zmq_pipes.CommandClient)
    for attribute in ("self._lock", "self.ok", "self.zmq_socket", "send_pyobj", "recv_pyobj"):
        assert attribute in source


def test_the_launch_command() -> None:
    assert "process_worker_pool.py " in DEFAULT_LAUNCH_CMD
    executor = _executor()
    assert "-m workflow_backends.parsl_engine.pool " in executor.launch_cmd
    for place in ("'{cert_dir}'", "'{logdir}'"):
        assert place in executor.launch_cmd
    assert executor.interchange_launch_cmd[:2] == ["env", "MARK=x"]


def test_what_the_pool_asks_of_its_multiprocessing_context() -> None:
    source = inspect.getsource(process_worker_pool)
    assert "from parsl.multiprocessing import SpawnContext" in source
    assert source.count("SpawnContext.Manager()") == 1
    uses = {
        line.partition("self._mp_manager.")[2] for line in source.splitlines() if "self._mp_manager." in line
    }
    assert uses == {"dict()", "Queue()"}
    assert hasattr(parsl.multiprocessing, "SpawnContext")


def test_a_failed_executor_is_told_and_left_alone() -> None:
    class Dead:
        def poll(self) -> int:
            return -9

    executor = _executor()
    assert executor_failure(executor) is None
    executor.interchange_proc = Dead()  # type: ignore[assignment]
    assert executor_failure(executor) == "Parsl's interchange ended (status -9)"
    give_up(executor, "it ended")
    assert executor.bad_state_is_set
    assert "it ended" in str(executor.executor_exception)


def _statuses(*states: JobState) -> dict[str, JobStatus]:
    return {str(n): JobStatus(state, "words of the block") for n, state in enumerate(states)}


def test_blocks_that_fail_in_a_row_fail_the_executor_and_a_live_one_saves_it() -> None:
    executor = _executor()
    executor.connected_managers = list  # type: ignore[method-assign]
    fail_without_blocks(executor, _statuses(*[JobState.FAILED] * 4))
    fail_without_blocks(executor, _statuses(*[JobState.FAILED] * 8, JobState.RUNNING))
    assert not executor.bad_state_is_set
    fail_without_blocks(executor, _statuses(*[JobState.FAILED] * 5))
    assert "words of the block" in str(executor.executor_exception)


def test_parsl_can_look_up_our_messages() -> None:
    from parsl.dataflow.memoization import id_for_memo

    assert id_for_memo(MemoizableMessage(b"abc")) == b"abc"
