import pytest

from protocols import (
    BuildCoordinatesPackmol,
    Density,
    DielectricConstant,
    IsobaricHeatCapacity,
    OpenMMForceField,
    OpenMMSimulation,
    OpenMMSlabSimulation,
    SimulationSettings,
    Substance,
    SurfaceTension,
    ThermalExpansion,
    ThermodynamicState,
    WorkflowGraph,
    read_calculation,
)
from protocols.calculations.plan import plan_of
from protocols.properties.liquid import liquid_replicas
from protocols.quantities import quantity

WATER, TIP3P = Substance.pure("O"), OpenMMForceField("tip3p.xml")
STATE = ThermodynamicState(temperature="298.15 K", pressure="1 atm")
TENSION = SurfaceTension(WATER, STATE)


def parts(kind, workflow):
    return [each for each in WorkflowGraph([workflow.result]) if type(each) is kind]


def picoseconds(protocols):
    return sorted({each.simulated_time.to("ps").magnitude for each in protocols})


def test_a_slab_is_larger_relaxes_longer_and_is_looked_at_more_often():
    workflow = TENSION.workflow(TIP3P, SimulationSettings())
    assert {each.number_of_molecules for each in parts(BuildCoordinatesPackmol, workflow)} == {512}
    slabs = parts(OpenMMSlabSimulation, workflow)
    assert picoseconds(slabs) == [100, 200]
    assert {each.dynamics.output_interval for each in slabs} == {quantity("0.1 ps")}


@pytest.mark.parametrize(
    "settings",
    [
        SimulationSettings(number_of_molecules=300),
        SimulationSettings(seed=2).model_copy(update={"number_of_molecules": 300}),
        SimulationSettings(**SimulationSettings(number_of_molecules=300).model_dump()),
    ],
    ids=["given", "copied", "dumped"],
)
def test_what_the_user_gives_counts_and_the_liquid_is_that_of_a_density(settings):
    workflow = TENSION.workflow(TIP3P, settings)
    assert {each.number_of_molecules for each in parts(BuildCoordinatesPackmol, workflow)} == {300}
    all_given = "equilibration_time" in settings.model_fields_set
    assert picoseconds(parts(OpenMMSlabSimulation, workflow)) == ([20, 200] if all_given else [100, 200])
    density = Density(WATER, STATE).workflow(TIP3P, settings)
    liquids = parts(OpenMMSimulation, workflow)
    assert len(liquids) == 2
    assert set(liquids) < set(WorkflowGraph([density.result]))
    own = TENSION.settings_for(settings)
    assert TENSION.settings_for(own) == own


@pytest.mark.parametrize("kind", [IsobaricHeatCapacity, DielectricConstant])
def test_fluctuations_go_on_from_the_runs_of_the_density(kind):
    settings = SimulationSettings()
    density, response = (each(WATER, STATE).workflow(TIP3P, settings) for each in (Density, kind))
    assert [len(replica) for replica in response.simulations] == [5, 5]
    assert [replica[:1] for replica in response.simulations] == list(density.simulations)
    assert sum(run.steps for run in response.simulations[0]) == 500_000


@pytest.mark.parametrize(
    ("item", "settings"),
    [
        (ThermalExpansion(WATER, STATE), SimulationSettings(production_time="200 ps")),
        (ThermalExpansion(WATER, STATE, "5 %"), SimulationSettings()),
        (ThermalExpansion(WATER, STATE, method="finite difference"), SimulationSettings()),
    ],
    ids=["time given", "target", "means"],
)
def test_one_run_is_what_it_begins_with_else(item, settings):
    workflow = item.workflow(TIP3P, settings)
    assert {len(replica) for replica in workflow.simulations} == {1}
    assert item.own_defaults(settings) == ""
    if item.method == "fluctuations":
        assert workflow.simulations == liquid_replicas(WATER, STATE, TIP3P, settings)


def test_check_tells_what_is_used(tmp_path):
    own = "number_of_molecules 512, equilibration_time 100 ps, output_interval 0.1 ps"
    assert TENSION.own_defaults(SimulationSettings(friction="2 / ps")) == own
    file = tmp_path / "water.yaml"
    file.write_text(
        "force_field: tip3p.xml\nsubstances: {water: O}\n"
        "states: {room: {temperature: 298.15 K, pressure: 1 atm}}\n"
        "properties:\n"
        "- {property: [Density, SurfaceTension, ThermalExpansion], substance: water, state: room}\n"
        "settings: {seed: 3, output_interval: 0.2 ps}\n"
    )
    plan = plan_of(read_calculation(file), measure=False)
    assert plan.own_defaults == (
        "of SurfaceTension of O at 298.15 K, 1 atm: number_of_molecules 512, equilibration_time 100 ps",
        "of ThermalExpansion of O at 298.15 K, 1 atm: production_time 5 x 200 ps",
    )
    assert f"defaults     {plan.own_defaults[0]}\n" in str(plan)
