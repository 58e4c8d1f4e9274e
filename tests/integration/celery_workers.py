"""Workers for a CeleryBackend with a queue_name, as users start them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["user_workers"]


@contextlib.contextmanager
def user_workers(queue: str, number: int = 1) -> Iterator[subprocess.Popen[bytes]]:
    """Run the documented command, with the broker of the environment, inside a ``with`` block."""
    options = ("--queue", queue, "--workers", str(number))
    workers = subprocess.Popen(
        [sys.executable, "-m", "workflow_backends", "celery-worker", *options],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield workers
    finally:
        workers.kill()
        workers.wait()
