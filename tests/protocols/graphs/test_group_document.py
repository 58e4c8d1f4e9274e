import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocols.errors import InputError
from protocols.graph import WorkflowGraph
from protocols.graphs.conditions import Condition
from protocols.graphs.placeholders import Collected, Iteration, Previous
from protocols.graphs.protocol import Protocol
from protocols.quantities import MassDensity
from protocols.running.execution import execute_in
from protocols.running.groups import ConditionalGroup


class Halve(Protocol):
    value: MassDensity
    seed: int = 1
    table: dict[str, int] | None = None

    class Outputs(Protocol.Outputs):
        half: MassDensity
        number: int
        log_file: Path

    def execute(self, directory, available_resources):
        (directory / "log.txt").write_text(f"{self.value.to('g/mL').magnitude:g}")
        return self.Outputs(half=self.value / 2, number=self.seed, log_file=directory / "log.txt")


class Join(Protocol):
    files: tuple[Path | tuple[Path, ...], ...]
    end: Any = ""

    class Outputs(Protocol.Outputs):
        count: int

    def execute(self, directory, available_resources):
        return self.Outputs(count=len(self.files[0]))


class Anything(Protocol):
    value: Any

    class Outputs(Protocol.Outputs):
        value: Any

    def execute(self, directory, available_resources):
        return self.Outputs(value=self.value)


def _group(**inputs):
    halve = Halve(value=Previous("halve.half", start="16 g/mL"))
    defaults = {
        "protocols": {"halve": halve},
        "conditions": [Condition(halve.output.half, "less than", "3 g/mL")],
        "outputs": {"density": halve.output.half},
        "max_iterations": 20,
    }
    return ConditionalGroup(**(defaults | inputs))


def _identities(group):
    return {name: member.identity for name, member in group.protocols.items()}


def _assert_reads_back(group):
    for back in (Protocol.from_json(group.to_json()), Protocol.from_yaml(group.to_yaml())):
        assert back.identity == group.identity
        assert _identities(back) == _identities(group)
        assert {p.identity for p in WorkflowGraph([back])} == {p.identity for p in WorkflowGraph([group])}


_KEYS = st.text(max_size=3) | st.sampled_from(["$output", "$$member", "$previous", "$", "$any"])


@st.composite
def _groups(draw):
    """Groups with everything that a member, a condition and an output may be."""
    outside = Halve(value="8 g/mL", seed=draw(st.integers()))
    first = Halve(
        value=draw(st.sampled_from(["5 kg/m**3", outside.output.half])),
        seed=draw(st.integers() | st.builds(Iteration, first=st.integers())),
        table=draw(st.dictionaries(_KEYS, st.integers() | st.just(Iteration()), max_size=3)),
    )
    starts = ["7 g/mL", outside.output.half, first.output.half]
    halve = Halve(
        value=Previous(
            draw(st.sampled_from(["halve.half", first.output.half])), draw(st.sampled_from(starts))
        )
    )
    sources = st.sampled_from([halve.output.log_file, first.output.log_file, "halve.log_file"])
    files = [sources.filter(lambda s: not isinstance(s, str)), sources.map(Collected)]
    join = Join(
        files=[
            draw(st.builds(Collected, sources)),
            outside.output.log_file,
            *draw(st.lists(st.one_of(files))),
        ],
        end=draw(st.just("x") | st.just(first.output.number) | st.just([Iteration(), 1, halve.output.half])),
    )
    values = ["3 g/mL", outside.output.half, first.output.half, Previous("halve.half", start="1 g/mL")]
    conditions = [Condition(halve.output.half, "less than", value) for value in values]
    conditions.append(Condition(join.output.count, draw(st.sampled_from(["equal to", "greater than"])), 3))
    return ConditionalGroup(
        protocols={"join": join, "halve": halve, "first": first},
        conditions=draw(st.lists(st.sampled_from(conditions), min_size=1, max_size=3)),
        outputs=draw(
            st.dictionaries(
                st.sampled_from("abc"), st.sampled_from([halve.output.half, join.output.count]), max_size=2
            )
        ),
        max_iterations=draw(st.integers(1, 9) | st.just(outside.output.number)),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(group=_groups())
def test_every_group_reads_back_as_it_was(group):
    _assert_reads_back(group)


def test_what_takes_outputs_of_a_group_reads_back_too():
    group = _group()
    after = Halve(value=group.output.density, seed=group.output.iterations)
    assert Protocol.from_yaml(after.to_yaml()).identity == after.identity


def test_a_group_that_is_read_goes_on_with_what_was_finished(tmp_path, resources):
    halve = Halve(value=Previous("halve.half", start="16 g/mL"))
    by_name, by_attribute = (
        _group(protocols={"halve": halve, "join": Join(files=[Collected(source)])}, max_iterations=3)
        for source in ("halve.log_file", halve.output.log_file)
    )
    assert _identities(by_name) == _identities(by_attribute)
    for place, group in (("first", by_attribute), ("again", Protocol.from_json(by_attribute.to_json()))):
        execute_in(group, tmp_path / place, resources)
    homes = [
        sorted(str(path.relative_to(tmp_path / place)) for path in (tmp_path / place).glob("iter*/*"))
        for place in ("first", "again")
    ]
    assert homes[0] == homes[1]
    assert len(homes[0]) == 6


def _entry(kind, **inputs):
    return {"type": f"test_group_document:{kind}", "version": 1, "inputs": inputs}


_HALVE = _entry("Halve", value={"$previous": "halve.half", "start": {"$output": "outside.half"}})
_OTHER = _entry("Halve", value="1 g/mL")
_CONDITION = {"output": {"$member": "halve.half"}, "relation": "less than", "value": "0.003 kg/mL"}


def _document(members=None, conditions=None, outputs=None, group=None, **inputs):
    given = {
        "protocols": {"halve": _HALVE} if members is None else members,
        "conditions": [_CONDITION] if conditions is None else conditions,
        "outputs": {"density": {"$member": "halve.half"}} if outputs is None else outputs,
        "max_iterations": 20,
    }
    group = {"type": "ConditionalGroup", "version": 1, "inputs": given | inputs} | (group or {})
    return json.dumps(
        {
            "format": "estimate-properties/workflow",
            "version": 1,
            "protocols": {"group": group, "outside": _entry("Halve", value="32 g/mL")},
        }
    )


def test_a_group_has_one_known_form():
    outside = Halve(value="32 g/mL")
    halve = Halve(value=Previous("halve.half", start=outside.output.half), seed=Iteration(first=5))
    join = Join(files=[Collected(halve.output.log_file)], end=halve.output.number)
    members = {
        "join": _entry("Join", files=[{"$collected": "halve.log_file"}], end={"$member": "halve.number"}),
        "halve": _entry("Halve", value=_HALVE["inputs"]["value"], seed={"$iteration": 5}),
    }
    expected = _group(
        protocols={"halve": halve, "join": join},
        conditions=[Condition(halve.output.half, "less than", "3 g/mL")],
        outputs={"density": halve.output.half},
    )
    assert Protocol.from_json(_document(members)).identity == expected.identity
    inputs = json.loads(expected.to_json())["protocols"][expected.label]["inputs"]
    written = inputs["protocols"]
    assert written["join"] == members["join"]
    assert written["halve"]["inputs"] == {
        "value": {"$previous": "halve.half", "start": {"$output": f"{outside.label}.half"}},
        "seed": {"$iteration": 5},
        "table": None,
    }
    assert inputs["outputs"] == {"density": {"$member": "halve.half"}}
    assert inputs["conditions"] == [_CONDITION | {"value": "3.0 gram / milliliter"}]


def _halve(**inputs):
    return {"halve": _entry("Halve", **inputs)}


_WRONG = [
    (
        _document({}, [_CONDITION]),
        "protocols.group.conditions[0]: output: 'halve.half': the group has no member 'halve'; it has none",
    ),
    (_document([]), "protocols.group: protocols: [] is not allowed; it must have keys and values"),
    (_document({"halve": 3}), "protocols.group.protocols.halve: it must be a mapping of type, version and"),
    (
        _document({"halve": _HALVE | {"type": "Halv"}}),
        "protocols.group.protocols.halve: type: 'Halv' is not known; known are Alchemical",
    ),
    (
        _document({"halve": _HALVE | {"version": 2}}),
        "protocols.group.protocols.halve: version: 2 is not allowed; test_group_document:Halve has version 1",
    ),
    (
        _document({"halve": _HALVE | {"typ": 2}}),
        "protocols.group.protocols.halve: typ: not an input of ProtocolEntry (did you mean 'type'?)",
    ),
    (
        _document(_halve(value="3 K")),
        "protocols.group.protocols.halve: value: 3 K is a temperature; give a density",
    ),
    (
        _document(_halve(valu="3 K")),
        "protocols.group.protocols.halve: value: missing; Halve needs it; valu: not an input of Halve",
    ),
    (
        _document(_halve(value={"$previous": "halve.half", "start": "3 K"})),
        "protocols.group.protocols.halve: value: 3 K is a temperature",
    ),
    (
        _document(_halve(value={"$previous": "other.half", "start": "3 g/mL"})),
        "protocols.group.protocols.halve: 'other.half': the group has no member 'other'; it has halve",
    ),
    (
        _document({"halve": _HALVE, "join": _entry("Join", files=[{"$collected": "halve.log"}])}),
        "protocols.group.protocols.join: 'halve.log': Halve has no output 'log'; its outputs are half, ",
    ),
    (
        _document({"halve": _HALVE, "join": _entry("Join", files=[{"$member": "haalve.log_file"}])}),
        "protocols.group.protocols.join: 'haalve.log_file': the group has no member 'haalve'; it has halve",
    ),
    (
        _document({"halve": _HALVE, "join": _entry("Join", files=[{"$member": "halve.half"}])}),
        "protocols.group.protocols.join: files[0]: takes a Path or a tuple of Path, and Halve.output.half is",
    ),
    (
        _document(_halve(value={"$previous": "halve.half", "start": {"$output": "gone.half"}})),
        "protocols.group: refers to 'gone', which is not in the document; its protocols are group, outside",
    ),
    (
        _document(_halve(value={"$previous": "halve.half", "start": {"$output": "outside.haf"}})),
        "protocols.group: Halve has no output 'haf'; its outputs are half, number, log_file",
    ),
    (
        _document(_halve(value={"$previous": "halve.half", "start": {"$output": "group.density"}})),
        "protocols: they form a circle, group -> group",
    ),
    (
        _document(_halve(value={"$member": "halve.half"})),
        "protocols.group: protocols: halve <- halve take this iteration's outputs of each other; take one",
    ),
    (
        _document({"halve": _HALVE, "join": _entry("Join", files=[{"$collected": "join.count"}])}),
        "protocols.group: protocols: join <- join take this iteration's outputs of each other",
    ),
    (
        _document({"halve": _HALVE, "a": _OTHER, "b": _OTHER}),
        "protocols.group: protocols: 'a' and 'b' are equal; name it once",
    ),
    (
        _document({"a b": _HALVE}, [], {}),
        "protocols.group.protocols.a b: 'halve.half': the group has no member",
    ),
    (
        _document({"halve": json.loads(_document())["protocols"]["group"]}),
        "protocols.group.protocols.halve: a ConditionalGroup cannot be a member of a group",
    ),
    (_document(conditions=[]), "protocols.group: conditions: [] is not allowed; give a list of at least one"),
    (_document(conditions="3"), "protocols.group: conditions: '3' is not allowed; it must be a list"),
    (
        _document(conditions=[3]),
        "protocols.group.conditions[0]: it must be a mapping of output, relation and",
    ),
    (
        _document(conditions=[_CONDITION, {"output": {"$member": "halve.half"}, "value": 3}]),
        "protocols.group.conditions[1]: relation: missing; ConditionEntry needs it",
    ),
    (
        _document(conditions=[_CONDITION | {"relations": 3}]),
        "protocols.group.conditions[0]: relations: not an input of ConditionEntry (did you mean 'relation'?)",
    ),
    (
        _document(conditions=[_CONDITION | {"relation": "below"}]),
        "protocols.group.conditions[0]: relation: 'below' is not allowed; it must be 'less than', 'greater",
    ),
    (
        _document(conditions=[_CONDITION | {"value": "3 K"}]),
        "protocols.group.conditions[0]: value: 3 K is a temperature; give a density",
    ),
    (
        _document(conditions=[_CONDITION | {"value": {"$member": "halve.haf"}}]),
        "protocols.group.conditions[0]: value: 'halve.haf': Halve has no output 'haf'",
    ),
    (
        _document(conditions=[_CONDITION | {"output": "halve.half"}]),
        "protocols.group.conditions[0]: output: 'halve.half' is not an output of a member; write {",
    ),
    (
        _document(conditions=[_CONDITION | {"output": {"$output": "outside.half"}}]),
        "protocols.group.conditions[0]: output: Halve-",
    ),
    (
        _document(conditions=[_CONDITION | {"output": {"$member": "halve.haf"}}]),
        "protocols.group.conditions[0]: output: 'halve.haf': Halve has no output 'haf'",
    ),
    (
        _document(outputs={"density": {"$member": "gone.half"}}),
        "protocols.group.outputs.density: 'gone.half': the group has no member 'gone'; it has halve",
    ),
    (
        _document(outputs={"density": {"$collected": "halve.half"}}),
        "protocols.group.outputs.density: Collected(source=Current(member='halve', output='half')) is not an",
    ),
    (
        _document(outputs={"a b": {"$member": "halve.half"}}),
        "protocols.group: outputs: the name 'a b' is not allowed",
    ),
    (_document(max_iterations=0), "protocols.group: max_iterations: 0 is not allowed; it must be at least 1"),
    (
        _document(max_iterations={"$iteration": 1}),
        "protocols.group: max_iterations: $iteration is known in a ConditionalGroup only; write the protocol",
    ),
    (_document(maximum=3), "protocols.group: maximum: not an input of ConditionalGroup"),
    (
        _document(group={"inputs": {}}),
        "protocols.group: protocols: missing; GroupEntry needs it; conditions: missing; GroupEntry needs it",
    ),
    (
        _document(group={"version": 7}),
        "protocols.group: version: 7 is not allowed; ConditionalGroup has vers",
    ),
    (
        _document({"halve": _OTHER}),
        "protocols.group: protocols: no iteration can differ from the one before; give a member Previous",
    ),
]


@pytest.mark.parametrize(("text", "message"), _WRONG, ids=[message for _, message in _WRONG])
def test_what_is_wrong_with_a_group_is_told_by_name_and_place_in_one_line(text, message):
    with pytest.raises(InputError) as caught:
        WorkflowGraph.from_json(text)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_told_of_the_member_that_takes_it(tmp_path):
    gone = _entry("Join", files=[str(tmp_path / "gone.txt")])
    with pytest.raises(InputError, match=r"^protocols.group.protocols.join: .*gone.txt' cannot be read"):
        WorkflowGraph.from_json(_document({"join": gone, "halve": _HALVE}))


def test_a_member_whose_class_cannot_be_found_again_is_not_written():
    class Local(Halve):
        pass

    local = Local(value=Previous("halve.half", start="1 g/mL"))
    conditions = [Condition(local.output.half, "less than", "3 g/mL")]
    group = _group(protocols={"halve": local}, conditions=conditions, outputs={})
    with pytest.raises(InputError, match="put the class at the top level of a module"):
        group.to_json()


def test_a_condition_on_what_would_read_as_something_else_is_not_written(tmp_path):
    class_of_any = Anything(value=Iteration())
    (tmp_path / "a.txt").write_text("a")
    group = _group(
        protocols={"any": class_of_any},
        conditions=[Condition(class_of_any.output.value, "equal to", tmp_path / "a.txt")],
        outputs={},
    )
    with pytest.raises(
        InputError, match="conditions: cannot be written, because ConditionalGroup would read"
    ):
        group.to_json()
