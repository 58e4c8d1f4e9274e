import pytest

from protocols import (
    Density,
    EnthalpyOfMixing,
    ExcessMolarVolume,
    InputError,
    Limits,
    OpenMMForceField,
    SimulationSettings,
    Status,
    Substance,
    ThermodynamicState,
    WorkflowGraph,
    estimate,
)
from protocols.campaign import Campaign
from protocols.running.execution import execute_in
from protocols.substance import Component
from workflow_backends.resources import ComputeResources

STATE = ThermodynamicState(temperature="90 K", pressure="1 bar")
FORCE_FIELD = OpenMMForceField("argon.xml")
# A force field knows elements, not isotopes: one molecule under two names, which mixes ideally.
ARGONS = Substance.mixture({"[Ar]": 0.3, "[39Ar]": 0.7})
PURE = Density(Substance.pure("[Ar]"), STATE)
SETTINGS = SimulationSettings(
    number_of_molecules=105, initial_density="1.3 g/mL", cutoff="0.8 nm", timestep="5 fs",
    equilibration_time="0.5 ps", production_time="1 ps", output_interval="0.05 ps",
)  # fmt: skip
BOTH = [EnthalpyOfMixing, ExcessMolarVolume]


def test_properties_of_mixing_share_the_liquids_of_the_mixture_and_of_each_component(tmp_path):
    kinds = [*(kind(ARGONS, STATE) for kind in BOTH), PURE]
    *mixing, density = estimate(kinds, FORCE_FIELD, directory=tmp_path, settings=SETTINGS)
    assert len(list(tmp_path.glob("OpenMMSimulation-*"))) == 3 * 4
    for result in mixing:
        assert result.status is not Status.failed
        assert result.rounds == (1, 1)
        assert result.mole_fractions == {"[Ar]": 31 / 105, "[39Ar]": 74 / 105}
    assert [str(result.value.units) for result in mixing] == ["kilojoule / mole", "centimeter ** 3 / mole"]
    assert abs(mixing[0].value.magnitude) < 0.5  # of 5.6 kJ/mol that each liquid has
    assert abs(mixing[1].value.magnitude) < 5  # of 29 cm^3/mol
    assert density.mole_fractions == {"[Ar]": 1.0}
    names = [check.name for check in mixing[0].checks]
    for liquid in (f"{ARGONS}", "[39Ar]", "[Ar]"):
        assert f"temperature of {liquid}" in names
        assert f"phase of {liquid}" in names
    assert f"mixing of {ARGONS}" in names
    assert not [check for check in mixing[0].warnings if check.name.startswith(("phase", "mixing"))]


def write(path, energy, volume):
    rows = [f"{i},{0.1 * i},{energy + (-1) ** i * 0.1},{volume + (-1) ** i * 0.01}" for i in range(1, 41)]
    path.write_text("step,time (ps),potential energy (kJ/mol),volume (nm^3)\n" + "\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        # Of the mixture less 0.7 and 0.3 of the components: energies 40 kJ/mol and volumes 1.7 nm^3.
        (EnthalpyOfMixing, (40 + 1.7 * 0.0602214076) / 100),
        (ExcessMolarVolume, 1.7 * 6.02214076),
    ],
)
def test_the_pure_components_are_subtracted_by_mole_fraction(tmp_path, kind, expected):
    settings = SETTINGS.model_copy(update={"number_of_molecules": 100})
    workflow = kind(ARGONS, STATE).workflow(FORCE_FIELD, settings)
    assert workflow.result.names == ("0.7 [39Ar] + 0.3 [Ar]", "[39Ar]", "[Ar]")
    liquids = zip(workflow.result.upstream, [(-500, 6), (-600, 4), (-400, 5)], strict=True)
    averages = []
    for number, (average, (energy, volume)) in enumerate(liquids):
        table = write(tmp_path / f"{number}.csv", energy, volume)
        made = average.model_copy(update={"observables_files": (table,)})
        averages.append(execute_in(made, tmp_path / str(number), ComputeResources()))
    names = {"values": "value", "standard_errors": "standard_error", "n_effective": "n_effective",
             "statuses": "status", "reasons": "reason"}  # fmt: skip
    given = {key: tuple(getattr(each, name) for each in averages) for key, name in names.items()}
    total = execute_in(workflow.result.model_copy(update=given), tmp_path / "sum", ComputeResources())
    assert total.value.to(kind.unit).magnitude == pytest.approx(expected)


def test_rounds_are_those_of_every_liquid():
    workflow = EnthalpyOfMixing(ARGONS, STATE).workflow(FORCE_FIELD, SETTINGS, rounds=(2, 1, 1))
    assert [len(replica) for replica in workflow.simulations] == [2, 1, 1] * 3
    assert [len(replicas) for replicas in workflow.liquids] == [3, 3, 3]
    firsts = [replicas[0][0] for replicas in workflow.liquids]
    assert len({run.identity for run in firsts}) == 3
    assert PURE.workflow(FORCE_FIELD, SETTINGS).simulations[0][0] in firsts


def test_steps_are_those_of_all_liquids(tmp_path):
    """1 ps of 5 fs on two replicas of three liquids."""
    wanted = ExcessMolarVolume(ARGONS, STATE, "0.001 cm^3/mol")
    with pytest.raises(InputError, match=r"limits\.steps: 1199 is not allowed; .* has 1200 steps"):
        Campaign(wanted, FORCE_FIELD, SETTINGS, Limits(steps=1199), tmp_path)
    [result] = estimate(
        [wanted], FORCE_FIELD, directory=tmp_path, settings=SETTINGS, limits=Limits(steps=1200)
    )
    assert (result.status, result.rounds) == (Status.unconverged, (1, 1))
    assert "another round would pass the limit of 1200 steps" in result.reason


def test_workers_are_shared_between_all_liquids(tmp_path):
    mixing, pure = (
        Campaign(item, FORCE_FIELD, SETTINGS, Limits(), tmp_path)
        for item in (EnthalpyOfMixing(ARGONS, STATE), PURE)
    )
    assert len(mixing.liquids) == 3
    assert pure.liquids < mixing.liquids


@pytest.mark.parametrize("kind", BOTH)
@pytest.mark.parametrize(
    ("substance", "message"),
    [
        (PURE.substance, "substance: [Ar] is not allowed; {} needs a mixture"),
        (Substance(components=(Component(smiles="[39Ar]", count=1),
                               Component(smiles="[Ar]", mole_fraction=1.0))),
         "count: 1 of [39Ar] is not allowed; {} needs mole fractions"),
    ],
)  # fmt: skip
def test_what_does_not_mix_is_refused(kind, substance, message):
    with pytest.raises(InputError) as caught:
        kind(substance, STATE).workflow(FORCE_FIELD, SETTINGS)
    assert str(caught.value) == message.format(kind.__name__)


@pytest.mark.parametrize("kind", BOTH)
def test_a_mixture_needs_a_pressure(kind):
    with pytest.raises(InputError, match=f"pressure: missing; {kind.__name__} needs a state"):
        kind(ARGONS, ThermodynamicState(temperature="90 K")).workflow(FORCE_FIELD, SETTINGS)


def test_a_graph_of_mixing_is_a_document_that_reads_back():
    graph = WorkflowGraph([EnthalpyOfMixing(ARGONS, STATE).workflow(FORCE_FIELD, SETTINGS).result])
    again = WorkflowGraph.from_json(graph.to_json())
    assert {protocol.identity for protocol in again} == {protocol.identity for protocol in graph}
