"""Blocks of workers on this machine, each under a guard that ends with us."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from parsl.jobs.states import JobState, JobStatus
from parsl.providers import LocalProvider
from parsl.providers.errors import SubmitException

__all__ = ["GuardedLocalProvider"]

_STATUS_S = 1.0
_END_S = 3.0


class GuardedLocalProvider(LocalProvider):  # type: ignore[misc]  # parsl is not typed
    """Parsl's LocalProvider, with each block a child process under a guard.

    It knows at once when a block ended, leaves nothing behind when it cancels one, and any path will do.

    Parameters
    ----------
    blocks
        How many blocks there are from the start and at most.
    environment
        Variables that the blocks get beside the inherited ones.
    """

    def __init__(self, blocks: int, environment: dict[str, str]) -> None:
        super().__init__(init_blocks=0, min_blocks=blocks, max_blocks=blocks)
        self._environment = environment
        self._blocks: dict[str, subprocess.Popen[bytes]] = {}
        self._errors: dict[str, Path] = {}
        self._closed = False

    @property
    def status_polling_interval(self) -> float:
        """Seconds between two looks at the blocks."""
        return _STATUS_S

    def submit(self, command: str, tasks_per_node: int, job_name: str = "block") -> str:  # noqa: ARG002
        """Start a block; return its id."""
        if self._closed:
            raise SubmitException(job_name, "the backend is stopping")
        stem = Path(self.script_dir, job_name)
        with Path(f"{stem}.out").open("wb") as out, Path(f"{stem}.err").open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "workflow_backends.parsl_engine.guard", *shlex.split(command)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=os.environ | self._environment,
                start_new_session=True,
            )
        self._blocks[str(process.pid)] = process
        self._errors[str(process.pid)] = Path(f"{stem}.err")
        return str(process.pid)

    def status(self, job_ids: Sequence[str]) -> list[Any]:
        """Return the state of each block."""
        return [_status(self._blocks[job_id].poll(), self._errors[job_id]) for job_id in job_ids]

    def cancel(self, job_ids: Sequence[str]) -> list[bool]:
        """End blocks and all that they started; every one of them is gone on return."""
        blocks = [self._blocks[job_id] for job_id in job_ids]
        for block in blocks:
            block.terminate()
        for block in blocks:
            try:
                block.wait(_END_S)
            except subprocess.TimeoutExpired:
                block.kill()
                block.wait()
        return [True for _ in blocks]

    def close(self) -> None:
        """End every block and start no more, whatever Parsl's strategy asks for."""
        self._closed = True
        self.cancel(list(self._blocks))


def _status(exit_code: int | None, errors: Path) -> Any:
    if exit_code is None:
        return JobStatus(JobState.RUNNING)
    if exit_code == 0:
        return JobStatus(JobState.COMPLETED, exit_code=0)
    last = (
        errors.read_text(encoding="utf-8", errors="replace").strip().splitlines() if errors.exists() else []
    )[-1:]
    return JobStatus(JobState.FAILED, " ".join([f"exit status {exit_code}", *last]), exit_code=exit_code)
