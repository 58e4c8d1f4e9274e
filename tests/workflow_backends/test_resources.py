"""ComputeResources and QueueWorkerResources: what they take, refuse and hold."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError
from datetime import timedelta
from typing import Any

import numpy as np
import pint
import pytest

from workflow_backends import ComputeResources, GPUPrecision, GPUToolkit, QueueWorkerResources
from workflow_backends.errors import InvalidResourcesError


def test_defaults() -> None:
    resources = ComputeResources()
    assert (resources.number_of_threads, resources.number_of_gpus) == (1, 0)
    assert resources.preferred_gpu_toolkit is GPUToolkit.auto
    assert resources.preferred_gpu_precision is GPUPrecision.mixed
    assert (resources.allow_cpu, resources.platform) == (False, None)


def test_enumerations_are_reachable_as_attributes_and_strings_are_taken() -> None:
    by_enum = ComputeResources(1, 1, ComputeResources.GPUToolkit.CUDA, ComputeResources.GPUPrecision.double)
    assert by_enum == ComputeResources(1, 1, "cuda", "double")
    assert by_enum.preferred_gpu_toolkit is GPUToolkit.CUDA


def test_they_are_frozen_hashable_and_picklable() -> None:
    for resources in (ComputeResources(2, 1, "OpenCL"), QueueWorkerResources(2)):
        assert pickle.loads(pickle.dumps(resources)) == resources
        assert {resources: 1}[pickle.loads(pickle.dumps(resources))] == 1
        with pytest.raises(FrozenInstanceError):
            resources.number_of_threads = 3  # type: ignore[misc]


def test_numpy_integers_are_whole_numbers() -> None:
    assert type(ComputeResources(np.int64(2)).number_of_threads) is int  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"number_of_threads": 0}, "number_of_threads: 0 is not allowed; give a whole number of at least 1"),
        ({"number_of_threads": 1.5}, "number_of_threads: 1.5"),
        ({"number_of_threads": True}, "number_of_threads: True"),
        ({"number_of_gpus": -1}, "number_of_gpus: -1 .* at least 0"),
        ({"preferred_gpu_toolkit": "Metal"}, "preferred_gpu_toolkit: 'Metal' .*auto, CUDA, OpenCL, HIP"),
        ({"preferred_gpu_precision": 64}, "preferred_gpu_precision: 64 .*single, mixed, double"),
        ({"allow_cpu": 1}, "allow_cpu: 1 is not allowed; give True or False"),
        ({"platform": ""}, "platform: ''"),
    ],
)
def test_bad_values_are_refused_by_name(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidResourcesError, match=message):
        ComputeResources(**arguments)


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        ("2 GB", 2 * 10**9),
        ("2 GiB", 2 * 2**30),
        ("1500 MiB", 1500 * 2**20),
        ("1.5GB", 15 * 10**8),
        (2**30, 2**30),
        (pint.Quantity(2, "gigabyte"), 2 * 10**9),
        (pint.Quantity(1, "gibibyte"), 2**30),
    ],
)
def test_memory_is_held_as_bytes(memory: Any, expected: int) -> None:
    assert QueueWorkerResources(per_thread_memory_limit=memory).per_thread_memory_limit == expected


@pytest.mark.parametrize(
    "memory", ["2", "two GB", "2 XB", 0, 2, -5, "1.2.3 GB", True, None, pint.Quantity(2, "metre")]
)
def test_bad_memory_is_refused_by_name(memory: Any) -> None:
    with pytest.raises(InvalidResourcesError, match="per_thread_memory_limit"):
        QueueWorkerResources(per_thread_memory_limit=memory)


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("05:00", timedelta(hours=5)),
        ("00:00:30", timedelta(seconds=30)),
        ("100:30:01", timedelta(hours=100, minutes=30, seconds=1)),
        (timedelta(days=2), timedelta(days=2)),
    ],
)
def test_wallclock_is_held_as_a_timedelta(time: Any, expected: timedelta) -> None:
    assert QueueWorkerResources(wallclock_time_limit=time).wallclock_time_limit == expected


@pytest.mark.parametrize("time", ["5", "05:60", "00:00", 5, "1-00:00", timedelta(0), "-1:00"])
def test_bad_wallclock_is_refused_by_name(time: Any) -> None:
    with pytest.raises(InvalidResourcesError, match="wallclock_time_limit"):
        QueueWorkerResources(wallclock_time_limit=time)


def test_reading_them_in_a_worker_imports_nothing_heavy() -> None:
    code = (
        "import pickle, sys\n"
        f"pickle.loads({pickle.dumps(QueueWorkerResources())!r})\n"
        "print(sorted({'pint', 'numpy', 'openmm', 'parsl'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
