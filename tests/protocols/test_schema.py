import json
from pathlib import Path

import jsonschema
import pytest

from protocols.analysis.fluctuations import AverageFluctuations
from protocols.analysis.observables import AverageObservable
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.graph import WorkflowGraph
from protocols.graphs.conditions import Condition
from protocols.graphs.placeholders import Collected, Iteration, Previous
from protocols.graphs.plugins import shipped_classes
from protocols.graphs.protocol import Protocol
from protocols.properties.density import Density
from protocols.properties.diffusion import SelfDiffusion
from protocols.properties.solvation import SolvationFreeEnergy
from protocols.properties.surface_tension import SurfaceTension
from protocols.properties.thermal_expansion import ThermalExpansion
from protocols.properties.vaporization import EnthalpyOfVaporization
from protocols.running.groups import ConditionalGroup
from protocols.schema import workflow_schema
from protocols.settings import SimulationSettings
from protocols.state import ThermodynamicState
from protocols.substance import Substance
from protocols.systems.combined import CombinedForceField
from protocols.systems.forcefield import ForceFieldFile, OpenMMForceField
from protocols.systems.gaff import GaffForceField
from protocols.systems.given import TakeCoordinates
from protocols.systems.smirnoff import AssignSmirnoffParameters
from protocols.text import parse_yaml

_PUBLISHED = Path(__file__).parents[2] / "docs" / "schema" / "workflow.json"
_FORCE_FIELDS = Path(__file__).parents[1] / "force_fields"


class Plugged(Protocol):
    value: float = 1.0

    def execute(self, directory, available_resources):
        return self.Outputs()


@pytest.fixture(scope="session")
def validator():
    schema = workflow_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def _group(simulation):
    start = Previous("extend.state_file", start=simulation.output.state_file)
    members = {"state_file": start, "system_file": simulation.system_file, "seed": Iteration(first=7)}
    extend = OpenMMSimulation(state=simulation.state, simulated_time="1 ns", **members)
    files = [[Collected(extend.output.observables_file), extend.output.observables_file]]
    average = AverageObservable(observable="density", observables_files=files)
    outside = AverageObservable(observable="density", observables_files=[simulation.output.observables_file])
    limits = [outside.output.value, "1 g/mL", average.output.value, Previous("average.value", start="1 g/mL")]
    return ConditionalGroup(
        protocols={"extend": extend, "average": average, "again": simulation.model_copy(update=members)},
        conditions=[Condition(average.output.standard_error, "less than", limit) for limit in limits],
        outputs={"density": average.output.value},
        max_iterations=20,
    )


@pytest.fixture
def document(tmp_path):
    (tmp_path / "observables.csv").write_text("step\n")
    state = ThermodynamicState(temperature="298.15 K", pressure="1 atm")
    force_field, flexible = OpenMMForceField("tip3p.xml"), SimulationSettings(rigid_water=False)
    workflow = Density(Substance.pure("O"), state).workflow(force_field, SimulationSettings())
    heat = EnthalpyOfVaporization(Substance.pure("O"), state).workflow(force_field, flexible)
    diffusion = SelfDiffusion(Substance.pure("O"), state).workflow(force_field, SimulationSettings())
    [table] = [run.output.observables_file for run in workflow.simulations[0]]
    files = [table, (table, tmp_path / "observables.csv"), tmp_path / "observables.csv"]
    average = AverageObservable(observable="density", observables_files=files)
    fluctuations = AverageFluctuations(
        response="thermal expansion", observables_files=files, system_file=table, state=state
    )
    solvation = SolvationFreeEnergy(Substance.solution("OO", "O"), state).workflow(
        OpenMMForceField("tip3p.xml", _FORCE_FIELDS / "peroxide.xml"), SimulationSettings()
    )
    group = _group(workflow.simulations[0][0])
    expansion = ThermalExpansion(Substance.pure("O"), state, method="finite difference").workflow(
        force_field, SimulationSettings()
    )
    tension = SurfaceTension(Substance.pure("O"), state).workflow(force_field, SimulationSettings())
    computed = CombinedForceField(GaffForceField(), "tip3p.xml")
    solution = Density(Substance.solution("CO", "O"), state).workflow(computed, SimulationSettings())
    smirnoff = AssignSmirnoffParameters(
        smiles="CO", file=ForceFieldFile(name="own.offxml", xml="<SMIRNOFF/>")
    )
    taken = TakeCoordinates(
        substance=Substance.pure("O"), number_of_molecules=216, coordinates_file=tmp_path / "observables.csv"
    )
    ends = [
        taken,
        tension.result,
        solution.result,
        smirnoff,
        workflow.result,
        heat.result,
        expansion.result,
        diffusion.result,
        solvation.result,
        average,
        fluctuations,
        group,
        Plugged(),
    ]
    return parse_yaml(WorkflowGraph(ends).to_yaml())


def test_the_published_schema_is_this_one():
    current = json.dumps(workflow_schema(), indent=2, ensure_ascii=False) + "\n"
    assert _PUBLISHED.read_text(encoding="utf-8") == current, (
        "write it anew: python tests/protocols/test_schema.py"
    )


def test_what_is_written_is_valid_with_every_protocol_of_this_package(validator, document):
    used = {entry["type"] for entry in document["protocols"].values()}
    assert used == {*shipped_classes(Protocol), "test_schema:Plugged"}
    validator.validate(document)


def test_defaults_are_shown_as_documents_hold_them(validator):
    definitions = validator.schema["$defs"]
    assert (
        definitions["BuildCoordinatesPackmol"]["properties"]["density"]["default"] == "0.95 gram / milliliter"
    )
    assert definitions["DynamicsSettings"]["properties"]["timestep"]["default"] == "2.0 femtosecond"
    assert (
        definitions["BuildOpenMMSystem"]["properties"]["interactions"]["default"]["cutoff"] == "0.9 nanometer"
    )


def _first(document, kind):
    return next(entry for entry in document["protocols"].values() if entry["type"] == kind)


def _group_inputs(document):
    return _first(document, "ConditionalGroup")["inputs"]


def _member_inputs(document):
    return _group_inputs(document)["protocols"]["extend"]["inputs"]


_WRONG = {
    "another format": lambda d: d.update(format="gufe"),
    "a newer version": lambda d: d.update(version=2),
    "an unknown key": lambda d: d.update(steps=[]),
    "no protocols": lambda d: d.pop("protocols"),
    "no type": lambda d: _first(d, "OpenMMSimulation").pop("type"),
    "an unknown key of a protocol": lambda d: _first(d, "OpenMMSimulation").update(typ="x"),
    "another version of a protocol": lambda d: _first(d, "OpenMMSimulation").update(version=99),
    "a missing input": lambda d: _first(d, "OpenMMSimulation")["inputs"].pop("state"),
    "an unknown input": lambda d: _first(d, "OpenMMSimulation")["inputs"].update(stat=1),
    "a number for a quantity": lambda d: _first(d, "OpenMMSimulation")["inputs"].update(simulated_time=20),
    "a seed of zero": lambda d: _first(d, "OpenMMSimulation")["inputs"].update(seed=0),
    "an unknown setting": lambda d: _first(d, "OpenMMSimulation")["inputs"]["dynamics"].update(step=1),
    "a reference without an output": lambda d: _first(d, "OpenMMSimulation")["inputs"].update(
        system_file={"$output": "built"}
    ),
    "a reference with more": lambda d: _first(d, "AverageObservable")["inputs"].update(
        observables_files=[{"$output": "built.file", "x": 1}]
    ),
    "a reference inside a model": lambda d: _first(d, "OpenMMSimulation")["inputs"]["state"].update(
        temperature={"$output": "a.b"}
    ),
    "a force field that is a number": lambda d: _first(d, "BuildOpenMMSystem")["inputs"].update(
        force_field=1
    ),
    "no force field": lambda d: _first(d, "BuildOpenMMSystem")["inputs"].update(force_field=[]),
    "an iteration outside of a group": lambda d: _first(d, "OpenMMSimulation")["inputs"].update(
        seed={"$iteration": 1}
    ),
    "an output of a member outside of a group": lambda d: _first(d, "OpenMMSimulation")["inputs"].update(
        state_file={"$member": "a.b"}
    ),
    "a member of another version": lambda d: _group_inputs(d)["protocols"]["extend"].update(version=99),
    "no members": lambda d: _group_inputs(d).update(protocols={}),
    "an output for members": lambda d: _group_inputs(d).update(protocols={"$output": "a.b"}),
    "a group as a member": lambda d: _group_inputs(d)["protocols"].update(a=_first(d, "ConditionalGroup")),
    "a member's unknown input": lambda d: _member_inputs(d).update(stat=1),
    "a member's seed of zero": lambda d: _member_inputs(d).update(seed=0),
    "no start": lambda d: _member_inputs(d)["state_file"].pop("start"),
    "a start without the previous": lambda d: _member_inputs(d)["state_file"].pop("$previous"),
    "an iteration with a start": lambda d: _member_inputs(d)["seed"].update(start=1),
    "a member without an output": lambda d: _member_inputs(d).update(state_file={"$member": "extend"}),
    "no conditions": lambda d: _group_inputs(d).update(conditions=[]),
    "a condition on an output outside": lambda d: _group_inputs(d)["conditions"][0].update(
        output={"$output": "a.b"}
    ),
    "another relation": lambda d: _group_inputs(d)["conditions"][0].update(relation="below"),
    "a condition without a value": lambda d: _group_inputs(d)["conditions"][0].pop("value"),
    "a group's output from outside": lambda d: _group_inputs(d)["outputs"].update(a={"$output": "a.b"}),
    "no iterations": lambda d: _group_inputs(d).update(max_iterations=0),
}


@pytest.mark.parametrize("given", ["argon.xml", ["argon.xml", "tip3p.xml"]])
def test_names_of_a_force_field_are_valid(validator, document, given):
    _first(document, "BuildOpenMMSystem")["inputs"]["force_field"] = given
    validator.validate(document)


@pytest.mark.parametrize("change", _WRONG.values(), ids=_WRONG)
def test_what_is_wrong_is_not_valid(validator, document, change):
    change(document)
    assert not validator.is_valid(document)


if __name__ == "__main__":
    _PUBLISHED.write_text(json.dumps(workflow_schema(), indent=2, ensure_ascii=False) + "\n")
