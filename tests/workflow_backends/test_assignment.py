"""Devices are counted, divided among pools and proven before a worker starts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest
from machines import CUDA, WITH_MIG, WITH_NVIDIA, WITH_POCL, WORKS, Machine, Use

from workflow_backends import ComputeResources, assignment
from workflow_backends.assignment import assign_devices
from workflow_backends.engine import Pool
from workflow_backends.errors import InvalidResourcesError, PlatformUnavailableError
from workflow_backends.pinning import GPU_VARIABLE
from workflow_backends.platforms import select_platform

GPU = ComputeResources(number_of_gpus=1)
CPU = Pool(8, ComputeResources())


def _assign(
    workers_per_gpu: int = 1, /, environment: Mapping[str, str] = MappingProxyType({}), **pools: Pool
) -> dict[str, str]:
    assigned = assign_devices(pools, environment, workers_per_gpu)
    return {name: variables.get(GPU_VARIABLE, "") for name, variables in assigned.items()}


def test_pools_divide_the_devices(use: Use) -> None:
    use(WITH_NVIDIA)
    pair = ComputeResources(number_of_gpus=2, preferred_gpu_toolkit="CUDA")
    assert _assign(a=Pool(2, GPU), cpu=CPU, b=Pool(1, pair)) == {"a": "CUDA:0,1", "cpu": "", "b": "CUDA:2,3"}
    assert _assign(a=Pool(4, GPU)) == {"a": "CUDA:0,1,2,3"}
    assert _assign(4, a=Pool(8, GPU)) == {"a": "CUDA:0,1"}


def test_one_worker_with_all_devices_keeps_what_it_sees(use: Use) -> None:
    machine = use(Machine("one GPU", {"CUDA": CUDA[:1]}, {"CUDA": WORKS}))
    assert _assign(a=Pool(1, GPU)) == {"a": ""}
    assert _assign(3, a=Pool(3, GPU)) == {"a": ""}
    assert len(machine.tried) == 2  # once each time


def test_more_workers_than_devices_are_refused(use: Use) -> None:
    use(WITH_NVIDIA)
    with pytest.raises(
        InvalidResourcesError, match=r"5 devices of CUDA were asked for, this process may use 4"
    ):
        _assign(a=Pool(3, GPU), b=Pool(2, GPU))
    use(WITH_POCL)
    opencl = ComputeResources(number_of_gpus=1, preferred_gpu_toolkit="OpenCL")
    with pytest.raises(InvalidResourcesError, match=r"may use 1 \(PoCL\).*workers_per_gpu"):
        _assign(a=Pool(2, opencl))
    assert _assign(2, a=Pool(2, opencl)) == {"a": ""}


def test_slices_of_a_gpu_are_counted_by_the_mask_since_cuda_shows_one(use: Use) -> None:
    use(WITH_MIG)
    masked = {"CUDA_VISIBLE_DEVICES": "MIG-7c31,MIG-e0d4"}
    assert _assign(1, masked, a=Pool(2, GPU)) == {"a": "CUDA:0,1"}
    assert _assign(2, masked, a=Pool(2, GPU), b=Pool(1, GPU)) == {"a": "CUDA:0", "b": "CUDA:1"}
    with pytest.raises(InvalidResourcesError, match=r"may use 2 \(MIG-7c31, MIG-e0d4\)"):
        _assign(1, masked, a=Pool(3, GPU))
    assert _assign(1, {"CUDA_VISIBLE_DEVICES": "MIG-7c31"}, a=Pool(1, GPU)) == {"a": ""}


@pytest.mark.parametrize(
    ("toolkit", "given", "owner", "places"),
    [
        ("CUDA", {"CUDA_VISIBLE_DEVICES": "1,3", GPU_VARIABLE: ""}, "CUDA", (0, 1)),  # places in the mask
        ("OpenCL", {GPU_VARIABLE: "OpenCL:1,3"}, "OpenCL", (1, 3)),
        ("auto", {GPU_VARIABLE: "OpenCL:1,3"}, "OpenCL", (1, 3)),  # CUDA's devices may be another worker's
    ],
)
def test_a_task_that_starts_a_backend_divides_what_its_worker_was_given(
    use: Use, toolkit: str, given: dict[str, str], owner: str, places: tuple[int, int]
) -> None:
    use(WITH_NVIDIA)
    gpu, (first, second) = ComputeResources(1, 1, toolkit), places
    assert _assign(1, given, a=Pool(1, gpu)) == {"a": f"{owner}:{first}"}
    assert _assign(1, given, a=Pool(2, gpu)) == {"a": f"{owner}:{first},{second}"}
    divided = {"a": f"{owner}:{first}", "b": f"{owner}:{second}"}
    assert _assign(1, given, a=Pool(1, gpu), b=Pool(1, gpu)) == divided
    with pytest.raises(InvalidResourcesError, match="this process may use 2 "):
        _assign(1, given, a=Pool(3, gpu))


def test_what_does_not_work_is_refused_at_once(use: Use) -> None:
    use(WITH_POCL)
    with pytest.raises(PlatformUnavailableError, match="CUDA: no driver"):
        _assign(a=Pool(1, ComputeResources(1, 1, "CUDA")))
    with pytest.raises(PlatformUnavailableError, match="'HIP' cannot be served"):
        _assign(a=Pool(1, ComputeResources(platform="HIP")))
    assert _assign(a=Pool(1, ComputeResources(1, 1, allow_cpu=True))) == {"a": ""}


def test_every_device_is_proven(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = use(WITH_NVIDIA)
    _assign(a=Pool(3, GPU))
    assert sorted(env.get("CUDA_VISIBLE_DEVICES", "") for _, _, env in machine.tried) == ["", "0", "1", "2"]

    def fails_on_two(resources: ComputeResources, environment: Any) -> Any:
        if environment.get("CUDA_VISIBLE_DEVICES") == "2":
            raise PlatformUnavailableError("device 2 is broken")
        return select_platform(resources, environment=environment)

    monkeypatch.setattr(assignment, "select_platform", fails_on_two)
    with pytest.raises(PlatformUnavailableError, match="device 2 is broken"):
        _assign(a=Pool(3, GPU))
    assert _assign(a=Pool(2, GPU)) == {"a": "CUDA:0,1"}
