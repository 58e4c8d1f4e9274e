"""Parsl's process_worker_pool, with threads for workers."""

from __future__ import annotations

import os
import runpy
import signal

from workflow_backends.block import departure
from workflow_backends.parsl_engine.lifeline import StallProofClock, exit_with_parent

__all__: list[str] = []

if __name__ == "__main__":
    exit_with_parent(os.getppid())
    StallProofClock().install()
    from workflow_backends.parsl_engine.supervision import prepare_pool

    prepare_pool()
    signal.signal(signal.SIGTERM, lambda *_: departure.begin_at_once())
    runpy.run_module(
        "parsl.executors.high_throughput.process_worker_pool", run_name="__main__", alter_sys=True
    )
