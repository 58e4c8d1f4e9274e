"""OpenCL devices for tests, PoCL's if there are no others; REQUIRE_OPENCL forbids to skip for want of one."""

from __future__ import annotations

import os

import pytest

__all__ = ["needs_opencl"]


def needs_opencl(found: object, what: str = "OpenCL device") -> pytest.MarkDecorator:
    """Skip where nothing was found; a test that is required runs all the same, and fails."""
    return pytest.mark.skipif(
        not found and not os.environ.get("REQUIRE_OPENCL"),
        reason=f"no {what}: install ocl-icd-libopencl1 and pocl-opencl-icd",
    )
