"""Look for what a backend left behind: processes, sockets, files."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import psutil


def our_processes(tag: str = "workflow_backends") -> list[psutil.Process]:
    """Every process of this package, or of a test's tag, on this machine, but for this one."""
    found = []
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
            marked = any(name.startswith("WORKFLOW_BACKENDS_") for name in process.environ())
            alive = process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            continue
        if process.pid != os.getpid() and alive and (marked or tag in command):
            found.append(process)
    return found


def leftovers() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("workflow-backends-*"))
