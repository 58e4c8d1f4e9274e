"""Workers of a real backend on real OpenCL devices: PoCL shows as many as it is told to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_opencl import needs_opencl

from workflow_backends import ComputeResources, ParslLocalBackend, PlatformChoice, select_platform
from workflow_backends.errors import InvalidResourcesError, PlatformUnavailableError
from workflow_backends.probing import find_devices

_OPENCL = ComputeResources(1, 1, "OpenCL", "single")
_TWO = {"POCL_DEVICES": "pthread basic"}

pytestmark = needs_opencl([device for device in find_devices("OpenCL") if not device.is_gpu], "PoCL")


def _choose(barrier: str, available_resources: ComputeResources) -> tuple[PlatformChoice, int]:
    """Choose once all workers are at it, so that each worker has one such task."""
    import os
    import time
    from pathlib import Path

    Path(barrier, str(os.getpid())).touch()
    while len(list(Path(barrier).iterdir())) < 2:
        time.sleep(0.02)
    return select_platform(available_resources), os.getpid()


@pytest.fixture
def two_devices(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in _TWO.items():
        monkeypatch.setenv(name, value)
    yield


@pytest.mark.usefixtures("two_devices")
def test_each_worker_has_a_device_of_its_own(tmp_path: Path) -> None:
    with ParslLocalBackend(2, _OPENCL) as backend:
        futures = [backend.submit_task(_choose, str(tmp_path)) for _ in range(2)]
        chosen = [future.result(60) for future in futures]
    assert {choice.properties["DeviceIndex"] for choice, _ in chosen} == {"0", "1"}
    assert len({pid for _, pid in chosen}) == 2


def _choose_in_a_backend_of_its_own(barrier: str) -> tuple[str, str]:
    with ParslLocalBackend(1, _OPENCL) as backend:
        choice, _ = backend.submit_task(_choose, barrier).result(60)
    try:
        ParslLocalBackend(2, _OPENCL).start()
    except InvalidResourcesError as error:
        return choice.properties["DeviceIndex"], str(error)
    return choice.properties["DeviceIndex"], ""


@pytest.mark.usefixtures("two_devices")
def test_a_backend_in_a_task_has_the_device_of_its_worker(tmp_path: Path) -> None:
    with ParslLocalBackend(2, _OPENCL) as backend:
        futures = [backend.submit_task(_choose_in_a_backend_of_its_own, str(tmp_path)) for _ in range(2)]
        chosen = [future.result(100) for future in futures]
    assert {index for index, _ in chosen} == {"0", "1"}
    assert all("this process may use 1 " in refusal for _, refusal in chosen)


@pytest.mark.usefixtures("two_devices")
def test_pools_do_not_share_devices() -> None:
    pools = {"a": (1, _OPENCL), "b": (1, ComputeResources(1, 1, "OpenCL", "mixed"))}
    with ParslLocalBackend(pools=pools) as backend:
        views = [backend.options(resources=resources) for _, resources in pools.values()]
        indices = [
            view.submit_task(_properties, "DeviceIndex", resources).result(60)
            for view, (_, resources) in zip(views, pools.values(), strict=True)
        ]
    assert indices == ["0", "1"]


def _properties(name: str, resources: ComputeResources) -> str:
    return select_platform(resources).properties[name]


def test_workers_may_share_a_device_if_told_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidResourcesError, match="workers_per_gpu"):
        ParslLocalBackend(2, _OPENCL).start()
    with ParslLocalBackend(2, _OPENCL, workers_per_gpu=2) as backend:
        futures = [backend.submit_task(_choose, str(tmp_path)) for _ in range(2)]
        assert {future.result(60)[0].properties["DeviceIndex"] for future in futures} == {"0"}


def test_workers_read_what_the_start_has_probed(tmp_path: Path) -> None:
    with ParslLocalBackend(1, _OPENCL) as backend:
        [probes] = [path for path in backend._engine.directory.iterdir() if path.name == "probes"]
        answered = 0
        for file in probes.glob("*.json"):
            answer = json.loads(file.read_text(encoding="utf-8"))
            for device in answer.get("devices", ()):
                device["name"] = "as the start saw it"
                answered += 1
            file.write_text(json.dumps(answer))
        assert answered
        before = set(probes.iterdir())
        assert backend.submit_task(_device, _OPENCL).result(60) == "as the start saw it"
        assert set(probes.iterdir()) == before


def _device(resources: ComputeResources) -> str:
    return select_platform(resources).device


@pytest.mark.parametrize(
    "resources", [ComputeResources(1, 1, "CUDA"), ComputeResources(1, 1), ComputeResources(platform="CUDA")]
)
def test_what_is_unusable_is_told_at_start_and_nothing_stays(
    resources: ComputeResources, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if any(find_devices(toolkit) for toolkit in ("CUDA", "HIP")):
        pytest.skip("this machine has a GPU")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(PlatformUnavailableError, match="CUDA"):
        ParslLocalBackend(1, resources).start()
    assert list(tmp_path.iterdir()) == []
