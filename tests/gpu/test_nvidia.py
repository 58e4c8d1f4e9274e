"""On a real NVIDIA GPU: ``pytest -m gpu tests/gpu``."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openmm
import pytest
from real_opencl import needs_opencl
from water_box import LIMITS, Box, deviation, forces, make_water

from protocols import OpenMMEnergyMinimisation, OpenMMSimulation, ThermodynamicState
from protocols.dynamics.engine import open_context
from protocols.errors import DeviceFailedError, OutOfMemoryError
from protocols.running.execution import Task, execute_in
from protocols.running.workers import BackendWorkers
from protocols.settings import DynamicsSettings
from workflow_backends import ComputeResources, ParslLocalBackend, doctor, select_platform
from workflow_backends.errors import InvalidResourcesError, PlatformUnavailableError
from workflow_backends.layout import measure_layouts
from workflow_backends.probing import find_devices

_GPUS = find_devices("CUDA")
_OPENCL = any(device.is_gpu for device in find_devices("OpenCL"))

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not _GPUS, reason="no NVIDIA GPU: CUDA's driver library shows no device"),
]
needs_opencl_gpu = needs_opencl(_OPENCL, "OpenCL GPU")

CUDA = ComputeResources(1, 1, "CUDA")
TOOLKITS = ["CUDA", pytest.param("OpenCL", marks=needs_opencl_gpu)]


@pytest.fixture(scope="module")
def water() -> Box:
    return make_water()


@pytest.fixture(scope="module")
def water_files(water: Box, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    system, positions = water
    context = open_context(system, openmm.VerletIntegrator(0.001), select_platform(ComputeResources()))
    context.setPositions(positions)
    place = tmp_path_factory.mktemp("water")
    files = {"system_file": place / "system.xml", "state_file": place / "state.xml"}
    files["system_file"].write_text(openmm.XmlSerializer.serialize(system))
    files["state_file"].write_text(openmm.XmlSerializer.serialize(context.getState(positions=True)))
    return files


def _simulation(
    water_files: dict[str, Path], kind: type[OpenMMSimulation] = OpenMMSimulation, **more: Any
) -> Any:
    return kind(
        **water_files,
        state=ThermodynamicState(temperature="300 K", pressure="1 bar"),
        simulated_time="2 ps",
        dynamics=DynamicsSettings(output_interval="0.2 ps", segment_time="1 ps"),
        **more,
    )


def test_auto_takes_cuda_and_knows_the_device() -> None:
    choice = select_platform(ComputeResources(number_of_gpus=1))
    assert choice.name == "CUDA"
    assert choice.device == _GPUS[0].name
    assert choice.driver
    assert choice.memory > 10**9


@pytest.mark.parametrize("toolkit", TOOLKITS)
@pytest.mark.parametrize("precision", LIMITS)
def test_forces_are_those_of_reference(water: Box, toolkit: str, precision: str) -> None:
    choice = select_platform(ComputeResources(1, 1, toolkit, precision))
    assert (choice.name, choice.precision) == (toolkit, precision)
    assert deviation(water, choice) < LIMITS[precision]


def test_deterministic_forces_are_equal_to_the_last_bit(water: Box) -> None:
    choice = select_platform(CUDA, deterministic=True)
    assert (forces(water, choice) == forces(water, choice)).all()


def test_precise_energies_are_in_double() -> None:
    assert select_platform(ComputeResources(number_of_gpus=1), precise=True).precision == "double"


@needs_opencl_gpu
def test_opencl_by_name_takes_the_gpu_beside_a_cpu() -> None:
    choice = select_platform(ComputeResources(1, 1, "OpenCL"))
    assert choice.device == _GPUS[0].name


def _uuids() -> list[str]:
    run = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True)
    return [
        line.rpartition("UUID: ")[2].rstrip(")") for line in run.stdout.splitlines() if "UUID: GPU" in line
    ]


def test_masks_by_index_and_uuid_work_and_an_empty_one_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for mask in ("0", _uuids()[0]):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", mask)
        choice = select_platform(CUDA)
        assert choice.properties["DeviceIndex"] == "0"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(PlatformUnavailableError, match="CUDA_VISIBLE_DEVICES is ''"):
        select_platform(CUDA)


def _seen(barrier: str, workers: int, available_resources: ComputeResources) -> tuple[str | None, str]:
    """Return the mask and the device of a worker; all workers have one such task at the same time."""
    import os
    import time
    from pathlib import Path

    Path(barrier, str(os.getpid())).touch()
    while len(list(Path(barrier).iterdir())) < workers:
        time.sleep(0.02)
    return os.environ.get("CUDA_VISIBLE_DEVICES"), select_platform(available_resources).properties[
        "DeviceIndex"
    ]


def test_workers_share_a_gpu_if_told_so(tmp_path: Path) -> None:
    workers = 2 * len(_GPUS)
    with pytest.raises(InvalidResourcesError, match="workers_per_gpu"):
        ParslLocalBackend(workers, CUDA).start()
    with ParslLocalBackend(workers, CUDA, workers_per_gpu=2) as backend:
        futures = [backend.submit_task(_seen, str(tmp_path), workers) for _ in range(workers)]
        seen = [future.result(120) for future in futures]
    assert {index for _, index in seen} == {"0"}
    if len(_GPUS) > 1:
        masks = [mask for mask, _ in seen]
        assert sorted(masks) == sorted(2 * [str(n) for n in range(len(_GPUS))])


@pytest.mark.skipif(len(_GPUS) < 2, reason="one GPU only")
def test_each_worker_has_a_gpu_of_its_own(tmp_path: Path) -> None:
    with ParslLocalBackend(2, CUDA) as backend:
        futures = [backend.submit_task(_seen, str(tmp_path), 2) for _ in range(2)]
        assert {future.result(120)[0] for future in futures} == {"0", "1"}


def test_a_mask_by_uuid_reaches_the_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", _uuids()[0])
    with ParslLocalBackend(1, CUDA) as backend:
        assert backend.submit_task(_seen, str(tmp_path), 1).result(120) == (_uuids()[0], "0")


@pytest.mark.parametrize("toolkit", TOOLKITS)
def test_minimisation_and_simulation_run_and_say_where(
    toolkit: str, water_files: dict[str, Path], tmp_path: Path
) -> None:
    resources = ComputeResources(1, 1, toolkit)
    relaxed = execute_in(OpenMMEnergyMinimisation(**water_files), tmp_path / "min", resources)
    outputs = execute_in(_simulation(water_files), tmp_path / "run", resources)
    for each in (relaxed, outputs):
        assert (each.platform, each.precision, each.device) == (toolkit, "mixed", _GPUS[0].name)
        assert each.driver
    assert outputs.ns_per_day > 0


class FailsOnce(OpenMMSimulation):
    """A simulation whose device fails it once, in its second segment."""

    mark: str

    def execute(self, directory: Path, available_resources: ComputeResources) -> Any:
        from pathlib import Path

        from protocols.dynamics import engine

        advance, mark, frames = engine.Engine._advance, Path(self.mark), []

        def failing(self: Any, steps: int) -> None:
            frames.append(steps)
            if not mark.exists() and len(frames) == 7:
                mark.touch()
                raise openmm.OpenMMException("Error invoking kernel: CUDA_ERROR_ILLEGAL_ADDRESS (700)")
            advance(self, steps)

        engine.Engine._advance = failing
        try:
            return super().execute(directory, available_resources)
        finally:
            engine.Engine._advance = advance


def test_a_lost_device_is_tried_again_on_another_worker(water_files: dict[str, Path], tmp_path: Path) -> None:
    protocol = _simulation(water_files, FailsOnce, mark=str(tmp_path / "mark"))
    workers = 2 * len(_GPUS)
    with ParslLocalBackend(workers, CUDA, workers_per_gpu=2) as backend:
        task = Task.of(protocol, tmp_path / "run")
        outputs = BackendWorkers(backend).submit(task, {}, uses_gpu=True, done=lambda: None).result(200)
    [incident] = outputs.incidents
    assert DeviceFailedError.__name__ in incident
    assert outputs.frames == 10


@pytest.fixture
def full_gpu() -> Iterator[None]:
    """Take nearly all of the GPU's memory."""
    cuda = ctypes.CDLL("libcuda.so.1")
    context, free, total = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_size_t()
    held, device = ctypes.c_void_p(), ctypes.c_int()

    def call(name: str, *arguments: object) -> None:
        status = cuda[name](*arguments)
        assert status == 0, f"{name}: {status}"

    call("cuInit", 0)
    call("cuDeviceGet", ctypes.byref(device), 0)
    call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    call("cuCtxPushCurrent_v2", context)
    call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
    call("cuMemAlloc_v2", ctypes.byref(held), ctypes.c_size_t(free.value - 700 * 2**20))
    yield
    call("cuMemFree_v2", held)
    call("cuCtxPopCurrent_v2", ctypes.byref(context))
    call("cuDevicePrimaryCtxRelease_v2", device)


@pytest.mark.usefixtures("full_gpu")
def test_a_full_gpu_is_told_with_atoms_and_memory() -> None:
    system = openmm.System()
    for _ in range(20_000_000):
        system.addParticle(1.0)
    choice = select_platform(CUDA)
    with pytest.raises(OutOfMemoryError, match=r"20000000 atoms; its memory is \d+ GB"):
        open_context(system, openmm.VerletIntegrator(0.001), choice)


def test_the_doctor_and_the_layouts_know_the_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(["--require", "CUDA"]) == 0
    text = capsys.readouterr().out
    print(text)  # for the record
    assert f"CUDA device 0: {_GPUS[0].name}" in text
    best = measure_layouts(30_000)[0]
    assert best.resources_per_worker.number_of_gpus == 1
