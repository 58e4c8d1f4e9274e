"""Ends what a killed script leaves: ``python -P -m workflow_backends.reaper``, as the script's child.

It waits for the end of its parent, then kills every process of the run that its own environment names,
wherever a task moved it.
"""

from __future__ import annotations

import os
import signal
import time

from workflow_backends.machine import RUN_VARIABLE, kill_marked

__all__: list[str] = []

_CHECK_S = 0.5


def main() -> None:
    """Wait, and kill until nothing is left."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    mark = os.environ[RUN_VARIABLE]
    while os.getppid() == int(mark.partition(":")[0]):
        time.sleep(_CHECK_S)
    while kill_marked(RUN_VARIABLE, mark):
        pass


if __name__ == "__main__":
    main()
