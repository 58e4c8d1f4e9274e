"""The OpenCL devices of this machine, asked of the loader itself: OpenMM does not tell their type."""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
from typing import Any

__all__ = ["load_library", "read_opencl"]

_CL_DEVICE_TYPE_GPU = 1 << 2
_CL_DEVICE_TYPE_ALL = 0xFFFFFFFF
_CL_DEVICE_TYPE = 0x1000
_CL_DEVICE_GLOBAL_MEM_SIZE = 0x101F
_CL_DEVICE_NAME = 0x102B
_CL_DRIVER_VERSION = 0x102D
_CL_DEVICE_EXTENSIONS = 0x1030


def read_opencl() -> list[dict[str, Any]]:
    """Return the fields of a `devices.Device` for every OpenCL device; none without loader or driver."""
    cl = load_library("OpenCL", "libOpenCL.so.1")  # which OpenMM loads
    if cl is None:
        return []
    return [
        {
            "platform_index": p,
            "index": d,
            "name": _text(cl, device, _CL_DEVICE_NAME),
            "driver": _text(cl, device, _CL_DRIVER_VERSION),
            "memory": _number(cl, device, _CL_DEVICE_GLOBAL_MEM_SIZE),
            "is_gpu": bool(_number(cl, device, _CL_DEVICE_TYPE) & _CL_DEVICE_TYPE_GPU),
            "has_double": "cl_khr_fp64" in _text(cl, device, _CL_DEVICE_EXTENSIONS).split(),  # as OpenMM asks
        }
        for p, platform in enumerate(_handles(cl.clGetPlatformIDs))
        for d, device in enumerate(
            _handles(cl.clGetDeviceIDs, platform, ctypes.c_uint64(_CL_DEVICE_TYPE_ALL))
        )
    ]


def load_library(name: str, *files: str) -> ctypes.CDLL | None:
    """Return the first of these files that loads, also from LD_LIBRARY_PATH, else what the system knows."""
    for file in files:
        with contextlib.suppress(OSError):
            return ctypes.CDLL(file)
    with contextlib.suppress(OSError):
        if (found := ctypes.util.find_library(name)) is not None:
            return ctypes.CDLL(found)
    return None


def _handles(function: ctypes._NamedFuncPointer, *arguments: object) -> list[ctypes.c_void_p]:
    count = ctypes.c_uint32(0)
    if function(*arguments, 0, None, ctypes.byref(count)) != 0 or count.value == 0:
        return []
    found = (ctypes.c_void_p * count.value)()
    function(*arguments, count, found, None)
    return [ctypes.c_void_p(handle) for handle in found]


def _text(cl: ctypes.CDLL, device: ctypes.c_void_p, what: int) -> str:
    size = ctypes.c_size_t(0)
    cl.clGetDeviceInfo(device, what, ctypes.c_size_t(0), None, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value + 1)
    cl.clGetDeviceInfo(device, what, size, text, None)
    return text.value.decode(errors="replace").strip()


def _number(cl: ctypes.CDLL, device: ctypes.c_void_p, what: int) -> int:
    number = ctypes.c_uint64(0)
    cl.clGetDeviceInfo(device, what, ctypes.c_size_t(8), ctypes.byref(number), None)
    return number.value
