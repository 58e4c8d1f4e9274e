"""Runs a module as a process of a run: ``python -P -m workflow_backends.child MODULE ARGUMENTS...``.

It ends with its parent. Its environment, by which a run's processes are found, stays readable: setproctitle,
which Dask and Celery use where it is installed, would write over it.
"""

from __future__ import annotations

import os
import runpy
import sys
from typing import Any

from workflow_backends.parsl_engine.lifeline import exit_with_parent

__all__: list[str] = []

if __name__ == "__main__":
    exit_with_parent(os.getppid())
    modules: dict[str, Any] = sys.modules  # None means that it is not there
    modules["setproctitle"] = None
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
