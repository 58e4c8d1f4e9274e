"""Simulations in a job that is about to end."""

import time

import pytest

from protocols.analysis.observables import read_observable
from protocols.dynamics.segments import SegmentStore
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.dynamics.transport import OpenMMTransportSimulation
from protocols.running.execution import execute_in
from protocols.settings import DynamicsSettings, TransportSettings
from protocols.state import ThermodynamicState
from workflow_backends.block import END_VARIABLE
from workflow_backends.errors import BlockEndingError
from workflow_backends.resources import ComputeResources

REFERENCE = ComputeResources(platform="Reference")


def simulation(argon_box):
    return OpenMMSimulation(
        system_file=argon_box.system_file,
        state_file=argon_box.state_file,
        state=ThermodynamicState(temperature="90 K", pressure="1 bar"),
        simulated_time="0.4 ps",
        dynamics=DynamicsSettings(timestep="2 fs", output_interval="0.04 ps", segment_time="0.12 ps"),
        seed=5,
    )


def go_through_blocks(protocol, directory, resources, monkeypatch):
    """Return the outputs, and the frames or segments that each block ended with."""
    monkeypatch.setenv(END_VARIABLE, str(time.time() + 10))  # near, from the first look
    numbers = []
    while True:
        try:
            return execute_in(protocol, directory, resources), numbers
        except BlockEndingError:
            store = SegmentStore(directory / "segments")
            store.recover()
            numbers.append(store.number_of_frames)


def test_one_is_cut_after_the_frame_that_it_has(tmp_path, argon_box, resources, monkeypatch):
    outputs, frames = go_through_blocks(simulation(argon_box), tmp_path, resources, monkeypatch)
    assert frames == list(range(1, 10))
    assert read_observable(outputs.observables_file, "step")[0].tolist() == list(range(20, 201, 20))


def test_on_reference_it_equals_an_uninterrupted_one(tmp_path, argon_box, monkeypatch):
    whole = execute_in(simulation(argon_box), tmp_path / "whole", REFERENCE)
    outputs, frames = go_through_blocks(simulation(argon_box), tmp_path / "cut", REFERENCE, monkeypatch)
    assert frames == [3, 6, 9]
    assert outputs.observables_file.read_bytes() == whole.observables_file.read_bytes()
    assert outputs.state_file.read_bytes() == whole.state_file.read_bytes()


def test_segments_of_constant_energy_stay_whole(tmp_path, argon_box, resources, monkeypatch):
    protocol = OpenMMTransportSimulation(
        system_file=argon_box.system_file,
        state_file=argon_box.state_file,
        temperature="90 K",
        components=(100,),
        timestep="1 fs",
        transport=TransportSettings(
            nve_time="0.08 ps",
            nve_segments=3,
            nve_spacing="0.01 ps",
            stress_interval="4 fs",
            displacement_interval="4 fs",
        ),
    )
    outputs, segments = go_through_blocks(protocol, tmp_path, resources, monkeypatch)
    assert segments == [1, 2]
    assert outputs.segments == 3


@pytest.mark.parametrize("seconds", [None, 3600])
def test_one_that_has_time_goes_on(tmp_path, argon_box, resources, monkeypatch, seconds):
    monkeypatch.delenv(END_VARIABLE, raising=False)
    if seconds is not None:
        monkeypatch.setenv(END_VARIABLE, str(time.time() + seconds))
    assert execute_in(simulation(argon_box), tmp_path, resources).frames == 10
