"""Calculation backends: where and how tasks run, and on which OpenMM platform."""

from ._version import __version__
from .backend import CalculationBackend
from .block import time_left
from .celery_engine.backend import CeleryBackend
from .dask_engine.local import DaskLocalBackend
from .dask_engine.own import DaskBackend
from .dask_engine.queues import DaskLSFBackend, DaskPBSBackend, DaskSlurmBackend
from .discovery import backend_from_config
from .futures import TaskFuture
from .layout import Layout, measure_layouts
from .multiprocessing_engine import MultiprocessingBackend
from .parsl_engine.local import ParslLocalBackend
from .parsl_engine.own import ParslBackend
from .parsl_engine.queues import (
    ParslGridEngineBackend,
    ParslKubernetesBackend,
    ParslLSFBackend,
    ParslPBSBackend,
    ParslSlurmBackend,
)
from .platforms import PlatformChoice, select_platform
from .resources import ComputeResources, GPUPrecision, GPUToolkit, QueueWorkerResources

__all__ = [
    "CalculationBackend",
    "CeleryBackend",
    "ComputeResources",
    "DaskBackend",
    "DaskLSFBackend",
    "DaskLocalBackend",
    "DaskPBSBackend",
    "DaskSlurmBackend",
    "GPUPrecision",
    "GPUToolkit",
    "Layout",
    "MultiprocessingBackend",
    "ParslBackend",
    "ParslGridEngineBackend",
    "ParslKubernetesBackend",
    "ParslLSFBackend",
    "ParslLocalBackend",
    "ParslPBSBackend",
    "ParslSlurmBackend",
    "PlatformChoice",
    "QueueWorkerResources",
    "TaskFuture",
    "__version__",
    "backend_from_config",
    "measure_layouts",
    "select_platform",
    "time_left",
]
