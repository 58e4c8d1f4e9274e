import openmm
import pytest

from protocols.analysis.observables import read_observable
from protocols.dynamics.minimisation import OpenMMEnergyMinimisation
from protocols.dynamics.segments import SegmentStore
from protocols.dynamics.transport import OpenMMTransportSimulation
from protocols.errors import InputError
from protocols.running.execution import execute_in
from protocols.settings import TransportSettings
from workflow_backends.resources import ComputeResources

REFERENCE = ComputeResources(platform="Reference")
FILES = ("segments_file", "stress_file", "displacements_file", "state_file")


SHORT = TransportSettings(
    nve_time="0.16 ps",
    nve_segments=4,
    nve_spacing="0.04 ps",
    stress_interval="8 fs",
    displacement_interval="8 fs",
)


class InterruptedRunError(Exception):
    pass


@pytest.fixture(scope="module")
def relaxed(argon_box, tmp_path_factory):
    protocol = OpenMMEnergyMinimisation(system_file=argon_box.system_file, state_file=argon_box.state_file)
    return execute_in(protocol, tmp_path_factory.mktemp("relaxed"), REFERENCE).state_file


def simulation(argon_box, relaxed, **inputs):
    known = {
        "system_file": argon_box.system_file, "state_file": relaxed, "temperature": "90 K",
        "components": (100,), "timestep": "4 fs", "seed": 7,
        "transport": TransportSettings(
            nve_time="0.48 ps", nve_segments=4, nve_spacing="0.2 ps",
            stress_interval="8 fs", displacement_interval="23 fs",
        ),
    }  # fmt: skip
    return OpenMMTransportSimulation(**(known | inputs))


def test_tables_have_every_segment(tmp_path, argon_box, relaxed):
    protocol = simulation(argon_box, relaxed)
    outputs = execute_in(protocol, tmp_path, REFERENCE)
    assert read_observable(outputs.segments_file, "segment")[0].tolist() == [0, 1, 2, 3]
    lags, unit = read_observable(outputs.displacements_file, "lag")
    assert (len(lags), unit, lags[-1]) == (4 * 21, "ps", pytest.approx(0.48))  # every 24 fs: three tensors
    times, _ = read_observable(outputs.stress_file, "time")
    assert (len(times), times[60]) == (4 * 61, pytest.approx(0.48))
    assert read_observable(outputs.stress_file, "pressure yz")[1] == "bar"
    assert read_observable(outputs.displacements_file, "component 0")[1] == "nm^2"
    assert protocol.steps == 4 * (50 + 120)
    assert outputs.segments == 4
    assert outputs.platform == "Reference"
    assert outputs.ns_per_day > 0
    state = openmm.XmlSerializer.deserialize(outputs.state_file.read_text(encoding="utf-8"))
    volume, _ = read_observable(outputs.segments_file, "volume")
    assert volume.tolist() == [pytest.approx(state.getPeriodicBoxVolume()._value)] * 4


@pytest.mark.parametrize("interrupt_in", ["middle of a segment", "commit"])
def test_resumed_equals_uninterrupted(tmp_path, argon_box, relaxed, monkeypatch, interrupt_in):
    protocol = simulation(argon_box, relaxed, transport=SHORT)
    whole = execute_in(protocol, tmp_path / "whole", REFERENCE)
    commits, commit = [], SegmentStore.commit

    def interrupted(self, *arguments, **more):
        commits.append(arguments)
        if interrupt_in == "commit":
            commit(self, *arguments, **more)
            raise InterruptedRunError
        if len(commits) % 2 == 0:  # the segment is lost before it is written
            raise InterruptedRunError
        commit(self, *arguments, **more)

    monkeypatch.setattr(SegmentStore, "commit", interrupted)
    interruptions = 0
    while True:
        try:
            resumed = execute_in(protocol, tmp_path / "resumed", REFERENCE)
            break
        except InterruptedRunError:
            interruptions += 1
    assert interruptions >= 3
    for name in FILES:
        assert getattr(resumed, name).read_bytes() == getattr(whole, name).read_bytes()


def test_another_seed_gives_other_segments(tmp_path, argon_box, relaxed):
    protocols = [simulation(argon_box, relaxed, seed=seed, transport=SHORT) for seed in (1, 2)]
    outputs = [execute_in(each, tmp_path / each.label, REFERENCE) for each in protocols]
    assert outputs[0].stress_file.read_text(encoding="utf-8") != outputs[1].stress_file.read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("name", ["stress_interval", "displacement_interval"])
def test_an_interval_shorter_than_the_timestep_is_refused(argon_box, relaxed, name):
    message = f"{name}: 3 fs is not allowed; it must be at least the timestep, 4 fs"
    with pytest.raises(InputError, match=message):
        simulation(argon_box, relaxed, transport=TransportSettings(**{name: "3 fs"}))
