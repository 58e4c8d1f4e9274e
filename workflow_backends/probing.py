"""Ask the probe: each question is put once per host and run, whoever asks.

Only a failure that may pass, as of a device whose memory is taken, is asked about again, and so seldom that
nine tenths of the time are left for work.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from workflow_backends.devices import Device
from workflow_backends.machine import import_variables

__all__ = [
    "PROBES_NAME",
    "PROBES_VARIABLE",
    "Trial",
    "find_devices",
    "find_plugins",
    "lacks_memory",
    "try_platform",
]

PROBES_VARIABLE = "WORKFLOW_BACKENDS_PROBES"  # a directory that all processes of a run share,
PROBES_NAME = "probes"  # of this name in the run's directory
_TIMEOUT_S = 120  # a cold OpenCL compiler takes long
_BOOT = Path("/proc/sys/kernel/random/boot_id")
# What changes which devices and drivers a process sees.
_SIGHT = ("CUDA_", "HIP_", "ROCR_", "NVIDIA_", "GPU_DEVICE_ORDINAL", "POCL_", "OCL_ICD_", "OPENCL_")
_PATHS = ("LD_LIBRARY_PATH", "OPENMM_PLUGIN_DIR")
_PASSING = re.compile(r"did not answer|signal 9$|device could not be loaded")  # by load, or lack of memory
_HOLDS = 10  # times as long as it took to find out
# OpenMM's texts end in the driver's error and its number: CUDA_ERROR_OUT_OF_MEMORY (2), clCreateBuffer (-4);
# cuFFT's 2 is CUFFT_ALLOC_FAILED.
_MEMORY = re.compile(r"out.?of.?memory|bad_alloc|initializing FFT: 2\s*$", re.IGNORECASE)
_OPENCL_MEMORY = re.compile(r"\((-4|-6|-61)\)")  # of an object, of the host, of one buffer

Answer = dict[str, Any]
_answers: dict[tuple[str, str], Answer] = {}
_locks: dict[tuple[str, str], threading.Lock] = {}


@dataclass(frozen=True)
class Trial:
    """How far a platform got on a small box of water.

    Parameters
    ----------
    integrates, minimises
        Whether a Context opened and made a step, and whether it minimised.
    error
        What ended the trial early.
    """

    integrates: bool = False
    minimises: bool = False
    error: str = ""


def try_platform(
    name: str, properties: dict[str, str], environment: Mapping[str, str] | None = None
) -> Trial:
    """Open a Context, integrate and minimise in a process of its own: a driver may crash it.

    Parameters
    ----------
    name, properties
        Of the OpenMM platform.
    environment
        Of that process; this one's unless told.
    """
    return Trial(**_ask({"platform": name, "properties": properties}, environment))


def find_devices(toolkit: str, environment: Mapping[str, str] | None = None) -> list[Device]:
    """Return the devices that CUDA, HIP or OpenCL shows to a process with this environment."""
    answer = _ask({"devices": toolkit}, environment)
    return [Device(**device) for device in answer.get("devices", ())]


def find_plugins(environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return OpenMM's version, the names of its platforms, and what plugins failed to load with."""
    return {"version": "", "names": [], "failures": []} | _ask({"plugins": True}, environment)


def lacks_memory(platform: str, text: str) -> bool:
    """Tell whether OpenMM stopped for want of memory, by the text of its exception."""
    return bool(_MEMORY.search(text) or (platform == "OpenCL" and _OPENCL_MEMORY.search(text)))


def _ask(question: Answer, environment: Mapping[str, str] | None) -> Answer:
    if environment is None:
        environment = os.environ
    place = environment.get(PROBES_VARIABLE, "")
    key = place, _key(question, environment)
    with _locks.setdefault(key, threading.Lock()):
        if key not in _answers or not _holds(_answers[key]):
            _answers[key] = _shared(question, environment, Path(place, f"{key[1]}.json") if place else None)
        return {name: value for name, value in _answers[key].items() if name != "until"}


def _holds(answer: Answer) -> bool:
    return time.time() < float(answer.get("until", "inf"))


def _put(question: Answer, environment: Mapping[str, str]) -> Answer:
    began = time.monotonic()
    answer = _run(question, environment)
    error = answer.get("error", "")
    if _PASSING.search(error) or lacks_memory(question.get("platform", ""), error):
        answer["until"] = time.time() + _HOLDS * (time.monotonic() - began)
    return answer


def _key(question: Answer, environment: Mapping[str, str]) -> str:
    seen = {name: value for name, value in environment.items() if name.startswith((*_SIGHT, *_PATHS))}
    return hashlib.sha256(json.dumps([question, seen, _here()], sort_keys=True).encode()).hexdigest()[:32]


@cache
def _here() -> list[str]:
    """Return what else an answer holds for: the host since its start, Python and OpenMM."""
    boot = _BOOT.read_text(encoding="utf-8") if _BOOT.exists() else ""
    try:
        version = metadata.version("openmm")
    except metadata.PackageNotFoundError:
        version = ""
    return [socket.gethostname(), boot, sys.executable, version]


def _shared(question: Answer, environment: Mapping[str, str], file: Path | None) -> Answer:
    """Return the answer that the run has, or put the question while others wait for the answer."""
    if file is None:
        return _put(question, environment)
    with contextlib.ExitStack() as stack:
        try:
            file.parent.mkdir(exist_ok=True)
            lock = stack.enter_context(file.with_suffix(".lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)
            with contextlib.suppress(FileNotFoundError, ValueError):
                known: Answer = json.loads(file.read_text(encoding="utf-8"))
                if _holds(known):
                    return known
        except OSError:  # a full disk, or the run is being deleted: nobody shares
            return _put(question, environment)
        answer = _put(question, environment)
        with contextlib.suppress(OSError):
            file.write_text(json.dumps(answer))  # if cut short, it is no JSON
        return answer


def _run(question: Answer, environment: Mapping[str, str]) -> Answer:
    command = [sys.executable, "-P", "-m", "workflow_backends.probe", json.dumps(question)]
    answer: Answer = {}
    try:
        run = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
            env={**environment, **import_variables()},
        )
    except subprocess.TimeoutExpired:
        return {"error": f"did not answer within {_TIMEOUT_S} s"}
    for line in run.stdout.splitlines():
        if line.startswith("{"):  # drivers print too
            answer |= json.loads(line)
    if run.returncode < 0:
        answer.setdefault("error", f"the probe ended with signal {-run.returncode}")
    elif run.returncode > 0:
        last = (run.stderr.strip().splitlines() or [""])[-1]
        answer.setdefault("error", f"the probe ended with exit status {run.returncode}: {last}")
    return answer
