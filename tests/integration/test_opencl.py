"""The OpenCL platform on a real OpenCL device, PoCL if there is no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openmm
import pytest
from real_opencl import needs_opencl
from water_box import LIMITS, Box, deviation, make_water

from protocols import OpenMMEnergyMinimisation, OpenMMSimulation, ThermodynamicState, execute_in
from protocols.analysis.observables import read_observable
from protocols.dynamics.engine import open_context
from protocols.settings import DynamicsSettings
from workflow_backends import ComputeResources, select_platform
from workflow_backends.errors import PlatformUnavailableError
from workflow_backends.probing import find_devices

_DEVICES = find_devices("OpenCL")

pytestmark = needs_opencl(_DEVICES)

OPENCL = ComputeResources(number_of_gpus=1, preferred_gpu_toolkit="OpenCL", preferred_gpu_precision="mixed")


@pytest.fixture(scope="module")
def water() -> Box:
    return make_water()


@pytest.fixture(scope="module")
def water_files(water: Box, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write System and State of the water."""
    system, positions = water
    place = tmp_path_factory.mktemp("water")
    context = open_context(system, openmm.VerletIntegrator(0.001), select_platform(ComputeResources()))
    context.setPositions(positions)
    files = {"system_file": place / "system.xml", "state_file": place / "state.xml"}
    files["system_file"].write_text(openmm.XmlSerializer.serialize(system))
    files["state_file"].write_text(openmm.XmlSerializer.serialize(context.getState(positions=True)))
    return files


@pytest.mark.parametrize("precision", ["single", "mixed", "double"])
def test_opencl_by_name_is_chosen_with_its_precision(precision: str) -> None:
    choice = select_platform(ComputeResources(1, 1, "OpenCL", precision))
    assert (choice.name, choice.precision) == ("OpenCL", precision)
    assert choice.properties["Precision"] == precision
    assert choice.device in {device.name for device in _DEVICES}


def test_a_minimisation_survives_a_driver_that_does_not(tmp_path: Path, water_files: dict[str, Path]) -> None:
    """PoCL's ends its process when it minimises water; the probe has seen it."""
    outputs = execute_in(OpenMMEnergyMinimisation(**water_files), tmp_path / "run", OPENCL)
    if outputs.platform == "CPU":
        assert "OpenCL cannot minimise here (the probe ended with signal " in outputs.platform_reason
    else:
        assert outputs.platform == "OpenCL"


@pytest.mark.parametrize("precision", LIMITS)
def test_forces_are_those_of_reference(water: Box, precision: str) -> None:
    choice = select_platform(ComputeResources(1, 1, "OpenCL", precision))
    assert deviation(water, choice) < LIMITS[precision]


def test_precise_energies_are_in_double() -> None:
    choice = select_platform(OPENCL, precise=True)
    assert (choice.name, choice.properties["Precision"]) == ("OpenCL", "double")


def test_auto_takes_no_cpu_device_for_a_gpu() -> None:
    if any(device.is_gpu for device in _DEVICES):
        pytest.skip("this machine has a GPU")
    with pytest.raises(PlatformUnavailableError, match="of type GPU needed"):
        select_platform(ComputeResources(number_of_gpus=1))


@pytest.mark.parametrize("precision", LIMITS)
def test_water_moves_on_opencl_at_each_precision(
    tmp_path: Path, water: Box, water_files: dict[str, Path], precision: str
) -> None:
    simulation = OpenMMSimulation(
        **water_files,
        state=ThermodynamicState(temperature="298.15 K"),
        simulated_time="0.05 ps",
        dynamics=DynamicsSettings(timestep="1 fs", output_interval="0.01 ps"),
    )
    outputs = execute_in(simulation, tmp_path / "run", ComputeResources(1, 1, "OpenCL", precision))
    assert (outputs.platform, outputs.precision, outputs.frames) == ("OpenCL", precision, 5)
    assert outputs.device in {device.name for device in _DEVICES}
    energies, _ = read_observable(outputs.observables_file, "potential energy")
    temperatures, _ = read_observable(outputs.observables_file, "temperature")
    assert ((temperatures > 100) & (temperatures < 400)).all()
    end = openmm.XmlSerializer.deserialize(outputs.state_file.read_text(encoding="utf-8"))
    assert energies[-1] == pytest.approx(_reference_energy(water, end), rel=1e-5)
    assert not np.allclose(end.getPositions(asNumpy=True)._value, water[1]._value, atol=1e-3)


def _reference_energy(water: Box, state: Any) -> float:
    reference = select_platform(ComputeResources(platform="Reference"))
    context = open_context(water[0], openmm.VerletIntegrator(0.001), reference)
    context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    context.setPositions(state.getPositions())
    return float(context.getState(energy=True).getPotentialEnergy()._value)


def test_no_choice_and_no_context_changes_what_openmm_does_by_default(water: Box) -> None:
    before = _defaults()
    for choice in (
        select_platform(ComputeResources(1), deterministic=True),
        select_platform(ComputeResources(1, 1, "OpenCL", "double")),
    ):
        assert any(before[choice.name, name] != value for name, value in choice.properties.items())
        open_context(water[0], openmm.VerletIntegrator(0.001), choice)
    assert _defaults() == before


def _defaults() -> dict[tuple[str, str], str]:
    platforms = map(openmm.Platform.getPlatform, range(openmm.Platform.getNumPlatforms()))
    return {
        (platform.getName(), name): platform.getPropertyDefaultValue(name)
        for platform in platforms
        for name in platform.getPropertyNames()
    }


@pytest.mark.parametrize(
    ("found", "required", "skips"), [([], "", True), ([], "1", False), (_DEVICES, "", not _DEVICES)]
)
def test_where_it_is_required_nothing_is_skipped_for_want_of_it(
    monkeypatch: pytest.MonkeyPatch, found: list[Any], required: str, skips: bool
) -> None:
    monkeypatch.setenv("REQUIRE_OPENCL", required)
    assert needs_opencl(found).args == (skips,)
