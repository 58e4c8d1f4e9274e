"""Calculation backends: where and how tasks run, and on which OpenMM platform."""

from workflow_backends._version import __version__
from workflow_backends.backend import CalculationBackend
from workflow_backends.block import time_left
from workflow_backends.celery_engine.backend import CeleryBackend
from workflow_backends.dask_engine.local import DaskLocalBackend
from workflow_backends.dask_engine.own import DaskBackend
from workflow_backends.dask_engine.queues import DaskLSFBackend, DaskPBSBackend, DaskSlurmBackend
from workflow_backends.discovery import backend_from_config
from workflow_backends.futures import TaskFuture
from workflow_backends.layout import Layout, measure_layouts
from workflow_backends.multiprocessing_engine import MultiprocessingBackend
from workflow_backends.parsl_engine.local import ParslLocalBackend
from workflow_backends.parsl_engine.own import ParslBackend
from workflow_backends.parsl_engine.queues import (
    ParslGridEngineBackend,
    ParslKubernetesBackend,
    ParslLSFBackend,
    ParslPBSBackend,
    ParslSlurmBackend,
)
from workflow_backends.platforms import PlatformChoice, select_platform
from workflow_backends.resources import ComputeResources, GPUPrecision, GPUToolkit, QueueWorkerResources

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
