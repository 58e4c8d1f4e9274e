"""Runs a command and leaves nothing of it behind: ``python -P -m ...guard COMMAND...``.

Ends every process that the command started, wherever it moved, once the command ended, the guard's parent is
gone, or the guard is told to stop.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import uuid

from workflow_backends.machine import kill_marked

__all__: list[str] = []

_VARIABLE = "WORKFLOW_BACKENDS_BLOCK"
_CHECK_S = 1.0


def main(command: list[str]) -> int:
    """Run the command; return its exit status, 143 if it was stopped."""
    owner = os.getppid()
    mark = uuid.uuid4().hex
    news, stopping = threading.Event(), threading.Event()

    def notice(number: int, _: object) -> None:
        if number == signal.SIGTERM:
            stopping.set()
        news.set()

    signal.signal(signal.SIGCHLD, notice)
    signal.signal(signal.SIGTERM, notice)
    process = subprocess.Popen(command, env=os.environ | {_VARIABLE: mark})
    while process.poll() is None and os.getppid() == owner and not stopping.is_set():
        news.wait(_CHECK_S)
        news.clear()
    status = process.poll()
    kill_marked(_VARIABLE, mark)
    return 143 if status is None else status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) & 0xFF)
