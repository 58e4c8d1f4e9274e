import json

import numpy as np
import openmm
import pytest

from protocols.analysis.observables import read_observable
from protocols.dynamics.platform_outputs import PlatformOutputs
from protocols.dynamics.segments import SegmentStore
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.errors import InputError, SimulationError
from protocols.running.execution import execute_in
from protocols.running.pace import PROGRESS_NAME
from protocols.settings import DynamicsSettings
from protocols.state import ThermodynamicState
from workflow_backends.machine import cpu_name
from workflow_backends.resources import ComputeResources


def simulation(argon_box, **inputs):
    defaults = {
        "system_file": argon_box.system_file,
        "state_file": argon_box.state_file,
        "state": ThermodynamicState(temperature="90 K", pressure="1 bar"),
        "simulated_time": "1 ps",
        "dynamics": DynamicsSettings(timestep="2 fs", output_interval="0.1 ps", segment_time="0.3 ps"),
        "seed": 5,
    }
    return OpenMMSimulation(**(defaults | inputs))


def test_frames_are_complete_and_consistent(tmp_path, argon_box, resources):
    outputs = execute_in(simulation(argon_box), tmp_path, resources)
    steps, _ = read_observable(outputs.observables_file, "step")
    times, unit = read_observable(outputs.observables_file, "time")
    volume, _ = read_observable(outputs.observables_file, "volume")
    density, density_unit = read_observable(outputs.observables_file, "density")
    assert steps.tolist() == list(range(50, 501, 50))
    assert unit == "ps"
    assert np.allclose(times, steps * 0.002)
    assert density_unit == "g/mL"
    assert np.allclose(density * volume, 100 * 39.948 / 602.214076)
    assert len(set(volume)) > 1
    assert outputs.frames == 10
    assert outputs.platform == "CPU"
    assert outputs.ns_per_day > 0
    assert json.loads((tmp_path / PROGRESS_NAME).read_text(encoding="utf-8"))["steps_total"] == 500


def test_the_volume_is_constant_without_a_pressure(tmp_path, argon_box, resources):
    protocol = simulation(argon_box, state=ThermodynamicState(temperature="90 K"))
    volume, _ = read_observable(execute_in(protocol, tmp_path, resources).observables_file, "volume")
    assert np.ptp(volume) == 0


def test_a_continued_run_goes_on_with_velocities_step_and_time(tmp_path, argon_box, resources):
    first = execute_in(simulation(argon_box), tmp_path / "a", resources)
    state = openmm.XmlSerializer.deserialize(first.state_file.read_text(encoding="utf-8"))
    volume, _ = read_observable(first.observables_file, "volume")
    assert state.getPeriodicBoxVolume()._value == pytest.approx(volume[-1])
    shared = {"state_file": first.state_file, "seed": 6}
    anew = execute_in(simulation(argon_box, **shared), tmp_path / "b", resources)
    continued = execute_in(simulation(argon_box, **shared, continues=True), tmp_path / "c", resources)
    steps, _ = read_observable(continued.observables_file, "step")
    times, _ = read_observable(continued.observables_file, "time")
    assert steps.tolist() == list(range(550, 1001, 50))
    assert np.allclose(times, steps * 0.002)
    end = openmm.XmlSerializer.deserialize(continued.state_file.read_text(encoding="utf-8"))
    assert (end.getStepCount(), end.getTime()._value) == (1000, pytest.approx(2.0))
    assert read_observable(anew.observables_file, "step")[0][0] == 50
    kinetic = [read_observable(run.observables_file, "kinetic energy")[0] for run in (first, continued, anew)]
    assert abs(kinetic[1][0] - kinetic[0][-1]) < abs(kinetic[2][0] - kinetic[0][-1])


def test_a_state_without_velocities_cannot_be_continued(tmp_path, argon_box, resources):
    with pytest.raises(InputError, match="state_file: it has no velocities to go on from"):
        execute_in(simulation(argon_box, continues=True), tmp_path, resources)


def test_another_seed_is_another_trajectory(tmp_path, argon_box, resources):
    first = execute_in(simulation(argon_box), tmp_path / "a", resources).observables_file.read_text(
        encoding="utf-8"
    )
    other = execute_in(simulation(argon_box, seed=6), tmp_path / "b", resources).observables_file.read_text(
        encoding="utf-8"
    )
    assert first != other


def test_the_integrator_is_part_of_the_identity_and_the_default_leaves_that_of_before(argon_box):
    identities = {
        simulation(argon_box, dynamics=DynamicsSettings(**given)).identity
        for given in ({}, {"integrator": "LangevinMiddle"}, {"integrator": "NoseHoover"})
    }
    assert len(identities) == 2
    assert "integrator" not in DynamicsSettings().identity_content()["fields"]
    chains = DynamicsSettings(integrator="NoseHoover").identity_content()["fields"]
    assert chains["integrator"] == "NoseHoover"


def test_numbers_that_become_meaningless_stop_it_with_the_step(tmp_path, argon_box, resources):
    dynamics = DynamicsSettings(timestep="1 ps", output_interval="10 ps")
    with pytest.raises(SimulationError, match=r"step \d+"):
        execute_in(simulation(argon_box, dynamics=dynamics, simulated_time="1 ns"), tmp_path, resources)
    assert not (tmp_path / "result.json").exists()


def test_a_time_shorter_than_a_frame_is_refused(argon_box):
    with pytest.raises(InputError, match=r"simulated_time: 0\.05 ps is not allowed; it must be at least"):
        simulation(argon_box, simulated_time="0.05 ps")


def test_outputs_and_provenance_say_where_it_ran(tmp_path, argon_box):
    outputs = execute_in(simulation(argon_box), tmp_path, ComputeResources(number_of_threads=2))
    said = {name: getattr(outputs, name) for name in PlatformOutputs.model_fields}
    assert said == {
        "platform": "CPU",
        "platform_reason": "no GPU was asked for",
        "device": cpu_name(),
        "driver": "",
        "precision": "mixed",
        "threads": 2,
        "openmm_version": openmm.Platform.getOpenMMVersion(),
        "incidents": (),
        "platforms": (f"CPU ({cpu_name()}), mixed precision",),
    }
    record = json.loads((tmp_path / "provenance.json").read_text(encoding="utf-8"))
    assert {name: record[name] for name in said} == said | {
        "incidents": [],
        "platforms": list(said["platforms"]),
    }
    assert record["ns_per_day"] == outputs.ns_per_day


def test_all_platforms_that_its_numbers_are_from_are_told(tmp_path, argon_box, resources, monkeypatch):
    commit = SegmentStore.commit

    def commit_and_end(*given, **more):
        commit(*given, **more)
        raise InterruptedError

    with monkeypatch.context() as patch, pytest.raises(InterruptedError):
        patch.setattr(SegmentStore, "commit", commit_and_end)
        execute_in(simulation(argon_box), tmp_path, ComputeResources(platform="Reference"))
    outputs = execute_in(simulation(argon_box), tmp_path, resources)
    device = cpu_name()
    assert outputs.platforms == (
        f"Reference ({device}), double precision",
        f"CPU ({device}), mixed precision",
    )
    assert (outputs.platform, outputs.precision) == ("CPU", "mixed")


def test_on_reference_it_is_double_and_one_thread(tmp_path, argon_box):
    resources = ComputeResources(number_of_threads=2, platform="Reference")
    outputs = execute_in(simulation(argon_box), tmp_path, resources)
    assert (outputs.platform, outputs.precision, outputs.threads) == ("Reference", "double", 1)
