"""What select_platform says of its choices, and the real probe; decisions are in test_decisions.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from machines import PLAIN, WITH_CRASHING_POCL, WITH_NVIDIA, WITHOUT_CUDA, Machine, Use

from workflow_backends import ComputeResources, select_platform
from workflow_backends.errors import PlatformUnavailableError
from workflow_backends.machine import cpu_name, total_memory
from workflow_backends.probing import Trial, find_devices, try_platform

GPU = ComputeResources(number_of_gpus=1)


def test_what_was_tried_before_stands_beside_the_choice(use: Use) -> None:
    use(WITHOUT_CUDA)
    choice = select_platform(GPU)
    assert choice.tried == {"CUDA": "no driver", "HIP": "no driver"}
    assert choice.reason == "OpenCL is the first of CUDA, HIP, OpenCL that works here"
    use(PLAIN)
    choice = select_platform(ComputeResources(2, 1, allow_cpu=True))
    assert set(choice.tried) == {"CUDA", "HIP", "OpenCL"}
    assert choice.reason == (
        "no GPU platform works here and allow_cpu is set (CUDA: no driver; HIP: no driver; OpenCL: 1 OpenCL"
        " device of type GPU needed on one OpenCL platform; found none)"
    )


def test_an_error_says_how_to_install_what_is_missing(use: Use) -> None:
    use(PLAIN)
    with pytest.raises(
        PlatformUnavailableError, match=r"openmm\[cuda13\].*conda: cuda-version.*number_of_gpus=0"
    ):
        select_platform(ComputeResources(1, 1, "CUDA"))


def test_a_plugin_that_did_not_load_says_why(use: Use) -> None:
    use(Machine("no loader", failures=("Error loading libOpenMMOpenCL.so:\nlibOpenCL.so.1", "libcuda.so.1")))
    with pytest.raises(
        PlatformUnavailableError,
        match=r"found none; Error loading libOpenMMOpenCL.so: libOpenCL.so.1\); .*conda: pocl, or ocl-icd",
    ):
        select_platform(ComputeResources(1, 1, "OpenCL"))


def test_the_real_loaders_failure_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    broken = tmp_path / "libOpenMMOpenCL.so"
    broken.write_text("no library")
    missing = {**os.environ, "OCL_ICD_VENDORS": "/nonexistent", "OPENMM_PLUGIN_DIR": str(tmp_path)}
    with pytest.raises(PlatformUnavailableError, match=rf"found none; Error loading library {broken}: "):
        select_platform(ComputeResources(1, 1, "OpenCL"), environment=missing)


def test_what_gives_way_for_a_minimisation_says_why(use: Use) -> None:
    use(WITH_CRASHING_POCL)
    choice = select_platform(ComputeResources(1, 1, "OpenCL"), minimise=True)
    assert choice.reason == "OpenCL cannot minimise here (signal 11)"


def test_a_choice_knows_its_device(use: Use) -> None:
    use(WITH_NVIDIA)
    choice = select_platform(GPU)
    assert (choice.device, choice.driver, choice.memory) == ("NVIDIA GPU", "575.57", 140 * 10**9)
    choice = select_platform(ComputeResources())
    assert (choice.device, choice.driver, choice.memory) == (cpu_name(), "", total_memory())
    assert choice.device
    assert choice.memory > 10**8


def test_an_environment_other_than_this_one_is_what_counts(use: Use) -> None:
    machine = use(WITH_NVIDIA)
    with pytest.raises(PlatformUnavailableError):
        select_platform(ComputeResources(1, 1, "CUDA"), environment={"CUDA_VISIBLE_DEVICES": ""})
    assert machine.tried[-1][2] == {"CUDA_VISIBLE_DEVICES": ""}


def test_a_platform_that_nobody_knows_is_refused() -> None:
    with pytest.raises(
        PlatformUnavailableError, match=r"'Metal' is not available; this machine has Reference"
    ):
        select_platform(ComputeResources(platform="Metal"))


def test_the_real_probe_tells_what_works_and_what_is_missing() -> None:
    assert try_platform("Reference", {}) == Trial(integrates=True, minimises=True)
    trial = try_platform("NoSuchPlatform", {})
    assert not trial.integrates
    assert "NoSuchPlatform" in trial.error


def test_a_device_that_is_not_there_is_not_listed() -> None:
    assert find_devices("CUDA", {"CUDA_VISIBLE_DEVICES": ""}) == []
    assert find_devices("OpenCL", {"OCL_ICD_VENDORS": "/nonexistent"}) == []
