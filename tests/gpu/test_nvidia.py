"""On a real NVIDIA GPU: ``REQUIRE_OPENCL=1 pytest -m gpu tests/gpu``, which skips no OpenCL."""

from __future__ import annotations

import ctypes
import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
_LEFT = int(1.2 * 2**30)  # of a full GPU's memory: OpenMM's own context takes half of it
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


def _cuda(name: str, *arguments: object) -> None:
    status = ctypes.CDLL("libcuda.so.1")[name](*arguments)
    assert status == 0, f"{name}: {status}"


def _uuid() -> str:
    """Return that of the first GPU, as masks have it."""
    device, found = ctypes.c_int(), (ctypes.c_ubyte * 16)()
    _cuda("cuInit", 0)
    _cuda("cuDeviceGet", ctypes.byref(device), 0)
    _cuda("cuDeviceGetUuid", found, device)
    return f"GPU-{uuid.UUID(bytes=bytes(found))}"


def test_masks_by_index_and_uuid_work_and_an_empty_one_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for mask in ("0", _uuid()):
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
    mask = _uuid()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", mask)
    with ParslLocalBackend(1, CUDA) as backend:
        assert backend.submit_task(_seen, str(tmp_path), 1).result(120) == (mask, "0")


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


class Together(OpenMMSimulation):
    """A simulation that begins when two workers have one, and leaves the masks of both."""

    barrier: str

    def execute(self, directory: Path, available_resources: ComputeResources) -> Any:
        import os
        import time
        from pathlib import Path

        place = Path(self.barrier)
        draft = place.with_name(f"mask-{os.getpid()}")
        draft.write_text(str(os.environ.get("CUDA_VISIBLE_DEVICES")))
        draft.rename(place / draft.name)
        while len(list(place.iterdir())) < 2:
            time.sleep(0.02)
        return super().execute(directory, available_resources)


def test_two_simulations_share_a_gpu_at_the_same_time(water_files: dict[str, Path], tmp_path: Path) -> None:
    (barrier := tmp_path / "barrier").mkdir()
    with ParslLocalBackend(2, CUDA, workers_per_gpu=2) as backend:
        workers = BackendWorkers(backend)
        tasks = [
            Task.of(_simulation(water_files, Together, barrier=str(barrier), seed=seed), tmp_path / str(seed))
            for seed in (1, 2)
        ]
        futures = [workers.submit(task, {}, uses_gpu=True, done=lambda: None) for task in tasks]
        both = [future.result(200) for future in futures]
    for each in both:
        assert (each.platform, each.device, each.frames) == ("CUDA", _GPUS[0].name, 10)
        assert each.incidents == ()
    first, second = [file.read_text(encoding="utf-8") for file in barrier.iterdir()]
    assert first == second


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


class BreaksOnce(OpenMMSimulation):
    """A simulation whose first worker has kernels that trap: an error that CUDA keeps for good."""

    kernels: str
    places: str

    def execute(self, directory: Path, available_resources: ComputeResources) -> Any:
        import os
        import sys
        from pathlib import Path

        places = Path(self.places)
        if not places.exists():
            os.environ["OPENMM_CACHE_DIR"] = self.kernels
        with places.open("a", encoding="utf-8") as file:
            file.write(f"{sys.argv[3]}\n")  # the log of its worker, whose processes come and go
        return super().execute(directory, available_resources)


def _break_kernels(cache: Path) -> int:
    """Have the integrator's kernels trap at their end; return how many files have them."""
    files = [file for file in cache.iterdir() if b"integrateLangevinMiddle" in file.read_bytes()]
    for file in files:
        text = file.read_text(encoding="utf-8")
        file.write_text(re.sub(r"^(\s*)ret;", r"\1trap;\n\1ret;", text, flags=re.MULTILINE))
        assert "trap;" in file.read_text(encoding="utf-8")
    return len(files)


def test_a_context_that_is_broken_for_good_is_left_for_another_worker(
    water_files: dict[str, Path], tmp_path: Path
) -> None:
    (cache := tmp_path / "cache").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENMM_CACHE_DIR", str(cache))  # where OpenMM keeps compiled kernels, as text
        execute_in(_simulation(water_files), tmp_path / "whole", CUDA)
    assert _break_kernels(cache)
    places = tmp_path / "places"
    protocol = _simulation(water_files, BreaksOnce, kernels=str(cache), places=str(places))
    with ParslLocalBackend(2, CUDA, workers_per_gpu=2) as backend:
        task = Task.of(protocol, tmp_path / "run")
        outputs = BackendWorkers(backend).submit(task, {}, uses_gpu=True, done=lambda: None).result(200)
    [incident] = outputs.incidents
    assert f"{DeviceFailedError.__name__}: " in incident
    assert "CUDA_ERROR" in incident
    assert outputs.frames == 10
    first, second = places.read_text(encoding="utf-8").splitlines()
    assert first != second


@contextmanager
def _full_gpu() -> Iterator[None]:
    """Take nearly all of the GPU's memory."""
    context, free, total = ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_size_t()
    held, device = ctypes.c_void_p(), ctypes.c_int()
    _cuda("cuInit", 0)
    _cuda("cuDeviceGet", ctypes.byref(device), 0)
    with ExitStack() as stack:
        _cuda("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        stack.callback(_cuda, "cuDevicePrimaryCtxRelease_v2", device)
        _cuda("cuCtxPushCurrent_v2", context)
        stack.callback(_cuda, "cuCtxPopCurrent_v2", ctypes.byref(context))
        _cuda("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        _cuda("cuMemAlloc_v2", ctypes.byref(held), ctypes.c_size_t(free.value - _LEFT))
        stack.callback(_cuda, "cuMemFree_v2", held)
        yield


def test_a_full_gpu_is_told_with_atoms_and_memory() -> None:
    system = openmm.System()
    for _ in range(20_000_000):
        system.addParticle(1.0)
    choice = select_platform(CUDA)
    with _full_gpu(), pytest.raises(OutOfMemoryError, match=r"20000000 atoms; its memory is [\d.]+ GB"):
        open_context(system, openmm.VerletIntegrator(0.001), choice)


@pytest.mark.timeout(900)
def test_the_doctor_and_the_layouts_know_the_gpu(capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(["--require", "CUDA"]) == 0
    text = capsys.readouterr().out
    print(text)  # for the record
    assert f"CUDA device 0: {_GPUS[0].name}" in text
    best = measure_layouts(30_000)[0]
    assert best.resources_per_worker.number_of_gpus == 1
