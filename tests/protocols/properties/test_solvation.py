import sys
from pathlib import Path

import pytest

from protocols import (
    AlchemicalFreeEnergy,
    CombinedForceField,
    GaffForceField,
    InputError,
    Limits,
    OpenMMAlchemicalGasSimulation,
    OpenMMAlchemicalSimulation,
    OpenMMForceField,
    SimulationSettings,
    SolvationFreeEnergy,
    Status,
    Substance,
    ThermodynamicState,
    WorkflowGraph,
    estimate,
)
from protocols.dynamics.windows import read_energies
from protocols.substance import Component

FORCE_FIELDS = Path(__file__).parents[2] / "force_fields"
METHANE_FILE = Path(__file__).parents[3] / "benchmarks" / "validation" / "gaff_methane.xml"
ARGON = OpenMMForceField("argon.xml")
METHANE = OpenMMForceField("tip3p.xml", METHANE_FILE)
PEROXIDE = OpenMMForceField("tip3p.xml", FORCE_FIELDS / "peroxide.xml")
STATE = ThermodynamicState(temperature="298.15 K", pressure="1 atm")
IN_ITSELF = SolvationFreeEnergy(
    Substance.solution("[Ar]", "[Ar]"), ThermodynamicState(temperature="100 K", pressure="20 bar"), "9 kJ/mol"
)
SETTINGS = SimulationSettings(
    number_of_molecules=100, initial_density="1.3 g/mL", cutoff="0.75 nm", timestep="5 fs",
    equilibration_time="0.5 ps", production_time="2 ps", output_interval="0.1 ps", lambda_sterics=(1, 0.4, 0),
)  # fmt: skip


def windows_of(workflow, kind=OpenMMAlchemicalSimulation):
    return [p for p in WorkflowGraph([workflow.result]) if type(p) is kind]


def test_the_excess_chemical_potential_of_argon_goes_on_in_rounds(tmp_path, backend):
    settings = SETTINGS.model_copy(update={"lambda_sterics": (1, 0.5, 0.25, 0)})  # that overlap
    [result] = estimate(
        [IN_ITSELF], ARGON, backend, directory=tmp_path, settings=settings, limits=Limits(rounds=2)
    )
    assert result.status is Status.unconverged
    assert "the limit of 2 rounds is reached" in result.reason
    assert -20 < result.value.to("kJ/mol").magnitude < 10
    assert result.standard_error.magnitude > 0
    assert (result.rounds, result.mole_fractions) == ((2, 2), {"[Ar]": 1.0})
    assert str(result).startswith("SolvationFreeEnergy of [Ar] in [Ar] at 100 K, 20 bar: ")
    assert result.protocol.startswith("AlchemicalFreeEnergy-")

    workflow = IN_ITSELF.workflow(ARGON, settings, (2, 2))
    assert workflow.number_of_liquids == 4
    for number, liquid in enumerate(workflow.liquids):
        for replica in liquid:
            assert {run.window for run in replica} == {number}
            times, energies = read_energies([tmp_path / r.label / "observables.csv" for r in replica])
            assert energies.shape == (40, 4)
            assert times[-1] == pytest.approx(4.0)
            assert not list((tmp_path / replica[0].label).glob("*.dcd"))


def test_every_window_has_random_numbers_of_its_own():
    workflow = IN_ITSELF.workflow(ARGON, SETTINGS, (2, 1))
    runs = windows_of(workflow)
    assert len(runs) == 3 * 2 + 3 * 3  # equilibration and production
    assert len({run.seed for run in runs}) == len(runs)
    [energy] = [p for p in WorkflowGraph([workflow.result]) if isinstance(p, AlchemicalFreeEnergy)]
    assert [[len(files) for files in window] for window in energy.observables_files] == [[2, 1]] * 3


def test_a_solute_without_charges_that_interact_needs_no_vacuum():
    workflow = SolvationFreeEnergy(Substance.solution("C", "O"), STATE).workflow(
        METHANE, SimulationSettings(lambda_electrostatics=(1, 0), lambda_sterics=(1, 0.5, 0))
    )
    assert isinstance(workflow.result, AlchemicalFreeEnergy)
    assert workflow.result.states == ((1, 1), (0, 1), (0, 0.5), (0, 0))
    argon = IN_ITSELF.workflow(ARGON, SETTINGS)
    assert argon.result.states == ((1, 1), (1, 0.4), (1, 0))


def test_charges_that_interact_within_the_solute_are_taken_out_in_vacuum_too():
    settings = SimulationSettings(lambda_electrostatics=(1, 0.5, 0), lambda_sterics=(1, 0.5, 0))
    workflow = SolvationFreeEnergy(Substance.solution("OO", "O"), STATE).workflow(PEROXIDE, settings)
    weights = dict(zip(workflow.result.names, (w.magnitude for w in workflow.result.weights), strict=True))
    assert weights == {"solution": 1, "vacuum": -1}
    gas = windows_of(workflow, OpenMMAlchemicalGasSimulation)
    assert {run.states for run in gas} == {((1, 1), (0.5, 1), (0, 1))}
    assert {run.window for run in gas} == {0, 1, 2}
    assert all(run.state == ThermodynamicState(temperature="298.15 K") for run in gas)
    assert workflow.number_of_liquids == 5
    assert not any(isinstance(run, OpenMMAlchemicalGasSimulation) for r in workflow.simulations for run in r)
    [system] = {run.upstream[0].molecule for run in windows_of(workflow) if not run.continues}
    assert system == 255  # O before OO


def test_a_solute_with_a_vacuum_leg_runs_whole(tmp_path):
    settings = SimulationSettings(
        number_of_molecules=60, cutoff="0.55 nm", equilibration_time="0.1 ps", production_time="0.4 ps",
        timestep="1 fs", output_interval="0.1 ps", replicas=1, lambda_electrostatics=(1, 0),
        lambda_sterics=(1, 0),
    )  # fmt: skip
    [result] = estimate(
        [SolvationFreeEnergy(Substance.solution("OO", "O"), STATE)], PEROXIDE,
        directory=tmp_path, settings=settings,
    )  # fmt: skip
    assert result.error is None
    assert result.value is not None
    assert result.status is not Status.converged
    assert "solution: " in result.reason
    overlap = "overlap of lambdas (1, 1) and (0, 1)"
    assert 0 <= result.details[f"{overlap} (solution)"].magnitude <= 1
    assert result.details["smallest overlap (vacuum)"] == result.details[f"{overlap} (vacuum)"]
    assert "overlap of lambdas (0, 1) and (0, 0) (solution)" in result.details
    for of in ("solution", "vacuum"):
        assert 0 < result.details[f"longest discarded time ({of})"].to("ps").magnitude < 8


@pytest.mark.parametrize(
    ("solute", "alone"), [("C", False), ("O=C=O", False), ("[2H][2H]", False), ("CO", True), ("CC", True)]
)
def test_a_gaff_solute_has_a_vacuum_leg_if_it_has_third_neighbours(solute, alone):
    force_field = CombinedForceField(GaffForceField(), "tip3p.xml")
    workflow = SolvationFreeEnergy(Substance.solution(solute, "O"), STATE).workflow(
        force_field, SimulationSettings()
    )
    assert bool(windows_of(workflow, OpenMMAlchemicalGasSimulation)) is alone


@pytest.mark.parametrize("solute", ["C", pytest.param("CO", marks=pytest.mark.slow)])
def test_a_gaff_solute_in_water_runs_whole(tmp_path, monkeypatch, solute):
    monkeypatch.setenv("ESTIMATE_PROPERTIES_CACHE", "")
    settings = SimulationSettings(
        number_of_molecules=60, cutoff="0.55 nm", equilibration_time="0.1 ps", production_time="0.2 ps",
        output_interval="0.02 ps", replicas=1, lambda_electrostatics=(1, 0), lambda_sterics=(1, 0),
    )  # fmt: skip
    [result] = estimate(
        [SolvationFreeEnergy(Substance.solution(solute, "O"), STATE)],
        CombinedForceField(GaffForceField(version="gaff"), "tip3p.xml"),
        directory=tmp_path,
        settings=settings,
    )
    assert result.error is None
    assert result.value is not None


@pytest.mark.parametrize(
    ("substance", "force_field", "message"),
    [
        (Substance.pure("[Ar]"), ARGON, "substance: [Ar] is not allowed; a solvation free energy needs one"),
        (
            Substance(
                components=(
                    Component(smiles="[Ar]", count=2, role="solute"),
                    Component(smiles="[Ar]", mole_fraction=1),
                )
            ),
            ARGON,
            "substance: 2 [Ar] in [Ar] is not allowed; a solvation free energy needs one molecule",
        ),
        (Substance.solution("[Na+]", "O"), ARGON, "substance: [Na+] is charged; a solvation free energy"),
        (Substance.solution("C", "O"), ARGON, "force_field: argon.xml does not cover C"),
    ],
)
def test_what_has_no_solvation_free_energy_is_refused(substance, force_field, message):
    with pytest.raises(InputError) as caught:
        SolvationFreeEnergy(substance, STATE).workflow(force_field, SETTINGS)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_thermostat_that_does_not_reach_a_solute_is_refused():
    with pytest.raises(InputError, match="integrator: NoseHoover is not allowed for a solute that vanishes"):
        IN_ITSELF.workflow(ARGON, SETTINGS.model_copy(update={"integrator": "NoseHoover"}))


def test_a_force_field_that_charges_the_solute_is_refused(tmp_path):
    text = (FORCE_FIELDS / "peroxide.xml").read_text(encoding="utf-8").replace('"0.4"', '"0.5"')
    (tmp_path / "charged.xml").write_text(text)
    force_field = OpenMMForceField("tip3p.xml", tmp_path / "charged.xml")
    with pytest.raises(InputError, match=r"gives OO a charge of 0\.2 e; a solvation free energy needs"):
        SolvationFreeEnergy(Substance.solution("OO", "O"), STATE).workflow(force_field, SETTINGS)


def test_without_openmmtools_nothing_is_started(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "openmmtools.alchemy", None)
    with pytest.raises(InputError, match=r"openmmtools: not installed, .*\[free-energy\]"):
        estimate([IN_ITSELF], ARGON, directory=tmp_path / "run", settings=SETTINGS)
    assert not (tmp_path / "run").exists()
