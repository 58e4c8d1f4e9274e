"""Calculation backends: where and how tasks run, and on which OpenMM platform."""

from workflow_backends._version import __version__
from workflow_backends.platforms import PlatformChoice, select_platform
from workflow_backends.resources import ComputeResources, GPUPrecision, GPUToolkit, QueueWorkerResources

__all__ = [
    "ComputeResources",
    "GPUPrecision",
    "GPUToolkit",
    "PlatformChoice",
    "QueueWorkerResources",
    "__version__",
    "select_platform",
]
