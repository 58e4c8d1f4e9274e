"""The process that runs tasks: ``python -P -m workflow_backends.worker SOCKET PIPE LOG RESOURCES``.

It is started by a runner (see runner.py), which may kill it at any moment. It receives one message after the
other on the socket, notes each with a byte in the pipe, and answers with the pickled result or a pickled
Failure.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from workflow_backends.channel import Channel
from workflow_backends.resources import ComputeResources
from workflow_backends.serialization import (
    FAILED,
    SUCCEEDED,
    dump_exception,
    dump_result,
    load_call,
    takes_resources,
)

__all__: list[str] = []

_OWNER_CHECK_S = 1.0


def _end_with_owner(parent: int, directory: Path) -> None:
    """End this process's whole group once its parent or the run's directory is gone."""
    while os.getppid() == parent and directory.exists():
        time.sleep(_OWNER_CHECK_S)
    os.killpg(os.getpgid(0), signal.SIGKILL)


def _redirect_output(log: str) -> None:
    """Send what tasks print, children included, to the log."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    sys.stdout = sys.stderr = None  # opened anew for the first task


def _open_output() -> None:
    """Give a task the streams it expects, also after one that closed them."""
    for name, descriptor in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None or getattr(stream, "closed", False):
            fresh = open(descriptor, "w", buffering=1, errors="backslashreplace", closefd=False)  # noqa: SIM115
            setattr(sys, name, fresh)


def _flush_output() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the task may have closed or replaced it
            stream.flush()


def _run(message: bytearray | mmap.mmap, resources: ComputeResources, channel: Channel) -> None:
    """Run one task; send whether it succeeded, and the pickle of its result or of its Failure."""
    _open_output()
    try:
        function, args, kwargs = load_call(message)
        if takes_resources(function):
            kwargs["available_resources"] = resources
        outcome, data = SUCCEEDED, dump_result(function(*args, **kwargs))
    except BaseException as error:  # noqa: BLE001  # SystemExit of a task must not end the worker
        failure = dump_exception(error)
        outcome, data = FAILED, pickle.dumps(failure)
        if failure.kind == "device":
            _send_and_end(data, channel)
    _flush_output()
    channel.send(outcome, data)


def _send_and_end(failure: bytes, channel: Channel) -> None:
    """Tell that the device failed, and end: to release what the error still holds may abort the process."""
    try:
        _flush_output()
        channel.send(FAILED, failure)
    finally:
        os._exit(1)


def main(descriptor: str, pipe: str, log: str, resources: Any) -> None:
    """Serve one runner until it goes away."""
    channel, receipts = Channel(socket.socket(fileno=int(descriptor))), int(pipe)
    for inherited in (int(descriptor), receipts):
        os.set_inheritable(inherited, False)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    watch = (os.getppid(), Path(log).parent)
    threading.Thread(target=_end_with_owner, args=watch, daemon=True).start()
    _redirect_output(log)
    owned = pickle.loads(bytes.fromhex(resources))
    while True:
        try:
            _, message = channel.receive()
        except EOFError:
            return
        os.write(receipts, b"r")
        _run(message, owned, channel)


if __name__ == "__main__":
    main(*sys.argv[1:5])
