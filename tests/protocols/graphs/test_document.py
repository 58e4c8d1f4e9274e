import json
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocols.analysis.observables import AverageObservable
from protocols.dynamics.minimisation import OpenMMEnergyMinimisation
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.errors import InputError
from protocols.graph import WorkflowGraph
from protocols.graphs.document import write_document
from protocols.graphs.plugins import shipped_classes
from protocols.graphs.protocol import Protocol
from protocols.model import Model
from protocols.properties.density import Density
from protocols.quantities import AnyQuantity, Temperature, quantity
from protocols.settings import DynamicsSettings, InteractionSettings, SimulationSettings
from protocols.state import ThermodynamicState
from protocols.substance import Component, Substance
from protocols.systems.coordinates import BuildCoordinatesPackmol
from protocols.systems.forcefield import ForceFieldFile, OpenMMForceField
from protocols.systems.parameterise import BuildOpenMMSystem


class Scale(Protocol):
    value: float
    factor: float = 2.0

    class Outputs(Protocol.Outputs):
        product: float

    def execute(self, directory, available_resources):
        return self.Outputs(product=self.factor * self.value)


class Colour(Enum):
    red = 1
    blue = "b"


class Point(Model):
    name: str
    file: Path | None = None
    temperature: Temperature = "300 K"


class Mixed(Protocol):
    number: float = 0.0
    whole: int = 0
    switch: bool | None = None
    text: str = ""
    colour: Colour = Colour.red
    amount: AnyQuantity = "1 g"
    point: Point | None = None
    pair: tuple[int, str] = (1, "")
    numbers: tuple[float, ...] = ()
    table: dict[str, float]
    groups: dict[str, tuple[float, ...]]

    class Outputs(Protocol.Outputs):
        number: float

    def execute(self, directory, available_resources):
        return self.Outputs(number=self.number)


class Anything(Protocol):
    value: Any

    def execute(self, directory, available_resources):
        return self.Outputs()


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    home = tmp_path_factory.mktemp("files")
    for number in range(3):
        (home / f"input {number}.xml").write_text(f"<{number}/>")
    return sorted(home.iterdir())


_FINITE = st.floats(allow_nan=False, allow_infinity=False, width=32)
_SEEDS = st.integers(1, 2**31 - 1)
_SMILES = st.sampled_from(["O", "[Ar]", "CCO", "c1ccccc1"])


def _quantities(units, low=0.5, high=1e3):
    return st.builds(lambda number, unit: f"{number!r} {unit}", st.floats(low, high), st.sampled_from(units))


_SUBSTANCES = st.builds(Substance.pure, _SMILES) | st.builds(
    lambda count, fraction: Substance(
        components=(
            Component(smiles="O", mole_fraction=fraction),
            Component(smiles="[Ar]", mole_fraction=1 - fraction),
            Component(smiles="CO", count=count),
        )
    ),
    st.integers(1, 9),
    st.floats(0.01, 0.99),
)
_STATES = st.builds(
    ThermodynamicState,
    temperature=_quantities(["K", "degC", "degF", "millikelvin"]),
    pressure=st.none() | _quantities(["atm", "bar", "MPa", "psi"]),
)
_FORCE_FIELDS = st.builds(
    lambda files: OpenMMForceField(files=files),
    st.lists(st.builds(ForceFieldFile, name=st.text(), xml=st.text()), min_size=1, max_size=2).map(tuple),
)
_DYNAMICS = st.builds(
    DynamicsSettings,
    timestep=_quantities(["fs"], 0.5, 4),
    friction=_quantities(["1/ps", "/ps", "THz"]),
    barostat_interval=st.integers(1, 100),
    output_interval=_quantities(["ps"]),
    segment_time=st.none() | _quantities(["ps", "ns"]),
)
_INTERACTIONS = st.builds(
    InteractionSettings,
    cutoff=_quantities(["nm"], 1, 2),
    switching_distance=st.none() | _quantities(["nm", "angstrom"], 0.1, 0.9),
    constraints=st.sampled_from(["HBonds", "AllBonds", None]),
    ewald_error_tolerance=st.floats(1e-9, 1e-2),
    hydrogen_mass=st.none()
    | _quantities(["dalton", "g/mol * mol"]).map(lambda q: q.replace("g/mol * mol", "amu")),
)


@st.composite
def _liquids(draw, files):
    """A workflow with every protocol of this package."""
    packed = BuildCoordinatesPackmol(
        substance=draw(_SUBSTANCES),
        number_of_molecules=draw(st.integers(1, 9999)),
        density=draw(_quantities(["g/mL", "kg/m**3", "mol * dalton / nm**3 / mol"])),
        seed=draw(_SEEDS),
    )
    built = BuildOpenMMSystem(
        coordinates_file=draw(st.sampled_from([packed.output.coordinates_file, *files])),
        force_field=draw(_FORCE_FIELDS),
        interactions=draw(_INTERACTIONS),
    )
    relaxed = OpenMMEnergyMinimisation(
        system_file=built.output.system_file,
        state_file=draw(st.sampled_from([built.output.state_file, *files])),
        tolerance=draw(_quantities(["kJ/mol/nm", "kcal/mol/angstrom"])),
    )
    runs = [
        OpenMMSimulation(
            system_file=built.output.system_file,
            state_file=relaxed.output.state_file,
            state=draw(_STATES),
            simulated_time=draw(_quantities(["ns"], 1)),
            dynamics=draw(_DYNAMICS),
            continues=draw(st.booleans()),
            seed=seed,
        )
        for seed in draw(st.lists(_SEEDS, min_size=1, max_size=3))
    ]
    tables = [run.output.observables_file for run in runs]
    table = st.sampled_from([*tables, *files])
    return AverageObservable(
        observable=draw(st.text()),
        observables_files=[*tables, *draw(st.lists(table | st.lists(table, max_size=3), max_size=3))],
        minimum_discard=draw(st.floats(0, 0.99)),
    )


def _assert_reads_back(protocol):
    for back in (Protocol.from_json(protocol.to_json()), Protocol.from_yaml(protocol.to_yaml())):
        assert back.identity == protocol.identity
        assert type(back) is type(protocol)
        assert {p.identity for p in WorkflowGraph([back])} == {p.identity for p in WorkflowGraph([protocol])}


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_protocol_of_this_package_reads_back_as_it_was(data, files):
    result = data.draw(_liquids(files))
    assert {type(protocol) for protocol in WorkflowGraph([result])} <= set(shipped_classes(Protocol).values())
    _assert_reads_back(result)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_kind_of_input_reads_back_as_it_was(data, files):
    other = Mixed(number=data.draw(_FINITE), table={}, groups={}).output.number
    numbers = st.lists(_FINITE | st.just(other), max_size=3)
    keys = st.text() | st.sampled_from(["$output", "$$output", "$ref", "$", "$previous"])
    protocol = Mixed(
        number=data.draw(st.floats(allow_nan=False, allow_infinity=False)),
        whole=data.draw(st.integers()),
        switch=data.draw(st.none() | st.booleans()),
        text=data.draw(st.text()),
        colour=data.draw(st.sampled_from(Colour)),
        amount=data.draw(_quantities(["g", "kJ/mol", "degC", "dimensionless", "m/s**2", "mol/L"])),
        point=data.draw(st.none() | st.builds(Point, name=st.text(), file=st.sampled_from([None, *files]))),
        pair=data.draw(st.tuples(st.integers(), st.text())),
        numbers=data.draw(numbers),
        table=data.draw(st.dictionaries(keys, _FINITE | st.just(other), max_size=3)),
        groups=data.draw(st.dictionaries(keys, numbers, max_size=2)),
    )
    _assert_reads_back(protocol)


def test_a_property_s_workflow_reads_back_as_it_was():
    water = Density(Substance.pure("O"), ThermodynamicState(temperature="298.15 K", pressure="1 atm"))
    _assert_reads_back(water.workflow(OpenMMForceField("tip3p.xml"), SimulationSettings()).result)


def test_a_force_field_may_be_given_by_names():
    packed = {"type": "BuildCoordinatesPackmol", "version": 1}
    packed["inputs"] = {
        "substance": {"components": [{"smiles": "[Ar]", "mole_fraction": 1}]},
        "number_of_molecules": 9,
    }
    for text, names in (("argon.xml", ["argon.xml"]), (["argon.xml", "tip3p.xml"],) * 2):
        inputs = {"coordinates_file": {"$output": "packed.coordinates_file"}, "force_field": text}
        built = {"type": "BuildOpenMMSystem", "version": 1, "inputs": inputs}
        read = Protocol.from_json(_document({"built": built, "packed": packed}))
        assert read.force_field == OpenMMForceField(*names)
        assert Protocol.from_json(read.to_json()).identity == read.identity


def test_paths_are_written_absolute(tmp_path, monkeypatch):
    (tmp_path / "state.xml").write_text("<a/>")
    monkeypatch.chdir(tmp_path)
    relaxed = OpenMMEnergyMinimisation(system_file="state.xml", state_file=Path("state.xml"))
    text = relaxed.to_json()
    monkeypatch.chdir("/")
    assert Protocol.from_json(text).state_file == tmp_path / "state.xml"


def _document(protocols, **changes):
    head = {"format": "estimate-properties/workflow", "version": 1, "protocols": protocols}
    return json.dumps(head | changes)


def _scale(**inputs):
    return {"type": "test_document:Scale", "version": 1, "inputs": inputs}


def test_a_document_has_one_known_form():
    first = Scale(value=3)
    total = Scale(value=first.output.product)
    assert json.loads(total.to_json()) == {
        "format": "estimate-properties/workflow",
        "version": 1,
        "protocols": {
            first.label: _scale(value=3.0, factor=2.0),
            total.label: _scale(value={"$output": f"{first.label}.product"}, factor=2.0),
        },
    }


def test_labels_are_free_names_and_the_order_does_not_matter():
    text = _document(
        {
            "second one.": _scale(value={"$output": "first.of all.product"}),
            "first.of all": _scale(value=3),
        }
    )
    assert Protocol.from_json(text) == Scale(value=Scale(value=3).output.product)


def test_equal_protocols_of_a_document_are_merged():
    assert (
        len(WorkflowGraph.from_json(_document({"a": _scale(value=1), "b": _scale(value=1.0, factor=2)}))) == 1
    )
    assert Scale.from_json(_document({"a": _scale(value=1), "b": _scale(value=1)})).value == 1


def test_a_document_may_be_empty_of_protocols():
    assert len(WorkflowGraph.from_yaml(WorkflowGraph().to_yaml())) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", "document: it must be a mapping of format, version and protocols, not [1]"),
        ("{}", "format: missing; WorkflowDocument needs it"),
        (
            _document({}, format="gufe"),
            "format: 'gufe' is not allowed; it must be 'estimate-properties/workflow'",
        ),
        (
            _document({}, version=2),
            "version: 2 is not allowed; this release reads version 1; a newer release",
        ),
        (_document({}, version="1"), "version: '1' is not allowed; it must be a whole number"),
        (_document({}, steps=[]), "steps: not an input of WorkflowDocument; its inputs are format, version"),
        (_document({"a": 1}), "protocols.a: it must be a mapping of type, version and inputs, not 1"),
        (_document({"a": _scale(value=1) | {"typ": "b"}}), "protocols.a: typ: not an input of ProtocolEntry"),
        (
            _document({"a": _scale(value=1) | {"type": "Scael"}}),
            "protocols.a: type: 'Scael' is not known; known are AlchemicalFreeEnergy, ",
        ),
        (
            _document({"a": _scale(value=1) | {"version": 3}}),
            "protocols.a: version: 3 is not allowed; test_document:Scale has version 1 here",
        ),
        (
            _document({"a": _scale(valu=1)}),
            "protocols.a: value: missing; Scale needs it; valu: not an input of",
        ),
        (
            _document({"a": _scale(value="x")}),
            "protocols.a: value: 'x' is not allowed; it must be a number",
        ),
        (_document({"a": _scale(value=float("nan"))}), "protocols.a: value: nan is not allowed"),
        (
            _document({"a": _scale(value={"$output": "c.product"}), "b": _scale(value=1)}),
            "protocols.a: refers to 'c', which is not in the document; its protocols are a, b",
        ),
        (
            _document({"a": _scale(value={"$output": "b.produkt"}), "b": _scale(value=1)}),
            "protocols.a: Scale has no output 'produkt'; its outputs are product",
        ),
        (
            _document({"a": _scale(value={"$output": "product"})}),
            "protocols.a: inputs.value: {'$output': 'product'} is not a reference; write",
        ),
        (
            _document({"a": _scale(value=[{"$output": "b.product", "also": 1}])}),
            "protocols.a: inputs.value[0]: {'$output': 'b.product', 'also': 1} is not a reference; write",
        ),
        (
            _document({"a": _scale(value={"$outptu": "a.product"})}),
            "protocols.a: inputs.value: '$outptu' is not known; known are $output, $member, $previous, ",
        ),
        (
            _document({"a": _scale(value={"$previous": "a.product", "start": 1})}),
            "protocols.a: value: $previous is known in a ConditionalGroup only; write the protocol among its",
        ),
        (
            _document({"a": _scale(value={"$output": "a.product"})}),
            "protocols: they form a circle, a -> a",
        ),
    ],
)
def test_what_is_wrong_with_a_document_is_told_by_name_in_one_line(text, message):
    with pytest.raises(InputError) as caught:
        WorkflowGraph.from_json(text)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_circle_is_refused_with_all_its_protocols():
    links = {"a": "b", "b": "c", "c": "a", "d": "a"}
    entries = {label: _scale(value={"$output": f"{other}.product"}) for label, other in links.items()}
    with pytest.raises(InputError, match="circle, ") as caught:
        WorkflowGraph.from_json(_document(entries))
    circle = str(caught.value).partition("circle, ")[2].split(" -> ")
    assert circle[0] == circle[-1]
    assert {(end, start) for start, end in pairwise(circle)} == set(links.items()) - {("d", "a")}


def test_a_missing_file_is_told_of_the_protocol_that_takes_it(tmp_path):
    inputs = {"system_file": str(tmp_path / "gone.xml"), "state_file": str(tmp_path / "gone.xml")}
    relaxed = {"type": "OpenMMEnergyMinimisation", "version": 1, "inputs": inputs}
    after = {
        "type": "OpenMMEnergyMinimisation",
        "version": 1,
        "inputs": inputs | {"state_file": {"$output": "relaxed.state_file"}},
    }
    with pytest.raises(InputError, match=r"protocols.relaxed: .*gone.xml' cannot be read"):
        WorkflowGraph.from_json(_document({"after": after, "relaxed": relaxed}))


def test_a_document_with_several_ends_is_for_a_graph():
    text = _document(
        {"a": _scale(value=1), "b": _scale(value=2), "c": _scale(value={"$output": "a.product"})}
    )
    with pytest.raises(
        InputError, match="must end in one protocol, and ends in b, c; read it as a WorkflowGraph"
    ):
        Protocol.from_json(text)
    with pytest.raises(InputError, match="ends in none"):
        Protocol.from_json(_document({}))
    assert len(WorkflowGraph.from_json(text)) == 3


def test_a_document_that_ends_in_another_class_is_refused():
    with pytest.raises(InputError, match="it ends in a, which is a Scale, not a OpenMMSimulation"):
        OpenMMSimulation.from_json(_document({"a": _scale(value=1)}))


@pytest.mark.parametrize("value", [quantity("1 K"), InteractionSettings(), Scale(value=1), Path("/dev/null")])
def test_what_would_read_as_something_else_is_not_written(value):
    protocol = Anything(value=value)
    with pytest.raises(
        InputError, match="value: cannot be written, because Anything would read something else"
    ):
        protocol.to_json()


def test_a_value_that_is_no_data_is_not_written():
    class Own:
        def identity_content(self):
            return 1

    with pytest.raises(InputError, match=r"Anything\.value: Own cannot be written"):
        Anything(value=Own()).to_json()


def test_a_class_that_cannot_be_found_again_is_not_written():
    class Local(Scale):
        pass

    with pytest.raises(InputError, match="put the class at the top level of a module"):
        WorkflowGraph([Local(value=1)]).to_yaml()


def test_many_protocols_and_long_chains_are_fine():
    end = Scale(value=1)
    for _ in range(9_999):
        end = Scale(value=end.output.product)
    entries = write_document(WorkflowGraph([end]))["protocols"]
    backwards = _document(dict(reversed(entries.items())))
    assert Protocol.from_json(backwards).identity == end.identity
