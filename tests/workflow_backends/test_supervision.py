"""Every private attribute of Parsl that we touch still is what we take it for."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import textwrap
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import parsl.multiprocessing
import zmq
from parsl.executors import HighThroughputExecutor
from parsl.executors.high_throughput import process_worker_pool, zmq_pipes
from parsl.executors.high_throughput.executor import DEFAULT_LAUNCH_CMD
from parsl.executors.status_handling import BlockProviderExecutor
from parsl.jobs.states import JobState, JobStatus
from parsl.serialize import deserialize

from workflow_backends.parsl_engine.supervision import (
    MemoizableMessage,
    SupervisedExecutor,
    _probe_anonymously,
    executor_failure,
    fail_without_blocks,
    give_up,
)
from workflow_backends.parsl_engine.threads import ThreadContext


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
    assert hasattr(parsl.multiprocessing, "SpawnContext")
    uses = set(re.findall(r"(?:SpawnContext|self\._mp_manager)\.(\w+)", source))
    assert uses == {"cpu_count", "Manager", "dict", "Queue", "Value", "Process"}
    assert uses <= set(dir(ThreadContext()))
    of_processes = set(re.findall(r"\bp\.(\w+)", source))
    assert {"start", "is_alive", "terminate", "join", "exitcode"} <= of_processes
    assert of_processes <= set(dir(ThreadContext.Process))


def test_the_pools_probe_has_a_name_to_leave_out() -> None:
    source = inspect.getsource(process_worker_pool)
    assert "from parsl.executors.high_throughput.probe import probe_addresses" in source
    assert re.search(
        r"probe_addresses\(\s+self\.zmq_context,\s+address_set,\s+timeout_ms=.*,\s+identity=", source
    )
    context = zmq.Context()
    with context.socket(zmq.ROUTER) as interchange, ThreadPoolExecutor() as threads:
        url = f"tcp://127.0.0.1:{interchange.bind_to_random_port('tcp://127.0.0.1')}"
        found = threads.submit(_probe_anonymously, context, {url}, 10_000, b"the pool")
        assert interchange.poll(10_000)
        name, _ = interchange.recv_multipart()
        interchange.send_multipart([name, b""])
        assert found.result(10) == url
    context.term()
    assert name != b"the pool"


def test_any_parsl_reads_what_our_pool_writes() -> None:
    code = """
    from parsl.serialize import serialize
    from workflow_backends.parsl_engine.supervision import prepare_pool
    from workflow_backends.serialization import TaskFailed
    prepare_pool()
    print([serialize(value).hex() for value in (b"a result", TaskFailed(b"a report"))])
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    result, failure = (bytes.fromhex(data) for data in ast.literal_eval(run.stdout))
    assert not result.startswith(b"02"), "Parsl's own way was taken"
    assert deserialize(result) == b"a result"
    assert deserialize(failure).args == (b"a report",)


def test_the_executor_takes_a_payload_past_the_kernel() -> None:
    assert list(inspect.signature(HighThroughputExecutor.submit_payload).parameters) == [
        *("self", "context", "buffer")
    ]
    source = inspect.getsource(process_worker_pool.worker)
    for use in ('ctxt.get("task_executor"', 'task_executor["f"]', 'task_executor.get("a"'):
        assert use in source


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


def test_blocks_that_ended_at_their_time_are_no_failures() -> None:
    executor = _executor()
    executor.connected_managers = list  # type: ignore[method-assign]
    for state in (JobState.SCALED_IN, JobState.TIMEOUT, JobState.CANCELLED, JobState.COMPLETED):
        fail_without_blocks(executor, _statuses(*[JobState.FAILED] * 4, state))
    assert not executor.bad_state_is_set
    fail_without_blocks(executor, _statuses(*[JobState.MISSING] * 5))
    assert executor.bad_state_is_set


def test_a_providers_refusal_fails_the_executor_at_once_unless_a_block_lives() -> None:
    executor = _executor()
    executor.provider.refusal = "no such partition"
    fail_without_blocks(executor, _statuses(JobState.RUNNING, JobState.FAILED))
    assert not executor.bad_state_is_set
    executor.tasks[1] = task = Future()
    fail_without_blocks(executor, _statuses(JobState.FAILED))
    assert str(executor.executor_exception) == "no such partition"
    assert "no such partition" in str(task.exception(0))
    fail_without_blocks(executor, _statuses(JobState.FAILED))  # at the next poll; a task can fail once


def test_a_providers_silence_fails_the_executor_unless_a_worker_is_there() -> None:
    executor = _executor()
    executor.provider.silence = "no answer"
    executor.connected_managers = lambda: [{"block_id": "0"}]  # type: ignore[method-assign]
    fail_without_blocks(executor, _statuses(JobState.PENDING))
    assert not executor.bad_state_is_set
    executor.connected_managers = list  # type: ignore[method-assign]
    fail_without_blocks(executor, _statuses(JobState.PENDING))
    assert str(executor.executor_exception) == "no answer"


def test_parsl_can_look_up_our_messages() -> None:
    from parsl.dataflow.memoization import id_for_memo

    assert id_for_memo(MemoizableMessage(b"abc")) == b"abc"
