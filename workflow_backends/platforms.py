"""From ComputeResources to an OpenMM platform that works here, with the reason for the choice."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from workflow_backends.devices import Device
from workflow_backends.errors import PlatformUnavailableError
from workflow_backends.machine import cpu_name, total_memory
from workflow_backends.pinning import GPU_VARIABLE, MASKS, own_positions
from workflow_backends.probing import find_devices, find_plugins, try_platform
from workflow_backends.resources import ComputeResources, GPUPrecision, GPUToolkit

__all__ = ["GPU_PLATFORMS", "PlatformChoice", "opencl_candidates", "select_platform"]

GPU_PLATFORMS = ("CUDA", "HIP", "OpenCL")
# What a user installs to get each GPU platform.
_INSTALL = {
    "CUDA": "pip install 'openmm[cuda12]' or 'openmm[cuda13]' (conda: cuda-version) and NVIDIA's driver",
    "HIP": "pip install 'openmm[hip6]' or 'openmm[hip7]' (conda: openmm-hip) and AMD's driver",
    "OpenCL": "install an OpenCL loader and the device's driver, e.g. Debian's ocl-icd-libopencl1 and"
    " pocl-opencl-icd (conda: pocl, or ocl-icd-system for this machine's drivers; pip has none)",
}


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
    precision
        "single", "mixed" or "double". OpenMM's CPU platform is mixed, Reference double.
    device, driver
        The names of the devices, and the version of their driver; of the CPU, without a driver.
    memory
        Of one device, in bytes; 0 where it is not known.
    """

    name: str
    properties: dict[str, str]
    reason: str
    tried: dict[str, str] = field(default_factory=dict)
    precision: str = "mixed"
    device: str = ""
    driver: str = ""
    memory: int = 0


def select_platform(
    resources: ComputeResources,
    *,
    minimise: bool = False,
    precise: bool = False,
    deterministic: bool = False,
    environment: Mapping[str, str] | None = None,
) -> PlatformChoice:
    """Choose the OpenMM platform for one worker.

    Parameters
    ----------
    resources
        What the worker owns.
    minimise
        Whether the Context is for an energy minimisation, which some OpenCL drivers do not survive; a
        platform that was named and cannot do it gives way to the CPU, and the reason says so. ``auto`` takes
        none that cannot.
    precise
        Whether energies are wanted in double precision: on the platform that was named, or else on the GPU
        that is owned if it has it, and on OpenMM's Reference platform if not.
    deterministic
        Whether equal positions must give equal forces to the last bit. OpenMM's OpenCL platform does not
        promise that.
    environment
        Of the process that will open the Context; this one's unless told.

    Raises
    ------
    PlatformUnavailableError
        What was asked for does not work here; the message says what is missing and how to install it.
    """
    if environment is None:
        environment = os.environ
    if precise:
        return _precise(resources, minimise, deterministic, environment)
    named = resources.platform
    if named is None and resources.number_of_gpus == 0:
        return _cpu(resources, "no GPU was asked for", deterministic)
    if named is not None and named not in GPU_PLATFORMS:
        return _named_outright(resources, named, deterministic)
    toolkit = named or resources.preferred_gpu_toolkit
    tried: dict[str, str] = {}
    for name in GPU_PLATFORMS if toolkit == GPUToolkit.auto else [str(toolkit)]:
        if name == "OpenCL" and deterministic:
            tried[name] = "it has no deterministic forces"
            continue
        try:
            choice = _gpu(name, resources, environment, any_device=toolkit == GPUToolkit.OpenCL)
        except PlatformUnavailableError as error:
            tried[name] = str(error)
            continue
        if deterministic:
            choice = replace(choice, properties=choice.properties | {"DeterministicForces": "true"})
        trial = try_platform(name, choice.properties, environment)
        if trial.integrates and not trial.minimises and toolkit == GPUToolkit.auto:
            tried[name] = f"it cannot minimise ({trial.error})"
            continue
        if trial.integrates and minimise and not trial.minimises:
            reason = f"{name} cannot minimise here ({trial.error})"
            return _cpu(resources, reason, deterministic, {name: trial.error})
        if trial.integrates:
            return replace(choice, reason=_gpu_reason(name, toolkit, named), tried=tried)
        tried[name] = _masked(name, trial.error, environment)
    if toolkit == GPUToolkit.auto and resources.allow_cpu:
        return _fallen_to_cpu(resources, deterministic, tried)
    raise PlatformUnavailableError(_unavailable(resources, toolkit, tried))


def opencl_candidates(devices: list[Device], *, any_device: bool) -> list[list[Device]]:
    """Return the suitable devices of each OpenCL platform; GPUs, and platforms that have some, come first."""
    suitable = sorted(
        (device for device in devices if any_device or device.is_gpu), key=lambda device: not device.is_gpu
    )
    groups = [[d for d in suitable if d.platform_index == p] for p in {d.platform_index for d in suitable}]
    return sorted(groups, key=lambda group: (not group[0].is_gpu, group[0].platform_index))


def _precise(
    resources: ComputeResources, minimise: bool, deterministic: bool, environment: Mapping[str, str]
) -> PlatformChoice:
    named = resources.platform
    if named not in (None, "Reference", *GPU_PLATFORMS):
        raise PlatformUnavailableError(f"platform: {named!r} has no double precision; give 'Reference'")
    if resources.number_of_gpus or named is not None:
        wanted = replace(resources, preferred_gpu_precision=GPUPrecision.double, allow_cpu=False)
        try:
            choice = select_platform(
                wanted, minimise=minimise, deterministic=deterministic, environment=environment
            )
        except PlatformUnavailableError as error:
            if named is not None:
                raise
            select_platform(resources, deterministic=deterministic, environment=environment)  # a GPU is owed
            return _reference(f"no GPU in double precision works here ({error})")
        if choice.precision == "double":
            return choice
    return _reference("double precision was asked for, which the CPU platform does not have")


def _reference(reason: str) -> PlatformChoice:
    return PlatformChoice("Reference", {}, reason, {}, "double", cpu_name(), "", total_memory())


def _named_outright(resources: ComputeResources, name: str, deterministic: bool) -> PlatformChoice:
    if name == "CPU":
        return _cpu(resources, "the platform was named", deterministic)
    if name == "Reference":
        return _reference("the platform was named")
    registered = find_plugins()["names"]
    if name not in registered:
        raise PlatformUnavailableError(
            f"platform: {name!r} is not available; this machine has {', '.join(registered)}"
        )
    return PlatformChoice(name, {}, "the platform was named", precision="")


def _cpu(
    resources: ComputeResources, reason: str, deterministic: bool, tried: dict[str, str] | None = None
) -> PlatformChoice:
    properties = {"Threads": str(resources.number_of_threads)}
    if deterministic:
        properties["DeterministicForces"] = "true"
    return PlatformChoice("CPU", properties, reason, tried or {}, "mixed", cpu_name(), "", total_memory())


def _fallen_to_cpu(resources: ComputeResources, deterministic: bool, tried: dict[str, str]) -> PlatformChoice:
    if resources.preferred_gpu_precision == GPUPrecision.double:
        raise PlatformUnavailableError(
            f"{_unavailable(resources, GPUToolkit.auto, tried)}; allow_cpu does not help, for"
            " preferred_gpu_precision is double, which the CPU platform does not have; give"
            " platform='Reference'"
        )
    reason = f"no GPU platform works here and allow_cpu is set ({_told(tried)})"
    return _cpu(resources, reason, deterministic, tried)


def _gpu_reason(name: str, toolkit: str, named: str | None) -> str:
    if named is not None:
        return "the platform was named, and works here"
    if toolkit == GPUToolkit.auto:
        return f"{name} is the first of {', '.join(GPU_PLATFORMS)} that works here"
    return f"the toolkit {name} was asked for and works here"


def _gpu(
    name: str, resources: ComputeResources, environment: Mapping[str, str], *, any_device: bool
) -> PlatformChoice:
    """Return the choice of this GPU platform, if it works."""
    owner = environment.get(GPU_VARIABLE, "").partition(":")[0]
    if owner not in ("", name):  # its devices of this platform may be another worker's
        raise PlatformUnavailableError(f"this worker was given devices of {owner}")
    wanted = max(resources.number_of_gpus, 1)
    precision = str(resources.preferred_gpu_precision)
    found = find_devices(name, environment)
    properties = {"Precision": precision}
    if name == "OpenCL":
        own = _opencl_devices(found, wanted, precision, any_device, environment)
        properties["OpenCLPlatformIndex"] = str(own[0].platform_index)
        indices = [device.index for device in own]
    else:
        own, indices = found[:wanted], list(range(wanted))
        if found and len(found) < wanted:
            listed = ", ".join(device.name for device in found)
            few = f"{wanted} GPUs needed; found {listed}"
            raise PlatformUnavailableError(_masked(name, few, environment))
    properties["DeviceIndex"] = ",".join(map(str, indices))
    first = own[0] if own else Device(0, name)
    names = ", ".join(dict.fromkeys(device.name for device in own)) or name
    return PlatformChoice(name, properties, "", {}, precision, names, first.driver, first.memory)


def _opencl_devices(
    found: list[Device], wanted: int, precision: str, any_device: bool, environment: Mapping[str, str]
) -> list[Device]:
    kind = f"OpenCL device{'s' if wanted > 1 else ''}{'' if any_device else ' of type GPU'}"
    positions = own_positions("OpenCL", environment)
    enough = []
    for group in opencl_candidates(found, any_device=any_device):
        own = group if positions is None else [group[p] for p in positions if p < len(group)]
        if len(own) >= wanted:
            enough.append(own[:wanted])
    if not enough:
        plugins = [] if found else find_plugins(environment)["failures"]  # which say that there is no loader
        why = [" ".join(text.split()) for text in plugins if "OpenCL" in text]
        listed = ", ".join(device.name for device in found) or "; ".join(["none", *why])
        raise PlatformUnavailableError(f"{wanted} {kind} needed on one OpenCL platform; found {listed}")
    if precision != GPUPrecision.single:  # mixed precision needs doubles as well
        single = ", ".join(d.name for group in enough for d in group if not d.has_double)
        enough = [group for group in enough if all(device.has_double for device in group)]
        if not enough:
            raise PlatformUnavailableError(
                f"preferred_gpu_precision: {precision!r} is not possible on {single}, which lacks double"
                " precision; give 'single'"
            )
    return enough[0]


def _masked(name: str, error: str, environment: Mapping[str, str]) -> str:
    mask = MASKS.get(name, "")
    return f"{error} ({mask} is {environment[mask]!r})" if mask in environment else error


def _told(tried: dict[str, str]) -> str:
    return "; ".join(f"{name}: {' '.join(error.split())}" for name, error in tried.items())


def _unavailable(resources: ComputeResources, toolkit: str, tried: dict[str, str]) -> str:
    how = "; ".join(_INSTALL[name] for name in tried)
    asked = f"number_of_gpus: {resources.number_of_gpus} with toolkit {toolkit}"
    if resources.platform is not None:
        asked = f"platform: {resources.platform!r}"
    return f"{asked} cannot be served on this machine ({_told(tried)}); {how}; or ask for number_of_gpus=0"
