"""Drives the worker process from inside an engine's own process: sends tasks, ends them, replaces the dead.

The engine's process never runs user code, so that no task can take the engine down: a crash, a kill, a time
limit or a cancel ends the worker process alone, is told apart here and reported as what it was.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from workflow_backends.machine import import_variables
from workflow_backends.resources import ComputeResources
from workflow_backends.serialization import Failure, TaskFailed
from workflow_backends.worker import RECEIVED

__all__ = ["Ticket", "run_task"]

_POLL_S = 0.1
_INTERRUPT_GRACE_S = 2.0
_TAIL_BYTES = 2000


class Ticket(NamedTuple):
    """What goes with a task: who it is, where it may leave files, what its worker owns."""

    attempt: str
    name: str
    directory: str
    time_limit: float | None
    resources: ComputeResources

    @property
    def cancel_mark(self) -> Path:
        """The file whose existence cancels this attempt."""
        return Path(self.directory, f"{self.attempt}.cancel")


class _Worker:
    """One worker process and the connection to it."""

    def __init__(self, ticket: Ticket) -> None:
        self.log = Path(
            ticket.directory, f"worker-{socket.gethostname()}-{os.getpid()}-{threading.get_ident()}.log"
        )
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-P", "-m", "workflow_backends.worker"),
                    *(str(theirs.fileno()), str(self.log), pickle.dumps(ticket.resources).hex()),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=os.environ | import_variables() | _thread_variables(ticket.resources),
                start_new_session=True,
            )
        self.connection = Connection(ours.detach())

    def answers(self, timeout: float) -> bool:
        """Wait until an answer, or the end of the process, is there."""
        return self.connection.poll(timeout) or self.process.poll() is not None

    def kill(self) -> None:
        """End the process and every child it left in its group."""
        with contextlib.suppress(ProcessLookupError):  # it was reaped, and nothing is left of its group
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.connection.close()

    def interrupt(self) -> None:
        """Let the task clean up after itself: KeyboardInterrupt in its main thread, then the end."""
        self.process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + _INTERRUPT_GRACE_S
        while not self.answers(_POLL_S) and time.monotonic() < deadline:
            pass
        self.kill()

    def tail(self) -> str:
        """Return the end of what was printed."""
        with self.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(0, size - _TAIL_BYTES))
            return log.read().decode(errors="replace").strip()


# One worker process for each thread of the engine's process that runs tasks: mostly there is one.
_local = threading.local()


def run_task(message: bytes, ticket: Ticket) -> bytes:
    """Run one task in the worker process and return the pickle of its result.

    Raises
    ------
    TaskFailed
        With a pickled Failure, whatever went wrong.
    """
    try:
        if ticket.cancel_mark.exists():
            raise _failed("cancelled", "it was cancelled before it started")
        worker: _Worker | None = getattr(_local, "worker", None)
        if worker is None or not _takes(worker, message):
            worker = _local.worker = _Worker(ticket)
            if not _takes(worker, message):
                raise _death(worker, ticket)
        return _answer(worker, ticket)
    except OSError as error:
        raise _failed("lost", f"its worker could not be started: {error}") from error


def _takes(worker: _Worker, message: bytes) -> bool:
    """Hand a task over; False if the worker died while it was idle, which is not the task's fault."""
    try:
        worker.connection.send_bytes(message)
        while not worker.answers(_POLL_S):
            pass
        return worker.connection.poll(0) and worker.connection.recv_bytes() == RECEIVED
    except (EOFError, OSError):
        return False


def _answer(worker: _Worker, ticket: Ticket) -> bytes:
    try:
        _wait(worker, ticket)
        has_result = worker.connection.recv_bytes() == b"1"
        data = worker.connection.recv_bytes()
    except (EOFError, OSError):
        raise _death(worker, ticket) from None
    log = _take_log(worker, ticket)
    if has_result:
        return data
    failure: Failure = pickle.loads(data)
    raise TaskFailed(pickle.dumps(Failure(**vars(failure) | {"log": log})))


def _wait(worker: _Worker, ticket: Ticket) -> None:
    started = time.monotonic()
    while not worker.answers(_POLL_S):
        if ticket.cancel_mark.exists():
            worker.interrupt()
            _take_log(worker, ticket)
            raise _failed("cancelled", "it was cancelled while it ran")
        if ticket.time_limit is not None and time.monotonic() - started > ticket.time_limit:
            worker.kill()
            log = _take_log(worker, ticket)
            raise _failed("time limit", f"it ran longer than its time limit of {ticket.time_limit} s", log)
    if not worker.connection.poll(0):
        raise EOFError  # it died, and a child it left still holds the socket


def _death(worker: _Worker, ticket: Ticket) -> TaskFailed:
    worker.kill()
    status = worker.process.returncode
    how = f"exit status {status}" if status >= 0 else f"signal {-status} ({signal.Signals(-status).name})"
    log = _take_log(worker, ticket)
    return _failed("lost", f"its worker (pid {worker.process.pid}) ended with {how}", log)


def _take_log(worker: _Worker, ticket: Ticket) -> str:
    """Give the output to its task, as a file of its own, and return its end."""
    if not worker.log.exists() or worker.log.stat().st_size == 0:
        return ""
    tail = worker.tail()
    shutil.copyfile(worker.log, Path(ticket.directory, f"{ticket.attempt}.log"))
    os.truncate(worker.log, 0)
    return tail


def _failed(kind: str, description: str, log: str = "") -> TaskFailed:
    return TaskFailed(pickle.dumps(Failure(kind, description, log=log)))


def _thread_variables(resources: ComputeResources) -> dict[str, str]:
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENMM_CPU_THREADS")
    return dict.fromkeys(names, str(resources.number_of_threads))
