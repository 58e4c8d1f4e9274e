"""The OpenCL platform on a real OpenCL device, PoCL if there is no other; required where CI runs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import openmm
import pytest
from water_box import LIMITS, Box, deviation, make_water

from protocols import OpenMMEnergyMinimisation, OpenMMSimulation, ThermodynamicState, execute_in
from protocols.dynamics.engine import open_context
from protocols.settings import DynamicsSettings
from workflow_backends import ComputeResources, select_platform
from workflow_backends.errors import PlatformUnavailableError
from workflow_backends.probing import find_devices

_DEVICES = find_devices("OpenCL")

pytestmark = pytest.mark.skipif(
    not _DEVICES and "CI" not in os.environ,
    reason="no OpenCL device: install ocl-icd-libopencl1 and pocl-opencl-icd",
)

OPENCL = ComputeResources(number_of_gpus=1, preferred_gpu_toolkit="OpenCL", preferred_gpu_precision="mixed")


def _argon(place: Path) -> tuple[Path, Path]:
    """Write System and State of an argon crystal."""
    side, spacing = 7, 0.37
    system, force = openmm.System(), openmm.NonbondedForce()
    force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    positions = np.array([(i, j, k) for i in range(side) for j in range(side) for k in range(side)]) * spacing
    for _ in positions:
        system.addParticle(39.948)
        force.addParticle(0.0, 0.3405, 0.996)
    system.setDefaultPeriodicBoxVectors(*(np.eye(3) * side * spacing))
    system.addForce(force)
    reference = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), reference)
    context.setPositions(positions)
    (place / "system.xml").write_text(openmm.XmlSerializer.serialize(system))
    (place / "state.xml").write_text(openmm.XmlSerializer.serialize(context.getState(positions=True)))
    return place / "system.xml", place / "state.xml"


@pytest.mark.parametrize("precision", ["single", "mixed", "double"])
def test_opencl_by_name_is_chosen_with_its_precision(precision: str) -> None:
    choice = select_platform(ComputeResources(1, 1, "OpenCL", precision))
    assert (choice.name, choice.precision) == ("OpenCL", precision)
    assert choice.properties["Precision"] == precision
    assert choice.device in {device.name for device in _DEVICES}


def test_a_minimisation_survives_a_driver_that_does_not(tmp_path: Path, water: Box) -> None:
    """PoCL's ends its process when it minimises water; the probe has seen it."""
    system, positions = water
    context = open_context(system, openmm.VerletIntegrator(0.001), select_platform(ComputeResources()))
    context.setPositions(positions)
    files = {"system_file": tmp_path / "system.xml", "state_file": tmp_path / "state.xml"}
    files["system_file"].write_text(openmm.XmlSerializer.serialize(system))
    files["state_file"].write_text(openmm.XmlSerializer.serialize(context.getState(positions=True)))
    outputs = execute_in(OpenMMEnergyMinimisation(**files), tmp_path / "run", OPENCL)
    if outputs.platform == "CPU":
        assert "OpenCL cannot minimise here (the probe ended with signal 11" in outputs.platform_reason
    else:
        assert outputs.platform == "OpenCL"


@pytest.fixture(scope="module")
def water() -> Box:
    return make_water()


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


def test_a_simulation_runs_on_opencl(tmp_path: Path) -> None:
    system_file, state_file = _argon(tmp_path)
    simulation = OpenMMSimulation(
        system_file=system_file,
        state_file=state_file,
        state=ThermodynamicState(temperature="90 K"),
        simulated_time="2 ps",
        dynamics=DynamicsSettings(output_interval="0.2 ps"),
    )
    outputs = execute_in(simulation, tmp_path / "run", OPENCL)
    assert outputs.platform == "OpenCL"
    assert outputs.frames == 10
