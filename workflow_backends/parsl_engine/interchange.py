"""Parsl's interchange, in a session of its own, ending with its owner: ``python -P -m ...interchange``."""

from __future__ import annotations

import logging
import os
import runpy

from workflow_backends.parsl_engine.lifeline import StallProofClock, exit_with_parent, run_owner

__all__: list[str] = []

if __name__ == "__main__":
    os.setsid()  # Ctrl-C in a terminal is for the script, which then stops the backend
    exit_with_parent(run_owner())
    StallProofClock().install()
    logging.disable(logging.INFO)  # Parsl makes several records for each task and drops most of them
    runpy.run_module("parsl.executors.high_throughput.interchange", run_name="__main__", alter_sys=True)
