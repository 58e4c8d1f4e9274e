"""How fast boxes of water run, alone and several at the same time, each in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from workflow_backends.machine import import_variables
from workflow_backends.platforms import PlatformChoice

__all__ = ["STANDARD_MOLECULES", "measure_speed"]

STANDARD_MOLECULES = 216
_READY_S = 180.0  # a cold OpenCL compiler takes long


def measure_speed(
    choices: Sequence[PlatformChoice],
    molecules: int = STANDARD_MOLECULES,
    seconds: float = 2.0,
    environment: Mapping[str, str] | None = None,
) -> list[float] | str:
    """Run one box of water on each of these at the same time.

    Parameters
    ----------
    choices
        One for each process.
    molecules
        Rigid water molecules in a box, to the nearest third power: PME, 2 fs, constant temperature.
    seconds
        To run for; all begin when the last is ready.
    environment
        Of the processes; this one's unless told.

    Returns
    -------
    list of float, or str
        Each one's speed in ns/day, or what went wrong.
    """
    variables = {**(os.environ if environment is None else environment), **import_variables()}
    processes = [_start(choice, molecules, seconds, variables) for choice in choices]
    watch = threading.Timer(_READY_S + seconds, _end, (processes,))
    watch.daemon = True
    watch.start()
    try:
        waiting = [_answer(process) for process in processes]
        for process in processes:
            _let_go(process)
        lines = [
            ready if "error" in ready else _answer(p) for ready, p in zip(waiting, processes, strict=True)
        ]
    finally:
        watch.cancel()
        _end(processes)
    errors = [line["error"] for line in lines if "error" in line]
    return str(errors[0]) if errors else [float(line["ns_per_day"]) for line in lines]


def _end(processes: Sequence[subprocess.Popen[str]]) -> None:
    for process in processes:
        process.kill()
        process.wait()


def _let_go(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(OSError):  # it has ended, and what it said tells why
        print("go", file=process.stdin, flush=True)


def _start(
    choice: PlatformChoice, molecules: int, seconds: float, environment: Mapping[str, str]
) -> subprocess.Popen[str]:
    question = {
        "speed": choice.name,
        "properties": choice.properties,
        "molecules": molecules,
        "seconds": seconds,
    }
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "workflow_backends.probe", json.dumps(question)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        errors="replace",
        env=environment,
    )


def _answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return the next answer of a probe, past what its driver prints."""
    for line in process.stdout or ():
        if line.startswith("{"):
            answer: dict[str, Any] = json.loads(line)
            return answer
    return {"error": f"the process ended with status {process.wait()}"}
