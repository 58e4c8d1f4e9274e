"""What drivers say, by drivers that are made here: shared libraries that only LD_LIBRARY_PATH leads to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from workflow_backends.machine import import_variables

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")

_DRIVER = """
#include <string.h>
int xxInit(unsigned flags) { return 0; }
int xxCOUNT(int *count) { *count = 2; return 0; }
int xxDeviceGet(int *device, int index) { *device = index + 5; return 0; }
int xxDeviceGetName(char *name, int length, int device) { strcpy(name, "a GPU"); return device < 5; }
int xxDeviceTotalMemSUFFIX(size_t *bytes, int device) { *bytes = 1000000000ull * device; return 0; }
int xxDriverGetVersion(int *version) { *version = 12080; return 0; }
"""
_CUDA = _DRIVER.replace("xxCOUNT", "cuDeviceGetCount").replace("SUFFIX", "_v2").replace("xx", "cu")
_HIP = _DRIVER.replace("xxCOUNT", "hipGetDeviceCount").replace("SUFFIX", "").replace("xx", "hip")
_NVML = """
#include <string.h>
int nvmlInit_v2(void) { return FAILS; }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *version, unsigned length) { strcpy(version, "575.57.08"); return 0; }
"""
_OPENCL = """
#include <string.h>
#include <stdint.h>
int clGetPlatformIDs(unsigned n, void **ids, unsigned *count) {
  if (count) *count = 1; else ids[0] = &clGetPlatformIDs; return 0; }
int clGetDeviceIDs(void *platform, uint64_t type, unsigned n, void **ids, unsigned *count) {
  return clGetPlatformIDs(n, ids, count); }
int clGetDeviceInfo(void *device, unsigned what, size_t size, void *value, size_t *needed) {
  if (needed) *needed = 9;
  else if (what == 0x1000) *(uint64_t *) value = 4;
  else memcpy(value, "made here", size);
  return 0; }
"""
_LIST = """
import ctypes.util, json, sys
from dataclasses import asdict
from pathlib import Path
from workflow_backends import devices
ctypes.util.find_library = lambda name: None  # the system knows none of them
devices._NVIDIA_VERSION = devices._AMD_VERSION = Path("/nonexistent")
print(json.dumps([asdict(device) for device in devices.list_devices(sys.argv[1])]))
"""


def _listed(toolkit: str, place: Path, **libraries: str) -> list[dict[str, Any]]:
    for name, source in libraries.items():
        file = place / f"lib{name.replace('__', '.so.').replace('_', '-')}"
        subprocess.run(
            ["cc", "-shared", "-fPIC", "-o", file, "-x", "c", "-"], input=source, text=True, check=True
        )
    environment = os.environ | import_variables() | {"LD_LIBRARY_PATH": str(place)}
    run = subprocess.run(
        [sys.executable, "-P", "-c", _LIST, toolkit],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    found: list[dict[str, Any]] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize(("status", "driver"), [("0", "575.57.08"), ("9", "CUDA 12.8")])
def test_cuda_tells_its_driver_where_proc_does_not(status: str, driver: str, tmp_path: Path) -> None:
    first, second = _listed("CUDA", tmp_path, cuda__1=_CUDA, nvidia_ml__1=_NVML.replace("FAILS", status))
    assert (first["name"], first["memory"], first["driver"]) == ("a GPU", 5 * 10**9, driver)
    assert (second["index"], second["memory"]) == (1, 6 * 10**9)


def test_hip_is_found_by_its_version(tmp_path: Path) -> None:
    assert [device["name"] for device in _listed("HIP", tmp_path, amdhip64__6=_HIP)] == ["a GPU", "a GPU"]


def test_the_loader_that_openmm_takes_is_asked(tmp_path: Path) -> None:
    [device] = _listed("OpenCL", tmp_path, OpenCL__1=_OPENCL)
    assert (device["name"], device["is_gpu"]) == ("made here", True)
