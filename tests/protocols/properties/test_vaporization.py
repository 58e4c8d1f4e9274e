import json

import numpy as np
import pytest

from protocols import (
    Density,
    EnthalpyOfVaporization,
    InputError,
    OpenMMForceField,
    OpenMMSimulation,
    SimulationSettings,
    Substance,
    ThermodynamicState,
    WorkflowGraph,
    estimate,
)
from protocols.analysis.observables import read_observable
from protocols.dynamics.gas import OpenMMGasSimulation
from protocols.quantities import quantity
from protocols.substance import Component

STATE = ThermodynamicState(temperature="90 K", pressure="1 bar")
ARGON, FORCE_FIELD = Substance.pure("[Ar]"), OpenMMForceField("argon.xml")
SETTINGS = SimulationSettings(
    number_of_molecules=100, initial_density="1.3 g/mL", cutoff="0.8 nm", timestep="5 fs",
    equilibration_time="0.5 ps", production_time="3 ps", output_interval="0.05 ps",
)  # fmt: skip
WATER = EnthalpyOfVaporization(Substance.pure("O"), ThermodynamicState(temperature="300 K", pressure="1 bar"))
FLEXIBLE = SimulationSettings(
    number_of_molecules=64, cutoff="0.5 nm", rigid_water=False, constraints=None, timestep="0.5 fs",
    equilibration_time="0.2 ps", production_time="0.5 ps", output_interval="0.05 ps",
)  # fmt: skip


def test_the_density_and_the_heat_of_one_state_share_their_simulations(tmp_path, backend):
    properties = [Density(ARGON, STATE), EnthalpyOfVaporization(ARGON, STATE)]
    density, heat = estimate(properties, FORCE_FIELD, backend, directory=tmp_path, settings=SETTINGS)
    assert len(list(tmp_path.glob("OpenMM*Simulation-*"))) == 4  # two replicas, equilibration and production
    assert heat.standard_error.magnitude > 0
    assert heat.rounds == density.rounds == (1, 1)
    assert heat.mole_fractions == {"[Ar]": 1.0}
    assert str(heat).startswith("EnthalpyOfVaporization of [Ar] at 90 K, 1 bar: ")

    workflow = properties[1].workflow(FORCE_FIELD, SETTINGS)
    tables = [tmp_path / run.label / "observables.csv" for (run,) in workflow.simulations]
    energy, volume = (
        np.mean([read_observable(table, name)[0][-30:] for table in tables])
        for name in ("potential energy", "volume")
    )
    by_hand = 8.31446e-3 * 90 - energy / 100 - 0.0602214 * volume / 100
    assert heat.value.to("kJ/mol").magnitude == pytest.approx(by_hand, abs=0.2)


def test_a_flexible_molecule_has_a_gas_beside_its_liquid(tmp_path):
    [heat] = estimate([WATER], OpenMMForceField("tip3p.xml"), directory=tmp_path, settings=FLEXIBLE)
    gases = list(tmp_path.glob("OpenMMGasSimulation-*/observables.csv"))
    assert sorted(len(table.read_text(encoding="utf-8").splitlines()) - 1 for table in gases) == [
        4,
        4,
        200,
        200,
    ]
    assert len(list(tmp_path.glob("BuildGasMolecule-*"))) == 2
    for of, average in (("liquid", "AverageCombination"), ("gas", "AverageObservable")):
        [file] = tmp_path.glob(f"{average}-*/result.json")
        outputs = json.loads(file.read_text(encoding="utf-8"))["outputs"]
        discarded = heat.details[f"longest discarded time ({of})"].to("ps").magnitude
        assert discarded == max(outputs["discarded_ps"]) > 0
        apart = heat.details[f"statistical inefficiency ({of})"]
        assert apart.to("ps").magnitude == pytest.approx(
            quantity(outputs["statistical_inefficiency"]).magnitude
        )
    assert heat.platform == "CPU"  # that of the liquid
    assert 25 < heat.value.to("kJ/mol").magnitude < 60
    [result] = tmp_path.glob("WeightedSum-*/result.json")
    assert result.parent == heat.directory


def test_the_gas_has_the_temperature_and_the_system_of_the_liquid():
    workflow = WATER.workflow(OpenMMForceField("tip3p.xml"), FLEXIBLE, rounds=(2, 1))
    gas = [p for p in WorkflowGraph([workflow.result]) if isinstance(p, OpenMMGasSimulation)]
    production = [run for run in gas if run.simulated_time.to("ps").magnitude == 10]
    assert (len(gas), len(production)) == (5, 3)
    assert all(run.state == ThermodynamicState(temperature="300 K") for run in gas)
    assert len({run.seed for run in gas}) == 5
    built = {run.upstream[0].identity: run.upstream[0] for run in gas if run not in production}
    assert len({each.seed for each in built.values()}) == 2
    assert all(each.interactions == FLEXIBLE.interactions for each in built.values())
    assert [len(replica) for replica in workflow.simulations] == [2, 1]
    weights = [weight.magnitude for weight in workflow.result.weights]
    assert dict(zip(workflow.result.names, weights, strict=True)) == {"liquid": -1, "gas": 1}
    assert all(type(run) is OpenMMSimulation for replica in workflow.simulations for run in replica)


def test_the_gas_has_langevin_dynamics_whatever_the_liquid_has():
    settings = FLEXIBLE.model_copy(update={"integrator": "NoseHoover"})
    protocols = WorkflowGraph([WATER.workflow(OpenMMForceField("tip3p.xml"), settings).result])
    used = {(type(p), p.dynamics.integrator) for p in protocols if isinstance(p, OpenMMSimulation)}
    assert used == {(OpenMMSimulation, "NoseHoover"), (OpenMMGasSimulation, "LangevinMiddle")}


def test_a_rigid_molecule_needs_no_gas():
    workflow = WATER.workflow(OpenMMForceField("tip3p.xml"), SimulationSettings())
    kinds = {type(protocol) for protocol in WorkflowGraph([workflow.result])}
    assert OpenMMSimulation in kinds
    assert OpenMMGasSimulation not in kinds
    assert workflow.result.constant.to("kJ/mol").magnitude == pytest.approx(8.31446e-3 * 300)


@pytest.mark.parametrize(
    ("substance", "state", "message"),
    [
        (ARGON, ThermodynamicState(temperature="90 K"), "pressure: missing; EnthalpyOfVaporization needs"),
        (Substance.mixture({"[Ar]": 0.5, "[Kr]": 0.5}), STATE,
         "substance: 0.5 [Ar] + 0.5 [Kr] is not allowed; an enthalpy of vaporization needs a pure one"),
    ],
)  # fmt: skip
def test_what_has_no_heat_of_vaporization_is_refused(substance, state, message):
    with pytest.raises(InputError) as caught:
        EnthalpyOfVaporization(substance, state).workflow(FORCE_FIELD, SETTINGS)
    assert str(caught.value).startswith(message)


def test_an_exact_count_of_one_molecule_is_a_pure_substance():
    counted = Substance(components=(Component(smiles="[Ar]", count=120),))
    workflow = EnthalpyOfVaporization(counted, STATE).workflow(FORCE_FIELD, SETTINGS)
    [liquid] = workflow.result.upstream
    assert liquid.coefficients[0] == quantity(f"{1 / 120!r} dimensionless")


def test_a_target_is_an_energy_or_relative():
    assert EnthalpyOfVaporization(ARGON, STATE, "0.1 kcal/mol").target is not None
    with pytest.raises(InputError, match="target: 1 g/mL is not allowed"):
        EnthalpyOfVaporization(ARGON, STATE, "1 g/mL")
