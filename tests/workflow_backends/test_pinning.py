"""Each worker sees its own devices, whatever mask it inherited."""

from __future__ import annotations

import pytest

from workflow_backends.pinning import GPU_VARIABLE, own_positions, worker_variables


@pytest.mark.parametrize(
    ("owned", "mask", "rank", "gpus", "seen"),
    [
        ("CUDA:0,1,2,3", None, 0, 1, "0"),
        ("CUDA:0,1,2,3", None, 3, 1, "3"),
        ("CUDA:2,3", None, 1, 1, "3"),
        ("CUDA:0,1,2,3", None, 1, 2, "2,3"),
        ("CUDA:0,1", "3,1", 0, 1, "3"),  # places in the inherited mask, not numbers of devices
        ("CUDA:0,1", "3,1", 1, 1, "1"),
        ("CUDA:0,1", "GPU-aa,MIG-bb", 1, 1, "MIG-bb"),
        ("CUDA:0,1", None, 2, 1, "0"),  # more workers than devices: they share in turn
        ("CUDA:0,1,2", None, 1, 2, "0,1"),  # the third device is too few for another worker
    ],
)
def test_a_worker_of_ours_gets_its_share(
    owned: str, mask: str | None, rank: int, gpus: int, seen: str
) -> None:
    environment = {GPU_VARIABLE: owned} | ({} if mask is None else {"CUDA_VISIBLE_DEVICES": mask})
    variables = worker_variables(rank, gpus, environment)
    assert variables == {"CUDA_VISIBLE_DEVICES": seen, GPU_VARIABLE: ""}
    assert worker_variables(1, gpus, environment | variables) == {}  # what it starts itself keeps it


def test_a_gpu_of_amd_has_a_mask_of_its_own() -> None:
    environment = {GPU_VARIABLE: "HIP:0,1", "ROCR_VISIBLE_DEVICES": "4,5"}
    assert worker_variables(1, 1, environment) == {"HIP_VISIBLE_DEVICES": "1", GPU_VARIABLE: ""}


def test_opencl_has_no_mask_and_is_told_by_place() -> None:
    environment = {GPU_VARIABLE: "OpenCL:0,1,2,3", "CUDA_VISIBLE_DEVICES": "0"}
    variables = worker_variables(1, 2, environment)
    assert variables == {GPU_VARIABLE: "OpenCL:2,3"}
    assert own_positions("OpenCL", variables) == [2, 3]
    assert own_positions("CUDA", variables) is None


@pytest.mark.parametrize(
    ("mask", "rank", "gpus", "seen"),
    [
        ("3,1", 0, 1, "3"),
        ("3,1", 1, 1, "1"),
        ("GPU-aa,GPU-bb,GPU-cc,GPU-dd", 1, 2, "GPU-cc,GPU-dd"),
        ("0,1,-1,2", 1, 1, "1"),
        ("0,1,-1,2", 2, 1, "0"),
    ],
)
@pytest.mark.parametrize("name", ["CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"])
def test_what_a_scheduler_gave_to_several_workers_is_divided(
    name: str, mask: str, rank: int, gpus: int, seen: str
) -> None:
    assert worker_variables(rank, gpus, {name: mask}) == {name: seen}


@pytest.mark.parametrize("mask", ["2", "GPU-aa", "", "NoDevFiles", "-1"])
def test_what_a_scheduler_gave_to_one_worker_stays(mask: str) -> None:
    assert worker_variables(3, 1, {"CUDA_VISIBLE_DEVICES": mask}) == {}


def test_a_worker_without_gpus_is_told_nothing() -> None:
    assert worker_variables(0, 0, {"CUDA_VISIBLE_DEVICES": "0,1", GPU_VARIABLE: "CUDA:0"}) == {}
    assert worker_variables(0, 1, {}) == {}
