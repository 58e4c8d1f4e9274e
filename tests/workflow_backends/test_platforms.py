"""Every decision of select_platform, with the probe replaced; one real platform each where there is one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workflow_backends import ComputeResources, platforms, select_platform
from workflow_backends.errors import PlatformUnavailableError
from workflow_backends.opencl import OpenCLDevice

GPU = ComputeResources(number_of_gpus=1)
WORKS = {"integrates": True, "minimises": True, "error": ""}
FAILS = {"integrates": False, "minimises": False, "error": "no driver"}
CRASHES_WHEN_MINIMISING = {"integrates": True, "minimises": False, "error": "signal 11"}
CARD = OpenCLDevice(1, 0, "a card", is_gpu=True)
POCL = OpenCLDevice(0, 0, "a CPU", is_gpu=False)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Say what the machine has: a probe result by platform name, and OpenCL devices."""

    def has(*devices: OpenCLDevice, **working: dict[str, Any]) -> list[tuple[str, dict[str, str]]]:
        probed: list[tuple[str, dict[str, str]]] = []

        def probe(name: str, properties: str) -> dict[str, Any]:
            probed.append((name, json.loads(properties)))
            return working.get(name, FAILS)

        monkeypatch.setattr(platforms, "_probe", probe)
        monkeypatch.setattr(platforms, "opencl_devices", lambda: list(devices))
        return probed

    return has


def test_without_a_gpu_asked_for_it_is_the_cpu_whatever_the_machine_has(machine: Any) -> None:
    probed = machine(CARD, CUDA=WORKS)
    choice = select_platform(ComputeResources(number_of_threads=3))
    assert (choice.name, choice.properties) == ("CPU", {"Threads": "3"})
    assert probed == []


@pytest.mark.parametrize(
    ("working", "name"), [(["CUDA", "HIP"], "CUDA"), (["HIP", "OpenCL"], "HIP"), (["OpenCL"], "OpenCL")]
)
def test_auto_takes_the_first_that_works(machine: Any, working: list[str], name: str) -> None:
    machine(CARD, **dict.fromkeys(working, WORKS))
    choice = select_platform(GPU)
    assert choice.name == name
    assert set(choice.tried) == {"CUDA", "HIP", "OpenCL"}.intersection(
        ["CUDA", "HIP"][: ["CUDA", "HIP", "OpenCL"].index(name)]
    )


def test_auto_takes_no_cpu_for_an_opencl_gpu(machine: Any) -> None:
    machine(POCL, OpenCL=WORKS)
    with pytest.raises(PlatformUnavailableError, match="of type GPU"):
        select_platform(GPU)


def test_auto_falls_to_the_cpu_only_when_allowed(machine: Any) -> None:
    machine()
    with pytest.raises(PlatformUnavailableError, match=r"CUDA: no driver.*HIP: no driver.*openmm\[cuda13\]"):
        select_platform(GPU)
    choice = select_platform(ComputeResources(2, 1, allow_cpu=True))
    assert (choice.name, choice.properties) == ("CPU", {"Threads": "2"})
    assert choice.tried["CUDA"] == "no driver"


def test_a_named_toolkit_never_falls_to_the_cpu(machine: Any) -> None:
    machine(CARD, OpenCL=WORKS)
    with pytest.raises(PlatformUnavailableError, match="CUDA: no driver"):
        select_platform(ComputeResources(1, 1, "CUDA", allow_cpu=True))


def test_opencl_by_name_takes_any_device_and_names_its_platform(machine: Any) -> None:
    machine(POCL, OpenCL=WORKS)
    choice = select_platform(ComputeResources(1, 1, "OpenCL", "single"))
    assert choice.properties == {"Precision": "single", "OpenCLPlatformIndex": "0", "DeviceIndex": "0"}


def test_two_gpus_and_their_precision(machine: Any) -> None:
    probed = machine(CUDA=WORKS)
    choice = select_platform(ComputeResources(1, 2, "CUDA", "double"))
    assert choice.properties == {"Precision": "double", "DeviceIndex": "0,1"}
    assert probed == [("CUDA", choice.properties)]


def test_what_cannot_minimise_gives_way_to_the_cpu_for_that_alone(machine: Any) -> None:
    machine(POCL, OpenCL=CRASHES_WHEN_MINIMISING)
    resources = ComputeResources(1, 1, "OpenCL")
    assert select_platform(resources).name == "OpenCL"
    choice = select_platform(resources, minimise=True)
    assert choice.name == "CPU"
    assert "signal 11" in choice.reason


def test_a_platform_named_outright() -> None:
    assert select_platform(ComputeResources(platform="Reference")).name == "Reference"
    choice = select_platform(ComputeResources(number_of_threads=2, platform="CPU"))
    assert choice.properties == {"Threads": "2"}
    with pytest.raises(
        PlatformUnavailableError, match=r"'Metal' is not available; this machine has Reference"
    ):
        select_platform(ComputeResources(platform="Metal"))


def test_the_real_probe_tells_what_works_and_what_is_missing() -> None:
    assert platforms._probe("Reference", "{}") == WORKS
    result = platforms._probe("NoSuchPlatform", "{}")
    assert not result["integrates"]
    assert "NoSuchPlatform" in result["error"]
