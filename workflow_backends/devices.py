"""The GPUs and other OpenCL devices of this machine, asked of the drivers themselves.

A driver may crash its process: only the probe (see probe.py) calls this.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workflow_backends.opencl import load_library, read_opencl

__all__ = ["Device", "list_devices"]

_NVIDIA_VERSION, _AMD_VERSION = Path("/proc/driver/nvidia/version"), Path("/sys/module/amdgpu/version")
_HIP = ("libamdhip64.so.7", "libamdhip64.so.6", "libamdhip64.so.5", "libamdhip64.so")


@dataclass(frozen=True)
class Device:
    """One device, numbered as OpenMM's DeviceIndex numbers it.

    Parameters
    ----------
    index
        Among the devices that this process may see; of its OpenCL platform, for OpenCL.
    name, driver
        What the driver calls the device, and its own version.
    memory
        In bytes.
    is_gpu
        False for a CPU under OpenCL.
    has_double
        Whether it computes in double precision.
    platform_index
        OpenMM's OpenCLPlatformIndex.
    """

    index: int
    name: str
    driver: str = ""
    memory: int = 0
    is_gpu: bool = True
    has_double: bool = True
    platform_index: int = 0


def list_devices(toolkit: str) -> list[Device]:
    """Return what CUDA, HIP or OpenCL shows; an empty list when there is no library or no device."""
    return _LISTS[toolkit]()


def _opencl() -> list[Device]:
    return [Device(**properties) for properties in read_opencl()]


def _cuda() -> list[Device]:
    version = _version_in(_NVIDIA_VERSION) or _version_of_nvml()  # a container may hide the file
    return _of_driver(load_library("cuda", "libcuda.so.1"), "cu", "_v2", version)


def _hip() -> list[Device]:
    return _of_driver(load_library("amdhip64", *_HIP), "hip", "", _version_in(_AMD_VERSION))


def _of_driver(driver: ctypes.CDLL | None, prefix: str, suffix: str, version: str) -> list[Device]:
    """Ask CUDA's driver interface, or HIP's, which has the same functions."""
    if driver is None:
        return []

    def call(name: str, *arguments: object) -> bool:
        return bool(driver[prefix + name](*arguments) == 0)

    count, handle = ctypes.c_int(0), ctypes.c_int(0)
    name, memory = ctypes.create_string_buffer(256), ctypes.c_size_t(0)
    get_count = "DeviceGetCount" if prefix == "cu" else "GetDeviceCount"
    if not (call("Init", 0) and call(get_count, ctypes.byref(count))):
        return []
    if not version and prefix == "cu" and call("DriverGetVersion", ctypes.byref(handle)):
        version = f"CUDA {handle.value // 1000}.{handle.value % 1000 // 10}"  # the newest that it runs
    found = []
    for index in range(count.value):
        call("DeviceGet", ctypes.byref(handle), index)
        call("DeviceGetName", name, 256, handle)
        call(f"DeviceTotalMem{suffix}", ctypes.byref(memory), handle)
        found.append(Device(index, name.value.decode(errors="replace"), version, memory.value))
    return found


def _version_of_nvml() -> str:
    nvml, version = load_library("nvidia-ml", "libnvidia-ml.so.1"), ctypes.create_string_buffer(96)
    if nvml is None or nvml.nvmlInit_v2() != 0:
        return ""
    told = nvml.nvmlSystemGetDriverVersion(version, len(version)) == 0
    nvml.nvmlShutdown()
    return version.value.decode(errors="replace") if told else ""


def _version_in(file: Path) -> str:
    try:
        match = re.search(r"\d+\.\d[\d.]*", file.read_text(encoding="utf-8"))
    except OSError:
        return ""
    return match[0] if match else ""


_LISTS: dict[str, Callable[[], list[Device]]] = {"CUDA": _cuda, "HIP": _hip, "OpenCL": _opencl}
