"""The dipole moment of the box, against one made by hand from wrapped coordinates."""

import numpy as np
import openmm
import pytest
from real_opencl import needs_opencl

from protocols.analysis.observables import read_observable
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.running.execution import execute_in
from protocols.settings import DynamicsSettings, InteractionSettings
from protocols.state import ThermodynamicState
from protocols.substance import Substance
from protocols.systems.coordinates import BuildCoordinatesPackmol
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.parameterise import BuildOpenMMSystem
from protocols.systems.particles import fixed_charges
from workflow_backends.devices import list_devices
from workflow_backends.resources import ComputeResources

MOLECULES = 20


@pytest.fixture(scope="module")
def water(tmp_path_factory):
    """TIP4P-Ew: the negative charge is on a virtual site."""
    home = tmp_path_factory.mktemp("water")
    packed = execute_in(
        BuildCoordinatesPackmol(
            substance=Substance.pure("O"), number_of_molecules=MOLECULES, density="0.8 g/mL"
        ),
        home / "packed",
        ComputeResources(),
    )
    return execute_in(
        BuildOpenMMSystem(
            coordinates_file=packed.coordinates_file,
            force_field=OpenMMForceField("tip4pew.xml"),
            interactions=InteractionSettings(cutoff="0.38 nm", ewald_error_tolerance=1e-3),
        ),
        home / "built",
        ComputeResources(),
    )


def simulate(water, directory, platform, state_file=None, time="0.8 ps", **inputs):
    return execute_in(
        OpenMMSimulation(
            system_file=water.system_file,
            state_file=state_file or water.state_file,
            state=ThermodynamicState(temperature="500 K", pressure="1000 bar"),
            simulated_time=time,
            dynamics=DynamicsSettings(
                timestep="2 fs", output_interval="0.02 ps", segment_time="0.3 ps", barostat_interval=1
            ),
            **inputs,
        ),
        directory,
        ComputeResources(platform=platform),
    )


def dipoles(outputs):
    return np.stack(
        [read_observable(outputs.observables_file, f"dipole {axis}")[0] for axis in "xyz"], axis=1
    )


def positions_and_box(state_file):
    state = openmm.XmlSerializer.deserialize(state_file.read_text(encoding="utf-8"))
    box = np.diag(np.array(state.getPeriodicBoxVectors(asNumpy=True)._value))
    return np.array(state.getPositions(asNumpy=True)._value).reshape(MOLECULES, 4, 3), box


@pytest.mark.parametrize(
    "platform",
    [
        "CPU",
        "Reference",
        pytest.param("OpenCL", marks=needs_opencl(list_devices("OpenCL"))),
    ],
)
def test_the_dipole_is_that_of_whole_molecules(tmp_path, water, platform):
    outputs = simulate(water, tmp_path / "first", platform)
    outputs = simulate(water, tmp_path / "second", platform, outputs.state_file, continues=True)
    positions, box = positions_and_box(outputs.state_file)
    wrapped = positions % box
    assert np.abs(wrapped - wrapped[:, :1]).max() > box.max() / 2  # a molecule does cross the boundary
    bonds = wrapped - wrapped[:, :1]
    whole = bonds - box * np.round(bonds / box)
    charges = fixed_charges(openmm.XmlSerializer.deserialize(water.system_file.read_text(encoding="utf-8")))
    by_hand = np.einsum("ij,ijk->k", charges.reshape(MOLECULES, 4), whole)
    assert dipoles(outputs)[-1] == pytest.approx(by_hand, abs=1e-6)
    assert read_observable(outputs.observables_file, "dipole z")[1] == "e*nm"


def test_the_periodic_image_of_a_molecule_does_not_matter(tmp_path, water):
    state = openmm.XmlSerializer.deserialize(water.state_file.read_text(encoding="utf-8"))
    positions, box = positions_and_box(water.state_file)
    images = np.random.default_rng(1).integers(-3, 4, (MOLECULES, 1, 3))
    reference = openmm.Platform.getPlatformByName("Reference")
    system = openmm.XmlSerializer.deserialize(water.system_file.read_text(encoding="utf-8"))
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), reference)
    context.setState(state)
    context.setPositions((positions + images * box).reshape(-1, 3))
    moved = tmp_path / "moved.xml"
    moved.write_text(openmm.XmlSerializer.serialize(context.getState(positions=True)))
    here, there = (
        dipoles(simulate(water, tmp_path / name, "Reference", file, time="0.02 ps"))
        for name, file in (("here", water.state_file), ("there", moved))
    )
    assert here[0] == pytest.approx(there[0], abs=1e-3)
