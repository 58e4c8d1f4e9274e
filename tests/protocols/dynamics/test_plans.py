import json
import logging

import pytest

from protocols import (
    Density,
    OpenMMForceField,
    SelfDiffusion,
    SimulationSettings,
    Substance,
    ThermodynamicState,
)
from protocols.dynamics.plans import frame_roundings, roundings_of, segment_roundings
from protocols.estimation import Estimation
from protocols.graphs.protocol import upstream_first
from protocols.quantities import quantity
from protocols.report.machines import runs_of
from protocols.report.reading import RunReading

_ARGON = Substance.pure("[Ar]"), ThermodynamicState(temperature="90 K", pressure="1 bar")
_FORCE_FIELD = OpenMMForceField("argon.xml")
_BOX = {"number_of_molecules": 100, "initial_density": "1.3 g/mL", "cutoff": "0.8 nm"}


@pytest.mark.parametrize(
    ("settings", "time", "told"),
    [
        ({}, "200 ps", ()),
        ({"output_interval": "100 fs"}, "0.0003 ns", ()),  # equal, in other units
        (
            {"output_interval": "0.3 ps"},
            "25 ps",
            ("simulated time: 25 ps is rounded to 24.9 ps, whole frames of 0.3 ps",),
        ),
        (
            {"output_interval": "0.4 ps", "timestep": "3 fs"},
            "0.2 ns",
            (
                "output_interval: 0.4 ps is rounded to 0.399 ps, whole steps of 3 fs",
                "simulated time: 0.2 ns is rounded to 0.199899 ns, whole frames of 0.399 ps",
            ),
        ),
        (
            {"trajectory": "dcd", "trajectory_interval": "1 ps"},
            "20 ps",
            ("trajectory_interval: 1 ps is rounded to 0.8 ps, whole frames of 0.4 ps",),
        ),
    ],
)
def test_what_is_rounded_is_told_with_what_it_becomes(settings, time, told):
    assert frame_roundings(SimulationSettings(**settings).dynamics, quantity(time)) == told


def test_segments_of_constant_energy_tell_theirs():
    transport = SimulationSettings(nve_time="4.1 ps", stress_interval="50 fs").transport
    assert segment_roundings(SimulationSettings().transport, quantity("2 fs")) == ()
    assert segment_roundings(transport, quantity("4 fs")) == (
        "stress_interval: 50 fs is rounded to 48 fs, whole steps of 4 fs",
        "displacement_interval: 0.2 ps is rounded to 0.192 ps, whole intervals of 48 fs",
        "nve_time: 4.1 ps is rounded to 4.032 ps, whole intervals of 0.192 ps",
    )


def test_an_estimate_warns_once_of_each_time_that_it_rounds(tmp_path, caplog):
    settings = SimulationSettings(**_BOX, equilibration_time="5 ps", output_interval="0.3 ps", replicas=2)
    with caplog.at_level(logging.WARNING, "protocols"):
        Estimation([Density(*_ARGON)], _FORCE_FIELD, None, directory=tmp_path, settings=settings, limits=None)
    assert caplog.messages == [
        "simulated time: 5 ps is rounded to 5.1 ps, whole frames of 0.3 ps",
        "simulated time: 200 ps is rounded to 200.1 ps, whole frames of 0.3 ps",
    ]


def test_the_report_states_the_time_of_segments_as_it_is_run(tmp_path):
    settings = SimulationSettings(**_BOX, nve_time="4.14 ps", nve_segments=10, equilibration_time="4.14 ps")
    workflow = SelfDiffusion(*_ARGON).workflow(_FORCE_FIELD, settings)
    listed = upstream_first([workflow.result])
    assert len(roundings_of(listed)) == 2
    with (tmp_path / "protocols.jsonl").open("w") as index:
        for each in listed:
            upstream = [other.label for other in each.upstream]
            index.write(json.dumps({"label": each.label, "upstream": upstream}) + "\n")
            home = tmp_path / each.label
            home.mkdir()
            (home / "provenance.json").write_text(json.dumps({"protocol": each.identity_content()}))
            (home / "result.json").write_text(json.dumps({"outputs": {"platform": "CPU"}}))
    rows = runs_of(RunReading(tmp_path), workflow.result.label)
    times = {row["time"] for row in rows if "TransportSimulation" in row["label"]}
    assert times == {"82 ps"}  # ten times 4.2 ps and 4 ps before each
    assert "4 ps" in {row["time"] for row in rows if row["label"].startswith("OpenMMSimulation")}
