import pytest

from protocols import Density, SimulationSettings, Substance, ThermodynamicState
from protocols.caveats import checks_of, notes_on
from protocols.running.run import GraphRun
from protocols.running.workers import InProcessWorkers
from protocols.substance import Component
from protocols.systems.forcefield import OpenMMForceField

_STATE = ThermodynamicState(temperature="90 K", pressure="1 bar")


def test_nothing_is_said_of_simulations_that_have_not_ended(tmp_path):
    settings = SimulationSettings(number_of_molecules=600)
    workflow = Density(Substance.pure("[Ar]"), _STATE).workflow(OpenMMForceField("argon.xml"), settings)
    assert checks_of(workflow, GraphRun(tmp_path, InProcessWorkers())) == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "cutoff 0.9 nm, Lennard-Jones truncated there, with long-range correction, "
             "Ewald tolerance 0.0005, timestep 2 fs, constraints HBonds"),
        ({"switching_distance": "0.7 nm", "long_range_correction": False, "constraints": None,
          "hydrogen_mass": "3 dalton"},
         "cutoff 0.9 nm, Lennard-Jones switched off from 0.7 nm, without long-range correction, "
         "Ewald tolerance 0.0005, timestep 2 fs, constraints none, hydrogen mass 3 Da"),
    ],
)  # fmt: skip
def test_settings_that_shift_a_value_are_named(changes, said):
    solution = Substance(components=(Component(smiles="O", count=500),))
    statistical, settings, size, simulated = notes_on(
        Density(solution, _STATE), SimulationSettings(**changes)
    )
    assert "statistical" in statistical
    assert settings == f"the value depends on: {said}"
    assert simulated == (
        "simulated with: equilibration_time 20 ps, production_time 200 ps, output_interval 0.4 ps, "
        "integrator LangevinMiddle, friction 1 1/ps, barostat_interval 10"
    )
    assert size == "the box has 500 molecules; nothing is extrapolated to a larger one"
