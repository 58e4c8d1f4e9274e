from protocols import Density, SimulationSettings, Substance, ThermodynamicState
from protocols.caveats import checks_of
from protocols.running.run import GraphRun
from protocols.running.workers import InProcessWorkers
from protocols.systems.forcefield import OpenMMForceField

_STATE = ThermodynamicState(temperature="90 K", pressure="1 bar")


def test_nothing_is_said_of_simulations_that_have_not_ended(tmp_path):
    settings = SimulationSettings(number_of_molecules=600)
    workflow = Density(Substance.pure("[Ar]"), _STATE).workflow(OpenMMForceField("argon.xml"), settings)
    assert checks_of(workflow, GraphRun(tmp_path, InProcessWorkers())) == ()
