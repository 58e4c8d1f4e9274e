"""Every private attribute of Parsl that we touch, and why."""

from __future__ import annotations

import logging
import pickle
import socket
import sys
from typing import Any

import parsl.executors.high_throughput.probe
import parsl.multiprocessing
import zmq
from parsl.dataflow.memoization import id_for_memo
from parsl.executors import HighThroughputExecutor
from parsl.executors.high_throughput.errors import CommandClientBadError
from parsl.executors.high_throughput.executor import DEFAULT_LAUNCH_CMD
from parsl.executors.high_throughput.probe import probe_addresses
from parsl.executors.status_handling import BlockProviderExecutor
from parsl.jobs.states import TERMINAL_STATES, JobState, JobStatus
from parsl.serialize.concretes import PickleSerializer
from parsl.serialize.facade import methods_for_data, register_method_for_data

from workflow_backends.block import departure
from workflow_backends.parsl_engine.threads import ThreadContext

__all__ = [
    "MemoizableMessage",
    "SupervisedExecutor",
    "executor_failure",
    "fail_without_blocks",
    "forget_failure",
    "give_up",
    "prepare_pool",
]

_COMMAND_POLL_MS = 200
_FAILED = (JobState.FAILED, JobState.MISSING)  # others that ended did so at their time, or were told to


class SupervisedExecutor(HighThroughputExecutor):  # type: ignore[misc]  # parsl is not typed
    """Parsl's HighThroughputExecutor, with processes that end with us and calls that never hang.

    Parameters
    ----------
    environment
        Variables that the interchange gets beside the inherited ones.
    python
        The interpreter of the blocks.
    **settings
        As for HighThroughputExecutor.
    """

    failed_blocks_limit = 5  # in a row, after which it gives up

    def __init__(self, environment: dict[str, str], *, python: str = sys.executable, **settings: Any) -> None:
        super().__init__(
            launch_cmd=_launch_command(python),
            interchange_launch_cmd=[
                *("env", *(f"{name}={value}" for name, value in environment.items())),
                *(sys.executable, "-P", "-m", "workflow_backends.parsl_engine.interchange"),
            ],
            block_error_handler=fail_without_blocks,
            encrypted=True,
            **settings,
        )

    def kill_interchange(self) -> None:
        """End the interchange if Parsl's clean-up did not."""
        if self.interchange_proc is not None and self.interchange_proc.poll() is None:
            self.interchange_proc.kill()
            self.interchange_proc.wait()

    # Parsl waits for the interchange's answer without limit, which blocks its poller for ever when it died.

    def connected_managers(self) -> list[dict[str, Any]]:
        """Return what Parsl knows of each connected manager."""
        return self._command("MANAGERS")  # type: ignore[no-any-return]

    def connected_blocks(self) -> list[str]:
        """Return the ids of the blocks that have connected."""
        return self._command("CONNECTED_BLOCKS")  # type: ignore[no-any-return]

    def _hold_manager(self, manager_id: str) -> None:
        self._command(["HOLD_MANAGER", manager_id])

    def _command(self, message: object) -> Any:
        client = self.command_client
        with client._lock:
            if not client.ok:
                raise CommandClientBadError
            self._wait_for_interchange(client, zmq.POLLOUT)
            client.zmq_socket.send_pyobj(message)
            self._wait_for_interchange(client, zmq.POLLIN)
            return client.zmq_socket.recv_pyobj()

    def _wait_for_interchange(self, client: Any, event: int) -> None:
        while not client.zmq_socket.poll(_COMMAND_POLL_MS, event):
            if self.interchange_proc.poll() is not None:
                client.ok = False
                raise CommandClientBadError


def executor_failure(executor: Any) -> str | None:
    """Say why an executor can run no task any more; Parsl itself does not notice a dead interchange."""
    if not isinstance(executor, BlockProviderExecutor):
        return None
    interchange = getattr(executor, "interchange_proc", None)
    if interchange is not None and (status := interchange.poll()) is not None:
        return f"Parsl's interchange ended (status {status})"
    receiver = getattr(executor, "_result_queue_thread", None)
    if receiver is not None and not receiver.is_alive():
        return "Parsl's result thread ended"
    return f"Parsl's executor failed: {executor.executor_exception}" if executor.bad_state_is_set else None


def give_up(executor: Any, reason: str) -> None:
    """Make Parsl leave a failed executor alone: its clean-up would wait for an answer."""
    if not executor.bad_state_is_set:
        executor._executor_exception = RuntimeError(reason)
        executor._executor_bad_state.set()


class _PickleSerializer(PickleSerializer):  # type: ignore[misc]  # parsl is not typed
    identifier = b"parsl.serialize.concretes PickleSerializer"  # from which any Parsl finds the class


def _probe_anonymously(context: Any, addresses: set[str], timeout_ms: int, identity: bytes) -> Any:  # noqa: ARG001
    try:
        return probe_addresses(context, addresses, timeout_ms)
    except ConnectionError:
        raise ConnectionError(
            f"workers on {socket.gethostname()} do not reach the script's machine at {', '.join(addresses)}"
            f" within {timeout_ms / 1000:.0f} s; choose another of its addresses with interface="
        ) from None


def prepare_pool() -> None:
    """Save Parsl's pool its processes, and each task the making of log records and the work of dill.

    Our workers are threads, which run no user code, and their results are bytes or TaskFailed.

    The pool probes the interchange under the name that it connects with a moment later. An interchange that
    has not yet seen the probe go drops the second connection of the name, and the pool waits for ever: the
    probe needs no name.
    """
    logging.disable(logging.INFO)
    parsl.executors.high_throughput.probe.probe_addresses = _probe_anonymously
    parsl.multiprocessing.SpawnContext = ThreadContext()
    methods_for_data.clear()
    register_method_for_data(_PickleSerializer())
    departure.announce_with(_drain)


def _drain() -> None:
    """Tell the interchange to send this pool no task, and to let it go when it has none.

    What its threads put beside results goes to the interchange as it is, and in their order.
    """
    manager = getattr(sys.modules["__main__"], "manager", None)  # a global of Parsl's program
    if manager is not None:
        manager.pending_result_queue.put(pickle.dumps({"type": "drain"}))


class MemoizableMessage(bytes):
    """A part of a task's message that Parsl can look up among those it has run."""


@id_for_memo.register(MemoizableMessage)  # type: ignore[untyped-decorator]  # parsl is not typed
def _identity(message: MemoizableMessage, output_ref: bool = False) -> bytes:  # noqa: ARG001
    return bytes(message)


def forget_failure(future: Any) -> None:
    """Drop a failed task from Parsl's memory of results: it would answer every later try of the same call."""
    if future.exception() is not None:
        record = future.task_record
        record["dfk"].memoizer.memo_lookup_table.pop(record["hashsum"], None)


def _launch_command(python: str) -> str:
    """Return Parsl's command for a pool: our wrapper, and quotes around what may hold a space."""
    command: str = DEFAULT_LAUNCH_CMD.replace(
        "process_worker_pool.py", f"'{python}' -P -m workflow_backends.parsl_engine.pool"
    )
    for place in ("{cert_dir}", "{logdir}", "{logconf}"):
        command = command.replace(place, f"'{place}'")
    return command


def fail_without_blocks(executor: Any, status: dict[str, JobStatus]) -> None:
    """Give up when several blocks in a row failed and none is left; Parsl's own handlers do so too early.

    A provider that has a reason why there can be no block at all says so as its ``refusal``; why it learns
    nothing of its blocks, as its ``silence``, which matters only while no worker is there. Parsl calls
    this at every poll; an executor that gave up has told its tasks so.
    """
    if executor.bad_state_is_set:
        return
    if (silence := getattr(executor.provider, "silence", None)) and not executor.connected_managers():
        executor.set_bad_state_and_fail_all(RuntimeError(silence))
        return
    if any(s.state not in TERMINAL_STATES for s in status.values()):
        return
    if reason := getattr(executor.provider, "refusal", None):
        executor.set_bad_state_and_fail_all(RuntimeError(reason))
        return
    last = [status[block] for block in sorted(status, key=int)][-executor.failed_blocks_limit :]
    if len(last) < executor.failed_blocks_limit or any(s.state not in _FAILED for s in last):
        return
    if executor.connected_managers():
        return
    reasons = {s.message or f"exit status {s.exit_code}" for s in last}
    executor.set_bad_state_and_fail_all(
        RuntimeError(f"the last {len(last)} blocks of workers failed: {'; '.join(sorted(reasons))}")
    )
