import pytest

from protocols.errors import InputError
from protocols.graphs.markers import FORMS, Link, MemberLink, filled, linked, refuse_group_values, written
from protocols.graphs.placeholders import Collected, Current, Iteration, Previous
from protocols.graphs.references import Placeholder

_SOURCE = Current(member="extend", output="state_file")


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ({"$member": "extend.state_file"}, MemberLink(_SOURCE)),
        ({"$collected": "extend.state_file"}, Collected(_SOURCE)),
        ({"$iteration": -3}, Iteration(first=-3)),
        ({"$previous": "extend.state_file", "start": [1]}, Previous(_SOURCE, start=[1])),
        ({"$output": "a label. of dots.file"}, Link("a label. of dots", "file")),
        ({"$$output": 1, "$$$x": 2, "x$": 3, "$$": 4}, {"$output": 1, "$$x": 2, "x$": 3, "$": 4}),
        ([{"a": {"$iteration": 1}}, 2], [{"a": Iteration()}, 2]),
    ],
)
def test_what_a_marker_stands_for(plain, value):
    assert linked(plain, "inputs") == value
    if not isinstance(value, Link | MemberLink):
        assert written(value, "inputs") == plain


@pytest.mark.parametrize(
    ("start", "kind"), [({"$output": "a.file"}, Link), ({"$member": "extend.state_file"}, MemberLink)]
)
def test_a_start_may_be_an_output_inside_or_outside_of_the_group(start, kind):
    previous = linked({"$previous": "extend.state_file", "start": [start, 1]}, "inputs")
    assert filled(previous, kind, lambda _: "filled") == Previous(_SOURCE, start=("filled", 1))


@pytest.mark.parametrize(
    "plain",
    [
        {"$output": "file"},
        {"$output": ".file"},
        {"$output": "a."},
        {"$output": 1.5},
        {"$output": "a.file", "also": 1},
        {"$member": "a.file", "$output": "a.file"},
        {"$member": {"a.file": 1}},
        {"$collected": "a.file", "start": 1},
        {"$previous": "a.file"},
        {"$previous": "a.file", "start": 1, "first": 1},
        {"$previous": "a", "start": 1},
        {"$iteration": True},
        {"$iteration": "1"},
        {"$iteration": 1, "first": 1},
    ],
)
def test_another_form_is_refused_with_the_right_one(plain):
    marker = next(iter(plain))
    with pytest.raises(InputError) as caught:
        linked({"value": [plain]}, "inputs")
    assert str(caught.value) == (f"inputs.value[0]: {plain!r:.60} is not a reference; write {FORMS[marker]}")


def test_a_marker_that_is_not_known_is_refused_with_those_that_are():
    with pytest.raises(InputError) as caught:
        linked({"table": {"$previos": "a.file"}}, "inputs")
    assert str(caught.value) == (
        "inputs.table: '$previos' is not known; known are $output, $member, $previous, $collected, "
        "$iteration; a key of your own has one more $"
    )


@pytest.mark.parametrize("start", [{"$iteration": 1}, [{"$previous": "a.b", "start": 1}]])
def test_a_start_that_the_group_would_have_to_know_is_refused(start):
    with pytest.raises(InputError, match=r"^inputs: start: .* is not allowed; give a value or an output of"):
        linked({"$previous": "a.file", "start": start}, "inputs")


@pytest.mark.parametrize("marker", ["$member", "$previous", "$collected", "$iteration"])
def test_what_means_something_only_in_a_group_is_refused_outside(marker):
    rest = {"start": 1} if marker == "$previous" else {}
    plain = {marker: 1 if marker == "$iteration" else "a.file"} | rest
    inputs = linked({"seed": 1, "file": [{"a": plain}]}, "inputs")
    with pytest.raises(InputError, match=rf"^file: \{marker} is known in a ConditionalGroup only; write the"):
        refuse_group_values(inputs)


def test_a_placeholder_of_another_kind_is_not_written():
    class Own(Placeholder):
        pass

    with pytest.raises(InputError, match="value: Own cannot be written"):
        written(Own(), "value")
