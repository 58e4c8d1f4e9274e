"""From ComputeResources to an OpenMM platform that works here, with the reason for the choice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from workflow_backends.errors import PlatformUnavailableError
from workflow_backends.machine import import_variables
from workflow_backends.opencl import opencl_devices
from workflow_backends.resources import ComputeResources, GPUToolkit

__all__ = ["PlatformChoice", "select_platform"]

# What a user installs to get each GPU platform, and the most that a probe may take (a cold OpenCL compiler).
_INSTALL = {
    "CUDA": "pip install 'openmm[cuda12]' or 'openmm[cuda13]' (conda: cuda-version) and NVIDIA's driver",
    "HIP": "pip install 'openmm[hip6]' or 'openmm[hip7]' (conda: openmm-hip) and AMD's driver",
    "OpenCL": "install an OpenCL loader and driver, e.g. ocl-icd-libopencl1 and pocl-opencl-icd",
}
_PROBE_TIMEOUT_S = 120


@dataclass(frozen=True)
class PlatformChoice:
    """An OpenMM platform and how to open it.

    Parameters
    ----------
    name
        For ``openmm.Platform.getPlatformByName``.
    properties
        For the Context; process-wide defaults are never touched.
    reason
        Why this one, in a sentence.
    tried
        What was tried before it: platform name to what went wrong.
    """

    name: str
    properties: dict[str, str]
    reason: str
    tried: dict[str, str] = field(default_factory=dict)


def select_platform(resources: ComputeResources, *, minimise: bool = False) -> PlatformChoice:
    """Choose the OpenMM platform for one worker.

    Parameters
    ----------
    resources
        What the worker owns.
    minimise
        Whether the Context is for an energy minimisation, which some OpenCL drivers do not survive; a
        platform that cannot do it gives way to the CPU, and the reason says so.

    Raises
    ------
    PlatformUnavailableError
        What was asked for does not work here; the message says what is missing and how to install it.
    """
    if resources.platform is not None:
        return _named_outright(resources, resources.platform)
    if resources.number_of_gpus == 0:
        return _cpu(resources, "no GPU was asked for")
    toolkit = resources.preferred_gpu_toolkit
    names = ["CUDA", "HIP", "OpenCL"] if toolkit == GPUToolkit.auto else [str(toolkit)]
    tried: dict[str, str] = {}
    for name in names:
        try:
            properties = _gpu_properties(name, resources, any_device=toolkit == GPUToolkit.OpenCL)
        except PlatformUnavailableError as error:
            tried[name] = str(error)
            continue
        result = _probe(name, json.dumps(properties, sort_keys=True))
        if result["integrates"] and minimise and not result["minimises"]:
            return _cpu(
                resources, f"{name} cannot minimise here ({result['error']})", {name: result["error"]}
            )
        if result["integrates"]:
            return PlatformChoice(name, properties, _gpu_reason(name, toolkit), tried)
        tried[name] = result["error"]
    if toolkit == GPUToolkit.auto and resources.allow_cpu:
        return _cpu(resources, "no GPU platform works here and allow_cpu is set", tried)
    raise PlatformUnavailableError(_unavailable(resources, tried))


def _named_outright(resources: ComputeResources, name: str) -> PlatformChoice:
    if name not in _registered():
        raise PlatformUnavailableError(
            f"platform: {name!r} is not available; this machine has {', '.join(_registered())}"
        )
    if name == "CPU":
        return _cpu(resources, "the platform was named")
    if name in _INSTALL:
        return PlatformChoice(
            name, _gpu_properties(name, resources, any_device=True), "the platform was named"
        )
    return PlatformChoice(name, {}, "the platform was named")


def _cpu(resources: ComputeResources, reason: str, tried: dict[str, str] | None = None) -> PlatformChoice:
    return PlatformChoice("CPU", {"Threads": str(resources.number_of_threads)}, reason, tried or {})


def _gpu_reason(name: str, toolkit: str) -> str:
    if toolkit == GPUToolkit.auto:
        return f"{name} is the first of CUDA, HIP, OpenCL that works here"
    return f"the toolkit {name} was asked for and works here"


def _gpu_properties(name: str, resources: ComputeResources, *, any_device: bool) -> dict[str, str]:
    """Return the Context properties; device numbers are relative to what the worker may see."""
    wanted = max(resources.number_of_gpus, 1)
    properties = {"Precision": str(resources.preferred_gpu_precision)}
    if name == "OpenCL":
        platform_index, indices = _opencl_devices(wanted, any_device)
        properties["OpenCLPlatformIndex"] = str(platform_index)
    else:
        indices = list(range(wanted))
    properties["DeviceIndex"] = ",".join(str(i) for i in indices)
    return properties


def _opencl_devices(wanted: int, any_device: bool) -> tuple[int, list[int]]:
    kind = "OpenCL device" if any_device else "OpenCL device of type GPU"
    found = opencl_devices()
    for platform_index in sorted({d.platform_index for d in found}):
        indices = [d.index for d in found if d.platform_index == platform_index and (any_device or d.is_gpu)]
        if len(indices) >= wanted:
            return platform_index, indices[:wanted]
    listed = ", ".join(d.name for d in found) or "none"
    raise PlatformUnavailableError(f"{wanted} {kind} needed on one OpenCL platform; found {listed}")


def _registered() -> list[str]:
    from openmm import Platform  # noqa: PLC0415

    return [Platform.getPlatform(i).getName() for i in range(Platform.getNumPlatforms())]


def _unavailable(resources: ComputeResources, tried: dict[str, str]) -> str:
    what = "; ".join(f"{name}: {error}" for name, error in tried.items())
    how = "; ".join(_INSTALL[name] for name in tried)
    return (
        f"number_of_gpus: {resources.number_of_gpus} with toolkit {resources.preferred_gpu_toolkit}"
        f" cannot be served on this machine ({what}); {how}; or ask for number_of_gpus=0"
    )


@cache
def _probe(name: str, properties: str) -> dict[str, Any]:
    """Open a Context, integrate and minimise in a process of its own: a driver may crash it."""
    command = [sys.executable, "-P", "-m", "workflow_backends.probe", name, properties]
    environment = os.environ | import_variables()
    outcome: dict[str, Any] = {"integrates": False, "minimises": False, "error": ""}
    try:
        run = subprocess.run(
            command, capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S, check=False, env=environment
        )
    except subprocess.TimeoutExpired:
        return outcome | {"error": f"did not answer within {_PROBE_TIMEOUT_S} s"}
    for line in run.stdout.splitlines():
        if line.startswith("{"):  # drivers print too
            outcome |= json.loads(line)
    if run.returncode != 0 and not outcome["error"]:
        last = (run.stderr.strip().splitlines() or [""])[-1]
        ended = f"signal {-run.returncode}" if run.returncode < 0 else f"exit status {run.returncode}"
        outcome["error"] = f"the probe ended with {ended} {last}".strip()
    return outcome
