"""The process that runs tasks, one at a time: ``python -P -m workflow_backends.worker SOCKET LOG RESOURCES``.

It is started by a runner (see runner.py), which may kill it at any moment. It receives messages on a socket
and answers each with RECEIVED, then with the pickled result or a pickled Failure.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
from multiprocessing.connection import Connection
from typing import Any

from workflow_backends.resources import ComputeResources
from workflow_backends.serialization import dump_exception, dump_result, load_message, takes_resources

__all__ = ["RECEIVED"]

RECEIVED = b"received"

_PARENT_CHECK_S = 1.0


def _end_with_parent(parent: int) -> None:
    """End this process's whole group once its parent is gone."""
    while os.getppid() == parent:
        time.sleep(_PARENT_CHECK_S)
    os.killpg(os.getpgid(0), signal.SIGKILL)


def _redirect_output(log: str) -> None:
    """Send what tasks print, children included, to the log."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]


def _run(message: bytes, resources: ComputeResources) -> tuple[bool, bytes]:
    """Run one task; return whether it has a result, and the pickle of the result or of the Failure."""
    try:
        function, args, kwargs = load_message(message)
        if takes_resources(function):
            kwargs["available_resources"] = resources
        return True, dump_result(function(*args, **kwargs))
    except BaseException as error:  # noqa: BLE001  # SystemExit of a task must not end the worker
        return False, pickle.dumps(dump_exception(error))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def main(descriptor: str, log: str, resources: Any) -> None:
    """Serve one runner until it goes away."""
    connection = Connection(int(descriptor))
    os.set_inheritable(int(descriptor), False)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()
    _redirect_output(log)
    owned = pickle.loads(bytes.fromhex(resources))
    while True:
        try:
            message = connection.recv_bytes()
        except EOFError:
            return
        connection.send_bytes(RECEIVED)
        has_result, data = _run(message, owned)
        connection.send_bytes(b"1" if has_result else b"0")
        connection.send_bytes(data)


if __name__ == "__main__":
    main(*sys.argv[1:4])
