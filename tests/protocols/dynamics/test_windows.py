import numpy as np
import openmm
import pytest

from protocols.analysis.free_energy import AlchemicalFreeEnergy
from protocols.analysis.observables import read_observable
from protocols.dynamics.segments import SegmentStore
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.dynamics.windows import (
    OpenMMAlchemicalGasSimulation,
    OpenMMAlchemicalSimulation,
    read_energies,
)
from protocols.errors import InputError
from protocols.running.execution import execute_in
from protocols.settings import DynamicsSettings
from protocols.state import ThermodynamicState
from protocols.systems.alchemy import BuildAlchemicalSystem
from workflow_backends.resources import ComputeResources

REFERENCE = ComputeResources(platform="Reference")
STATES = ((1.0, 1.0), (1.0, 0.5), (1.0, 0.0))


class InterruptedRunError(Exception):
    pass


@pytest.fixture(scope="module")
def alchemical_file(tmp_path_factory, argon_box):
    home = tmp_path_factory.mktemp("alchemical")
    protocol = BuildAlchemicalSystem(system_file=argon_box.system_file, molecule=0)
    return execute_in(protocol, home, REFERENCE).system_file


def window(alchemical_file, argon_box, **inputs):
    defaults = {
        "system_file": alchemical_file,
        "state_file": argon_box.state_file,
        "state": ThermodynamicState(temperature="90 K", pressure="1 bar"),
        "simulated_time": "0.4 ps",
        "dynamics": DynamicsSettings(timestep="2 fs", output_interval="0.1 ps", segment_time="0.2 ps"),
        "seed": 5,
        "states": STATES,
        "window": 1,
    }
    return OpenMMAlchemicalSimulation(**(defaults | inputs))


def test_each_frame_has_its_energy_in_every_state(tmp_path, alchemical_file, argon_box):
    outputs = execute_in(window(alchemical_file, argon_box), tmp_path, REFERENCE)
    times, energies = read_energies([outputs.observables_file])
    own, unit = read_observable(outputs.observables_file, "potential energy")
    assert np.allclose(times, [0.1, 0.2, 0.3, 0.4])
    assert energies.shape == (4, 3)
    assert unit == "kJ/mol"
    assert np.allclose(energies[:, 1], own, rtol=1e-12)

    system = openmm.XmlSerializer.deserialize(alchemical_file.read_text(encoding="utf-8"))
    state = openmm.XmlSerializer.deserialize(outputs.state_file.read_text(encoding="utf-8"))
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    context.setPositions(state.getPositions())
    for (_, sterics), found in zip(STATES, energies[-1], strict=True):
        context.setParameter("lambda_sterics", sterics)
        expected = context.getState(energy=True).getPotentialEnergy()._value
        assert found == pytest.approx(expected, rel=1e-9)
    assert len(set(energies[-1])) == 3


def test_with_all_there_it_moves_as_an_ordinary_simulation(tmp_path, alchemical_file, argon_box):
    own = window(alchemical_file, argon_box, window=0)
    inputs = {name: getattr(own, name) for name in OpenMMSimulation.model_fields}
    plain = OpenMMSimulation(**inputs | {"system_file": argon_box.system_file})
    energies = [
        read_observable(execute_in(run, tmp_path / name, REFERENCE).observables_file, "potential energy")[0]
        for name, run in (("own", own), ("plain", plain))
    ]
    assert np.allclose(*energies, rtol=5e-5)
    gone = execute_in(window(alchemical_file, argon_box, window=2), tmp_path / "gone", REFERENCE)
    other, _ = read_observable(gone.observables_file, "potential energy")
    assert not np.allclose(other, energies[0], rtol=1e-3)


def test_a_resumed_window_equals_an_uninterrupted_one(tmp_path, alchemical_file, argon_box, monkeypatch):
    protocol = window(alchemical_file, argon_box)
    whole = execute_in(protocol, tmp_path / "whole", REFERENCE)
    commit, calls = SegmentStore.commit, []

    def interrupted(self, *arguments, **more):
        calls.append(arguments)
        if len(calls) == 2:
            raise InterruptedRunError
        commit(self, *arguments, **more)

    monkeypatch.setattr(SegmentStore, "commit", interrupted)
    with pytest.raises(InterruptedRunError):
        execute_in(protocol, tmp_path / "resumed", REFERENCE)
    resumed = execute_in(protocol, tmp_path / "resumed", REFERENCE)
    assert resumed.observables_file.read_bytes() == whole.observables_file.read_bytes()
    assert resumed.state_file.read_bytes() == whole.state_file.read_bytes()


def test_a_free_energy_of_tables_is_in_kilojoules_a_mole(tmp_path):
    """Oscillators of 1 and 4 kT: 1/2 ln 4 kT between them."""
    rng, kt = np.random.default_rng(3), 8.31446261815324e-3 * 300
    tables = []
    for number, constant in enumerate((4.0, 1.0)):
        x = rng.normal(0, constant**-0.5, (2000, 1))
        rows = np.hstack([np.arange(1, 2001)[:, np.newaxis] * 0.5, np.array([2.0, 0.5]) * x**2 * kt])
        file = tmp_path / f"{number}.csv"
        header = "time (ps),energy in state 0 (kJ/mol),energy in state 1 (kJ/mol)"
        np.savetxt(file, rows, delimiter=",", header=header, comments="")
        tables.append((file,))
    protocol = AlchemicalFreeEnergy(states=STATES[:2], observables_files=tables, temperature="300 K")
    outputs = execute_in(protocol, tmp_path / "run", REFERENCE)
    assert outputs.value.to("kJ/mol").magnitude == pytest.approx(kt * 0.69315, abs=0.15)
    assert 0.01 < outputs.standard_error.magnitude < 0.1
    assert outputs.statistical_inefficiency.to("ps").magnitude == pytest.approx(0.5, rel=0.2)
    assert outputs.discarded_ps[0][0] >= 50
    assert len(outputs.overlaps) == 1


def test_gas_windows_run_on_reference_without_gpu():
    assert OpenMMAlchemicalSimulation.uses_gpu
    assert not OpenMMAlchemicalGasSimulation.uses_gpu


def test_a_window_that_is_no_state_is_refused(alchemical_file, argon_box):
    with pytest.raises(InputError, match="window: 3 is not allowed; there are 3 states"):
        window(alchemical_file, argon_box, window=3)


def test_a_thermostat_that_does_not_reach_the_solute_is_refused(alchemical_file, argon_box):
    dynamics = DynamicsSettings(integrator="NoseHoover")
    with pytest.raises(InputError, match="integrator: NoseHoover is not allowed for a solute that vanishes"):
        window(alchemical_file, argon_box, dynamics=dynamics)


def test_a_system_without_lambdas_is_refused(tmp_path, argon_box):
    with pytest.raises(InputError, match="system_file: it has no lambda_electrostatics or lambda_sterics"):
        execute_in(window(argon_box.system_file, argon_box), tmp_path, REFERENCE)


def test_a_table_without_energies_is_refused(tmp_path):
    (tmp_path / "table.csv").write_text("time (ps),volume (nm^3)\n1,2\n")
    with pytest.raises(InputError, match="has no energies of alchemical states"):
        read_energies([tmp_path / "table.csv"])
