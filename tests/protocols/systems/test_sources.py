from pathlib import Path
from typing import Literal

import openmm
import pytest

from protocols.errors import InputError
from protocols.graphs.protocol import Protocol, inputs_of, upstream_first
from protocols.properties.vaporization import EnthalpyOfVaporization
from protocols.running.execution import execute_in
from protocols.settings import InteractionSettings, SimulationSettings
from protocols.state import ThermodynamicState
from protocols.substance import Substance
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.parameterise import BuildOpenMMSystem
from protocols.systems.sources import ParameterSource
from protocols.systems.topology import Molecule, box_topology

PEROXIDE = Path(__file__).parents[2] / "force_fields" / "peroxide.xml"


class FindsParameters(Protocol):
    """A task that a force field needs before anything is built of it."""

    smiles: str

    class Outputs(Protocol.Outputs):
        parameters: ParameterSource

    def execute(self, directory, available_resources):
        return self.Outputs(parameters=OpenMMForceField(PEROXIDE))


class Late(ParameterSource):
    """A source whose parameters a task has to find."""

    type: Literal["test_sources:Late"] = "test_sources:Late"

    def check_covers(self, smiles):
        if smiles != "OO":
            raise InputError(f"force_field: {smiles} is not covered")

    def preparations(self, smiles):
        return (FindsParameters(smiles=smiles).output.parameters,)

    def completed(self, parameters):
        [only] = parameters
        return only

    def parameterised(self, topology, positions, interactions, *, periodic):
        raise InputError("force_field: not completed")


def test_a_source_names_its_class_in_documents_and_others_are_openmm_files(tmp_path):
    (tmp_path / "box.cif").write_text("")
    for given in (Late(), OpenMMForceField("tip3p.xml"), ["tip3p.xml", "argon.xml"]):
        protocol = BuildOpenMMSystem(coordinates_file=tmp_path / "box.cif", force_field=given)
        assert BuildOpenMMSystem.from_yaml(protocol.to_yaml()) == protocol


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (3, "force_field: 3 is not allowed; give a name"),
        ({"type": "Nothing"}, "type: 'Nothing' is not known; known are .*OpenMMForceField"),
        ({"type": "BuildOpenMMSystem"}, "type: 'BuildOpenMMSystem' is not known"),
        ({"type": "test_sources:Late", "more": 1}, "more: not an input of Late"),
    ],
)
def test_what_is_no_source_is_refused_in_one_line(tmp_path, given, message):
    with pytest.raises(InputError, match=message) as caught:
        BuildOpenMMSystem(coordinates_file=tmp_path, force_field=given)
    assert "\n" not in str(caught.value)


def test_what_a_source_needs_first_is_run_first_and_once():
    peroxide, state = Substance.pure("OO"), ThermodynamicState(temperature="300 K", pressure="1 atm")
    workflow = EnthalpyOfVaporization(peroxide, state).workflow(Late(), SimulationSettings())
    protocols = upstream_first([workflow.result])
    assert [type(p).__name__ for p in protocols].count("FindsParameters") == 1
    built = [p for p in protocols if "parameters" in inputs_of(p)]
    assert {type(p).__name__ for p in built} == {"BuildOpenMMSystem", "BuildGasMolecule"}
    assert all(isinstance(up, FindsParameters) for p in built for up in p.upstream[-1:])


def test_the_output_of_a_preparation_is_what_a_system_is_built_of(tmp_path, resources):
    found = execute_in(FindsParameters(smiles="OO"), tmp_path / "found", resources)
    molecule = Molecule.from_smiles("OO")
    made = (
        Late()
        .completed((found.parameters,))
        .parameterised(
            box_topology([(molecule, 1)]), molecule.positions, InteractionSettings(), periodic=False
        )
    )
    assert isinstance(made.system, openmm.System)
    assert made.system.getNumParticles() == 4
