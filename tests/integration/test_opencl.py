"""The OpenCL platform on a real OpenCL device, PoCL if there is no other; required where CI runs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import openmm
import pytest

from protocols import OpenMMSimulation, ThermodynamicState, execute_in
from protocols.settings import DynamicsSettings
from workflow_backends import ComputeResources, select_platform
from workflow_backends.errors import PlatformUnavailableError
from workflow_backends.opencl import opencl_devices

pytestmark = pytest.mark.skipif(
    not opencl_devices() and "CI" not in os.environ,
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


def test_opencl_by_name_is_chosen_and_minimises_or_gives_way() -> None:
    choice = select_platform(OPENCL)
    assert choice.name == "OpenCL"
    assert choice.properties["Precision"] == "mixed"
    assert select_platform(OPENCL, minimise=True).name in {"OpenCL", "CPU"}


def test_auto_takes_no_cpu_device_for_a_gpu() -> None:
    if any(device.is_gpu for device in opencl_devices()):
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
