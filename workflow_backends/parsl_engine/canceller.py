"""Cancels a run's jobs when its owner stops or dies: ``python -P -m ...canceller NAME RUN DIRECTORY OWNER``.

It outlives the owner, in a session of its own, and goes on until the scheduler knows no job of the run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from workflow_backends.machine import import_variables
from workflow_backends.parsl_engine.commands import (
    SchedulerError,
    cancel_jobs,
    query_jobs,
    recorded_ids,
    unanswered,
)
from workflow_backends.parsl_engine.schedulers import Scheduler, scheduler_named

__all__ = ["end_jobs", "start_canceller"]

_OWNER_CHECK_S = 0.5
_LOOK_S = 0.3
_REPEAT_S = 5.0
_LATE_SUBMISSION_S = 60.0
_GIVE_UP_S = 1800.0


def end_jobs(scheduler: Scheduler, run: str, directory: Path, limit: float) -> bool:
    """Cancel all jobs of a run, late ones too, until none is left or `limit` seconds passed; tell which."""
    began = time.monotonic()
    known: set[str] = set()
    cancelled: dict[str, float] = {}
    while (elapsed := time.monotonic() - began) < limit:
        known.update(recorded_ids(scheduler, directory))
        late = unanswered(directory) and elapsed < _LATE_SUBMISSION_S
        try:
            states = query_jobs(scheduler, run, sorted(known))
            known.update(states)
            left = {job for job, status in states.items() if status.live or status.stuck}
            if not left and not late:
                return True
            asked = {job for job in left if elapsed - cancelled.get(job, -_REPEAT_S) >= _REPEAT_S}
            if asked:
                cancel_jobs(scheduler, asked)
                cancelled |= dict.fromkeys(asked, elapsed)
            time.sleep(_LOOK_S)
        except SchedulerError as error:
            if not known and not late:
                return True  # no job was ever taken
            print(error, file=sys.stderr, flush=True)  # noqa: T201  # to a file beside the jobs'
            time.sleep(_REPEAT_S)
    return False


def start_canceller(scheduler: Scheduler, run: str, directory: Path) -> subprocess.Popen[bytes]:
    """Start the process that ends a run's jobs when this process ends, or when it is told to."""
    # Without the marks by which an enclosing task's processes are found and ended.
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("WORKFLOW_BACKENDS_")}
    arguments = (scheduler.name, run, str(directory), str(os.getpid()))
    with (directory / "canceller.err").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "workflow_backends.parsl_engine.canceller", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=inherited | import_variables(),
            start_new_session=True,
        )


def main(name: str, run: str, directory: str, owner: str) -> int:
    """Wait for the owner's end, or for being told to; then end the jobs."""
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.getppid() == int(owner) and not told.wait(_OWNER_CHECK_S):
        pass
    return 0 if end_jobs(scheduler_named(name), run, Path(directory), _GIVE_UP_S) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
