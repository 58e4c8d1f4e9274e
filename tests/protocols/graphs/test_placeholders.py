import pytest

from protocols.errors import InputError
from protocols.graphs.placeholders import Collected, Current, Iteration, Previous, resolved
from protocols.model import Model


class Value(Model):
    x: int


HISTORY = [{"a": Value(x=value)} for value in (10, 20, 30)]


def test_each_gives_its_value_in_the_iteration_that_runs():
    current, previous = Current(member="a", output="x"), Previous("a.x", start=5)
    inputs = {"all": [current, (previous, Iteration(first=7))], "so far": Collected("a.x"), "value": "a.x"}
    assert resolved(inputs, HISTORY) == {"all": (30, (20, 9)), "so far": (10, 20, 30), "value": "a.x"}
    assert resolved(inputs, HISTORY[:1]) == {"all": (10, (5, 7)), "so far": (10,), "value": "a.x"}


def test_what_must_come_first_in_an_iteration_is_known():
    current = Current(member="b", output="x")
    assert list(Previous("a.x", start=5).required()) == []
    assert list(Collected("a.x").required()) == ["a"]
    assert list(Previous("a.x", start=0).model_copy(update={"start": (current,)}).required()) == ["b"]


def test_a_name_of_another_form_is_refused():
    for name in ("a", ".x", "a.", ""):
        with pytest.raises(InputError, match=f"'{name}' names no output of a member; give a name such as"):
            Collected(name)
    with pytest.raises(InputError, match=r"source: 3 is not allowed; give a name such as 'average.value'"):
        Previous(3, start=1)


def test_a_start_is_known_before_the_group_runs():
    with pytest.raises(
        InputError, match=r"start: .* is not allowed; give a value or an output of a protocol"
    ):
        Previous("a.x", start=[Iteration()])
