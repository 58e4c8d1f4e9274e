"""The OpenCL devices of this machine, asked of the loader itself: OpenMM does not tell their type."""

from __future__ import annotations

import ctypes
import ctypes.util
from dataclasses import dataclass

__all__ = ["OpenCLDevice", "opencl_devices"]

_CL_DEVICE_TYPE_GPU = 1 << 2
_CL_DEVICE_TYPE_ALL = 0xFFFFFFFF
_CL_DEVICE_TYPE = 0x1000
_CL_DEVICE_NAME = 0x102B


@dataclass(frozen=True)
class OpenCLDevice:
    """One device, numbered as OpenMM's OpenCLPlatformIndex and DeviceIndex number it."""

    platform_index: int
    index: int
    name: str
    is_gpu: bool


def opencl_devices() -> list[OpenCLDevice]:
    """Return every OpenCL device; an empty list when there is no loader or no driver."""
    library = ctypes.util.find_library("OpenCL")
    if library is None:
        return []
    cl = ctypes.CDLL(library)
    return [
        OpenCLDevice(p, d, _name(cl, device), _is_gpu(cl, device))
        for p, platform in enumerate(_handles(cl.clGetPlatformIDs))
        for d, device in enumerate(
            _handles(cl.clGetDeviceIDs, platform, ctypes.c_uint64(_CL_DEVICE_TYPE_ALL))
        )
    ]


def _handles(function: ctypes._NamedFuncPointer, *arguments: object) -> list[ctypes.c_void_p]:
    count = ctypes.c_uint32(0)
    if function(*arguments, 0, None, ctypes.byref(count)) != 0 or count.value == 0:
        return []
    found = (ctypes.c_void_p * count.value)()
    function(*arguments, count, found, None)
    return [ctypes.c_void_p(handle) for handle in found]


def _name(cl: ctypes.CDLL, device: ctypes.c_void_p) -> str:
    text = ctypes.create_string_buffer(256)
    cl.clGetDeviceInfo(device, _CL_DEVICE_NAME, ctypes.c_size_t(256), text, None)
    return text.value.decode(errors="replace").strip()


def _is_gpu(cl: ctypes.CDLL, device: ctypes.c_void_p) -> bool:
    kind = ctypes.c_uint64(0)
    cl.clGetDeviceInfo(device, _CL_DEVICE_TYPE, ctypes.c_size_t(8), ctypes.byref(kind), None)
    return bool(kind.value & _CL_DEVICE_TYPE_GPU)
