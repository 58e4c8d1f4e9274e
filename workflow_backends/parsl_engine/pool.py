"""Parsl's process_worker_pool, lighter, and ending as a whole when one of its processes dies.

A dead process may hold the lock of the queue that its siblings read, so that they would wait for ever; the
block is replaced instead, and its tasks run again.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import threading
import time
from multiprocessing import forkserver

from workflow_backends.machine import RUN_VARIABLE
from workflow_backends.parsl_engine.lifeline import StallProofClock, exit_with_parent

__all__: list[str] = []

_POOL = "parsl.executors.high_throughput.process_worker_pool"
_CHILD_CHECK_S = 1.0


def _exit_with_children() -> None:
    seen: set[int | None] = set()
    while True:
        alive = {child.pid for child in multiprocessing.active_children()}
        if seen - alive:
            os._exit(71)
        seen = alive
        time.sleep(_CHILD_CHECK_S)


def _keep_sockets_in(directory: str) -> None:
    # multiprocessing would make a folder of its own in TMPDIR, leave it behind when killed, and fail when the
    # path is too long for a socket.
    multiprocessing.current_process()._config["tempdir"] = directory  # type: ignore[attr-defined]


def _import_once_for_all_workers() -> None:
    """Start the process from which workers are forked; it imports Parsl while this one does."""
    multiprocessing.set_forkserver_preload([_POOL])
    forkserver.ensure_running()


if __name__ == "__main__":
    exit_with_parent(os.getppid())
    _keep_sockets_in(os.environ[RUN_VARIABLE].partition(":")[2])
    _import_once_for_all_workers()
    StallProofClock().install()
    threading.Thread(target=_exit_with_children, name="child-watch", daemon=True).start()
    from workflow_backends.parsl_engine.supervision import fork_workers_without_manager

    fork_workers_without_manager()
    runpy.run_module(_POOL, run_name="__main__", alter_sys=True)
