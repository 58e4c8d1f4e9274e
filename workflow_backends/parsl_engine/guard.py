"""Runs a command and leaves nothing of it behind: ``python -P -m ...guard COMMAND...``.

Ends every process that the command started, wherever it moved, once the command ended, the guard's parent is
gone, or the guard is told to stop.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import uuid

from workflow_backends.machine import kill_marked
from workflow_backends.parsl_engine.lifeline import run_owner

__all__: list[str] = []

_VARIABLE = "WORKFLOW_BACKENDS_BLOCK"
_CHECK_S = 1.0


def main(command: list[str]) -> int:
    """Run the command; return its exit status, 143 if it was stopped."""
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()  # which a signal handler may use at any moment
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda received, _: signals.put(received))
    mark = uuid.uuid4().hex
    process = subprocess.Popen(command, env=os.environ | {_VARIABLE: mark})
    received = None
    while process.poll() is None and os.getppid() == run_owner() and received != signal.SIGTERM:
        with contextlib.suppress(queue.Empty):
            received = signals.get(timeout=_CHECK_S)
    status = process.poll()
    kill_marked(_VARIABLE, mark)
    return 143 if status is None else status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) & 0xFF)
