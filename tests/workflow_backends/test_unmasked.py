"""Workers whom nothing tells their devices divide those in sight."""

from __future__ import annotations

import pytest
from machines import HIP, PLAIN, POCL, WITH_AMD, WITH_MIG, WITH_NVIDIA, WITH_POCL, Machine, Use

from workflow_backends import ComputeResources
from workflow_backends.pinning import GPU_VARIABLE, worker_variables
from workflow_backends.unmasked import unmasked_devices

TWO_POCL = Machine("two PoCL devices", {"OpenCL": [POCL, POCL]})


@pytest.mark.parametrize(
    ("machine", "resources", "shown"),
    [
        (WITH_NVIDIA, ComputeResources(1, 1), [{"CUDA_VISIBLE_DEVICES": str(n)} for n in range(4)]),
        (WITH_NVIDIA, ComputeResources(1, 2, "CUDA"), [{"CUDA_VISIBLE_DEVICES": n} for n in ("0,1", "2,3")]),
        (
            WITH_NVIDIA,
            ComputeResources(1, 1, platform="OpenCL"),
            [{GPU_VARIABLE: f"OpenCL:{n}"} for n in "0123"],
        ),
        (WITH_AMD, ComputeResources(1, 1), [{"HIP_VISIBLE_DEVICES": n} for n in "010"]),  # a third shares
        (TWO_POCL, ComputeResources(1, 1, "OpenCL"), [{GPU_VARIABLE: f"OpenCL:{n}"} for n in "01"]),
    ],
)
def test_each_worker_has_devices_of_its_own(
    use: Use, machine: Machine, resources: ComputeResources, shown: list[dict[str, str]]
) -> None:
    use(machine)
    shared = unmasked_devices(resources, {})
    for rank, variables in enumerate(shown):
        own = worker_variables(rank, resources.number_of_gpus, shared)
        assert {GPU_VARIABLE: ""} | variables == {GPU_VARIABLE: ""} | own
        assert unmasked_devices(resources, shared | own) == {}  # what it starts itself keeps it


@pytest.mark.parametrize(
    ("machine", "resources", "environment"),
    [
        (WITH_NVIDIA, ComputeResources(), {}),
        (WITH_NVIDIA, ComputeResources(1, 4), {}),
        (WITH_NVIDIA, ComputeResources(1, 1), {"CUDA_VISIBLE_DEVICES": "0,1"}),
        (WITH_NVIDIA, ComputeResources(1, 1), {GPU_VARIABLE: ""}),
        (WITH_AMD, ComputeResources(1, 1), {"ROCR_VISIBLE_DEVICES": "0,1"}),
        (WITH_MIG, ComputeResources(1, 1), {}),
        (WITH_POCL, ComputeResources(1, 1, "OpenCL"), {}),
        (TWO_POCL, ComputeResources(1, 1), {}),  # auto takes GPUs only
        (PLAIN, ComputeResources(1, 1), {}),
        (
            Machine("one NVIDIA GPU, AMD's", {"CUDA": WITH_MIG.devices["CUDA"], "HIP": HIP}),
            ComputeResources(1, 1),
            {},
        ),
    ],
)
def test_nothing_is_divided_that_is_told_or_not_there(
    use: Use, machine: Machine, resources: ComputeResources, environment: dict[str, str]
) -> None:
    use(machine)
    assert unmasked_devices(resources, environment) == {}
