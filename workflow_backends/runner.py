"""Drives the worker process from inside an engine's own process: sends tasks, ends them, replaces the dead.

The engine's process never runs user code, so that no task can take the engine down: a crash, a kill, a time
limit or a cancel ends the worker process alone, is told apart here and reported as what it was.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from workflow_backends.block import departure, time_left
from workflow_backends.channel import Channel
from workflow_backends.machine import import_variables
from workflow_backends.pinning import worker_variables
from workflow_backends.probing import PROBES_NAME, PROBES_VARIABLE
from workflow_backends.resources import ComputeResources
from workflow_backends.serialization import SUCCEEDED, TASK, Failure, TaskFailed
from workflow_backends.unmasked import unmasked_devices

__all__ = ["Ticket", "end_worker", "run_task", "settle"]

_POLL_S = 0.1
_INTERRUPT_GRACE_S = 2.0
_ELSEWHERE_S = 0.5
_TAIL_BYTES = 2000
_ENDINGS = (signal.SIGTERM, signal.SIGKILL)  # which a scheduler sends to all processes of a job
_SIGNAL_S = 1.0  # within which we get the first as well


class Ticket(NamedTuple):
    """What goes with a task: who it is, where it may leave files, what its worker owns.

    Parameters
    ----------
    attempt
        Names this try of this task; also its files.
    directory
        Of the run, for marks and logs.
    time_limit
        In seconds, or None.
    resources
        The pickled ComputeResources of the worker.
    avoid
        Workers that are to leave the task to others, because their devices failed it.
    """

    attempt: str
    directory: str
    time_limit: float | None
    resources: bytes
    avoid: tuple[str, ...] = ()

    @property
    def cancel_mark(self) -> str:
        """The file whose existence cancels this attempt."""
        return f"{self.directory}/{self.attempt}.cancel"


class _Worker:
    """One worker process and the connection to it."""

    def __init__(self, ticket: Ticket) -> None:
        self.owner = (ticket.directory, ticket.resources)
        self._log = Path(ticket.directory, f"worker-{_place()}.log")
        self._log_descriptor = os.open(self._log, os.O_RDONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._receipts, receipts = os.pipe()
        os.set_blocking(self._receipts, False)
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "workflow_backends.worker"),
                    *(str(theirs.fileno()), str(receipts), str(self._log), ticket.resources.hex()),
                ],
                pass_fds=[theirs.fileno(), receipts],
                stdin=subprocess.DEVNULL,
                env=_environment(ticket),
                start_new_session=True,
            )
        os.close(receipts)
        self.channel = Channel(ours)

    def has_received(self) -> bool:
        """Tell whether the worker took the last task, and forget it."""
        try:
            return bool(os.read(self._receipts, 1))
        except BlockingIOError:
            return False

    def kill(self) -> None:
        """End the process and every child it left in its group."""
        with contextlib.suppress(ProcessLookupError):  # it was reaped, and nothing is left of its group
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.channel.close()
        os.close(self._receipts)
        os.close(self._log_descriptor)

    def interrupt(self) -> None:
        """Let the task clean up after itself: KeyboardInterrupt in its main thread, then the end."""
        self.process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + _INTERRUPT_GRACE_S
        while time.monotonic() < deadline and not self.channel.ready(_POLL_S):
            pass

    def take_log(self, ticket: Ticket) -> str:
        """Give what was printed to the task, as a file of its own, and return its end."""
        size = os.fstat(self._log_descriptor).st_size
        if size == 0:
            return ""
        tail = os.pread(self._log_descriptor, _TAIL_BYTES, max(0, size - _TAIL_BYTES))
        with contextlib.suppress(OSError):  # the disk is full, or the run's directory was deleted
            shutil.copyfile(self._log, f"{ticket.directory}/{ticket.attempt}.log")
        with contextlib.suppress(OSError):
            os.truncate(self._log, 0)
        return tail.decode(errors="replace").strip()


# One worker process for each thread of the engine's process that runs tasks: mostly there is one.
_local = threading.local()


def settle(rank: int, environment: Mapping[str, str] | None = None) -> None:
    """Say what the worker processes of the calling thread are.

    Parameters
    ----------
    rank
        Which of its pool's workers the thread drives; its devices follow from that.
    environment
        Variables that its processes get beside this process's own.
    """
    _local.rank, _local.environment = rank, dict(environment or {})


def end_worker() -> None:
    """End the calling thread's worker process, if it has one."""
    worker: _Worker | None = getattr(_local, "worker", None)
    if worker is not None:
        _discard(worker)


def run_task(call: bytes, prefix: bytes, ticket: tuple[Any, ...]) -> bytes:
    """Run one task in the worker process and return the pickle of its result.

    Parameters
    ----------
    call, prefix
        From `serialization.dump_call` and `call_prefix`.
    ticket
        The fields of a Ticket.

    Raises
    ------
    TaskFailed
        With a pickled Failure, whatever went wrong.
    """
    return _run((prefix, call), Ticket(*ticket))


def _run(message: tuple[bytes, bytes], ticket: Ticket) -> bytes:
    if os.path.exists(ticket.cancel_mark):  # noqa: PTH110  # a Path costs more than the look
        raise _failed("cancelled", "it was cancelled before it started")
    if refusal := departure.refusal(ticket.time_limit):
        raise _failed(*refusal)
    if _place() in ticket.avoid:
        time.sleep(_ELSEWHERE_S)  # in which another worker may take the task
        raise _failed("elsewhere", "the worker's device has failed it before")
    worker: _Worker | None = getattr(_local, "worker", None)
    if worker is not None and worker.owner != (ticket.directory, ticket.resources):
        _discard(worker)  # of an earlier run on the same Parsl
        worker = None
    if worker is not None:
        try:
            return _converse(worker, message, ticket)
        except _DiedIdleError:
            pass  # which is not the task's fault
    try:
        _local.worker = _Worker(ticket)
    except OSError as error:
        raise _failed("lost", f"its worker could not be started: {error}") from error
    try:
        return _converse(_local.worker, message, ticket)
    except _DiedIdleError as error:
        raise _failed("lost", f"its worker {error}") from error


class _DiedIdleError(Exception):
    """The worker died before it took the task."""


def _converse(worker: _Worker, message: tuple[bytes, bytes], ticket: Ticket) -> bytes:
    try:
        worker.channel.send(TASK, *message)
        _wait(worker, ticket)
        outcome, data = worker.channel.receive()
    except (EOFError, OSError):
        raise _death(worker, ticket) from None
    worker.has_received()
    log = worker.take_log(ticket)
    if outcome == SUCCEEDED:
        return data[:] if isinstance(data, mmap.mmap) else bytes(data)
    failure: Failure = pickle.loads(data)
    if failure.kind == "block ends":
        departure.begin()
    if failure.kind == "device":
        _discard(worker)  # a driver may refuse the process for good
    raise TaskFailed(pickle.dumps(replace(failure, log=log, place=_place())))


def _wait(worker: _Worker, ticket: Ticket) -> None:
    started = time.monotonic()
    while not worker.channel.ready(_POLL_S):
        if worker.process.poll() is not None and not worker.channel.ready(0):
            raise EOFError  # it died without a word, and a child it left still holds the socket
        if departure.killed.is_set():
            raise _ended(worker, ticket, "block lost", "its block of workers was ended")
        if os.path.exists(ticket.cancel_mark):  # noqa: PTH110
            worker.interrupt()
            raise _ended(worker, ticket, "cancelled", "it was cancelled while it ran")
        if ticket.time_limit is not None and time.monotonic() - started > ticket.time_limit:
            limit = f"it ran longer than its time limit of {ticket.time_limit} s"
            raise _ended(worker, ticket, "time limit", limit)


def _ended(worker: _Worker, ticket: Ticket, kind: str, description: str) -> TaskFailed:
    log = worker.take_log(ticket)
    _discard(worker)
    return _failed(kind, description, log)


def _death(worker: _Worker, ticket: Ticket) -> Exception:
    had_task, log = worker.has_received(), worker.take_log(ticket)
    _discard(worker)
    status = worker.process.returncode
    how = f"exit status {status}" if status >= 0 else f"signal {-status} ({_signal_name(-status)})"
    description = f"(pid {worker.process.pid}) ended with {how}"
    if -status in _ENDINGS and time_left() is not None and departure.killed.wait(_SIGNAL_S):
        return _failed("block lost", "its block of workers was ended", log)
    return _failed("lost", f"its worker {description}", log) if had_task else _DiedIdleError(description)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "real-time"


def _discard(worker: _Worker) -> None:
    worker.kill()
    del _local.worker


def _failed(kind: str, description: str, log: str = "") -> TaskFailed:
    return TaskFailed(pickle.dumps(Failure(kind, description, log=log)))


def _environment(ticket: Ticket) -> dict[str, str]:
    """Return the environment in which a worker's libraries keep to what it owns."""
    resources: ComputeResources = pickle.loads(ticket.resources)
    inherited = os.environ | import_variables() | getattr(_local, "environment", {})
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENMM_CPU_THREADS")
    threads = dict.fromkeys(names, str(resources.number_of_threads))
    inherited |= {PROBES_VARIABLE: f"{ticket.directory}/{PROBES_NAME}"}
    shared = unmasked_devices(resources, inherited)
    return (
        inherited | threads | shared | worker_variables(_rank(), resources.number_of_gpus, inherited | shared)
    )


def _place() -> str:
    """Return a name for the engine's worker whose tasks run here."""
    return f"{socket.gethostname()}-{os.getpid()}-{threading.get_ident()}"


def _rank() -> int:
    """Return which of its pool's workers this is: a thread that settled, or a process of Parsl's."""
    rank = getattr(_local, "rank", None)
    return int(os.environ.get("PARSL_WORKER_RANK", "0")) if rank is None else int(rank)
