"""Layouts of workers, and the measurements behind them."""

from __future__ import annotations

from typing import Any

import pytest
from machines import CUDA, PLAIN, WITH_NVIDIA, WORKS, Machine, Use

from workflow_backends import ComputeResources, ParslLocalBackend, layout, select_platform
from workflow_backends.errors import InvalidResourcesError
from workflow_backends.layout import measure_layouts
from workflow_backends.platforms import PlatformChoice
from workflow_backends.speed import measure_speed


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let each platform have a speed: threads help by half, a GPU has room for two at full speed."""
    calls: list[Any] = []

    def measure(choices: list[PlatformChoice], molecules: int, seconds: float) -> list[float] | str:
        calls.append((choices[0].name, len(choices), molecules))
        if choices[0].name == "CPU":
            return [10.0 * int(choice.properties["Threads"]) ** 0.5 for choice in choices]
        return [min(500.0, 1000.0 / len(choices))] * len(choices) if len(choices) < 8 else "out of memory"

    monkeypatch.setattr(layout, "measure_speed", measure)
    monkeypatch.setattr(layout, "available_cpus", lambda: 6)
    return calls


def test_cpus_are_divided_in_all_ways(use: Use, measured: list[Any]) -> None:
    use(PLAIN)
    found = measure_layouts(3000)
    assert measured == [("CPU", 6, 1000), ("CPU", 3, 1000), ("CPU", 1, 1000), ("CPU", 1, 1000)]
    best = found[0]
    assert (best.number_of_workers, best.resources_per_worker) == (6, ComputeResources(1))
    assert best.ns_per_day == 60
    assert [layout.ns_per_day for layout in found] == sorted((one.ns_per_day for one in found), reverse=True)


def test_gpus_are_shared_as_long_as_that_gains(
    use: Use, measured: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(Machine("one GPU", {"CUDA": CUDA[:1]}, {"CUDA": WORKS}))
    best = measure_layouts()[0]
    assert best.ns_per_day == 1000
    assert (best.number_of_workers, best.workers_per_gpu) == (2, 2)
    assert best.resources_per_worker == ComputeResources(3, 1, "CUDA")
    assert str(best) == (
        "2 x ComputeResources(number_of_threads=3, number_of_gpus=1, preferred_gpu_toolkit=CUDA),"
        " workers_per_gpu=2: 1e+03 ns/day"
    )
    use(WITH_NVIDIA)
    monkeypatch.setattr(layout, "available_cpus", lambda: 64)
    best = measure_layouts()[0]
    assert (best.number_of_workers, best.workers_per_gpu, best.ns_per_day) == (8, 2, 4000)
    assert max(workers for name, workers, _ in measured if name == "CUDA") == 8  # on one GPU


def test_a_backend_for_this_machine_has_the_best_layout(use: Use, measured: list[Any]) -> None:
    use(PLAIN)
    backend = ParslLocalBackend.for_this_machine(900)
    assert (backend.number_of_workers, backend.resources_per_worker) == (6, ComputeResources(1))
    assert {molecules for _, _, molecules in measured} == {300}


def test_a_size_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidResourcesError, match="number_of_atoms: 0 is not allowed"):
        measure_layouts(0)


def test_real_boxes_of_water_run_side_by_side() -> None:
    reference = select_platform(ComputeResources(platform="Reference"))
    cpu = select_platform(ComputeResources())
    speeds = measure_speed([reference, cpu], 27, 0.1)
    assert len(speeds) == 2
    assert all(isinstance(speed, float) and speed > 0 for speed in speeds)


def test_what_cannot_run_says_why() -> None:
    missing = PlatformChoice("NoSuchPlatform", {}, "")
    assert "NoSuchPlatform" in measure_speed([select_platform(ComputeResources()), missing], 27, 0.1)
