import json

import numpy as np
import pytest
from openmm import unit

from protocols.analysis.observables import read_observable
from protocols.dynamics import engine
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.running.execution import execute_in
from protocols.settings import DynamicsSettings
from protocols.state import ThermodynamicState
from workflow_backends.resources import ComputeResources


@pytest.fixture
def contexts(monkeypatch):
    opened, open_context = [], engine.open_context

    def remember(*arguments):
        opened.append(open_context(*arguments))
        return opened[-1]

    monkeypatch.setattr(engine, "open_context", remember)
    return opened


def run(directory, system_file, state_file, state, time="30 ps", **dynamics):
    protocol = OpenMMSimulation(
        system_file=system_file,
        state_file=state_file,
        state=state,
        simulated_time=time,
        dynamics=DynamicsSettings(
            timestep="5 fs", friction="10 / ps", output_interval="0.1 ps", segment_time="10 ps", **dynamics
        ),
    )
    return execute_in(protocol, directory, ComputeResources())


def test_a_state_of_another_temperature_and_pressure_brings_neither_along(tmp_path, argon_box, contexts):
    system, ambient = argon_box.system_file, ThermodynamicState(temperature="300 K", pressure="1 bar")
    cold = run(tmp_path / "cold", system, argon_box.state_file, ambient)
    hot = run(
        tmp_path / "hot", system, cold.state_file, ThermodynamicState(temperature="350 K", pressure="500 bar")
    )
    assert [context.getParameter("MonteCarloPressure") for context in contexts] == [1, 500]
    assert [context.getParameter("MonteCarloTemperature") for context in contexts] == [300, 350]
    temperatures = [context.getIntegrator().getTemperature() / unit.kelvin for context in contexts]
    assert temperatures == [300, 350]
    for outputs, expected in ((cold, 300), (hot, 350)):
        measured, _ = read_observable(outputs.observables_file, "temperature")
        assert np.mean(measured) == pytest.approx(expected, abs=12)


def test_the_integrator_of_the_settings_samples_the_temperature(tmp_path, argon_box, contexts):
    """Kinetic energies have the mean and the spread of the canonical ensemble."""
    system, state = argon_box.system_file, ThermodynamicState(temperature="300 K", pressure="500 bar")
    begin = run(tmp_path / "begin", system, argon_box.state_file, state, "10 ps")
    outputs = run(tmp_path / "run", system, begin.state_file, state, "40 ps", integrator="NoseHoover")
    langevin, chain = (context.getIntegrator() for context in contexts)
    assert type(langevin).__name__ == "LangevinMiddleIntegrator"
    assert type(chain).__name__ == "NoseHooverIntegrator"
    assert chain.getCollisionFrequency() * unit.picosecond == 10
    assert chain.getStepSize() / unit.femtosecond == pytest.approx(5)
    temperatures, _ = read_observable(outputs.observables_file, "temperature")
    expected = 300 * np.sqrt(2 / 297)
    assert np.mean(temperatures) == pytest.approx(300, abs=4 * expected / np.sqrt(40))
    assert np.std(temperatures) == pytest.approx(expected, rel=0.25)
    for outputs_of, kind in ((begin, "LangevinMiddle"), (outputs, "NoseHoover")):
        record = outputs_of.observables_file.with_name("provenance.json")
        assert json.loads(record.read_text(encoding="utf-8"))["integrator"] == outputs_of.integrator == kind


def test_a_nose_hoover_chain_goes_on_over_segments_and_continued_runs(tmp_path, argon_box):
    """At constant volume nothing is random, so that the pieces of a run are the run."""

    def energies(name, time, segment, state_file=argon_box.state_file, *, continues=False):
        protocol = OpenMMSimulation(
            system_file=argon_box.system_file,
            state_file=state_file,
            state=ThermodynamicState(temperature="90 K"),
            simulated_time=time,
            dynamics=DynamicsSettings(integrator="NoseHoover", output_interval="20 fs", segment_time=segment),
            continues=continues,
        )
        outputs = execute_in(protocol, tmp_path / name, ComputeResources(platform="Reference"))
        return outputs.state_file, read_observable(outputs.observables_file, "kinetic energy")[0]

    _, whole = energies("whole", "0.4 ps", "1 ps")
    end, first = energies("first", "0.2 ps", "60 fs")
    _, second = energies("second", "0.2 ps", "60 fs", end, continues=True)
    assert np.concatenate([first, second]) == pytest.approx(whole, rel=1e-6)
