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


def run(directory, system_file, state_file, state):
    protocol = OpenMMSimulation(
        system_file=system_file,
        state_file=state_file,
        state=state,
        simulated_time="30 ps",
        dynamics=DynamicsSettings(
            timestep="5 fs", friction="10 / ps", output_interval="0.1 ps", segment_time="10 ps"
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
