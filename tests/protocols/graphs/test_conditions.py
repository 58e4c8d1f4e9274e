from pathlib import Path

import pytest

from protocols.analysis.statistics import Status
from protocols.errors import InputError
from protocols.graphs.conditions import Condition, Relation
from protocols.graphs.placeholders import Current, Previous
from protocols.graphs.protocol import Protocol
from protocols.graphs.references import OutputReference, replace_references
from protocols.quantities import AnyQuantity, MassDensity, Temperature, quantity


class Everything(Protocol):
    class Outputs(Protocol.Outputs):
        density: MassDensity
        temperature: Temperature | None
        anything: AnyQuantity
        count: int
        ratio: float | None
        file: Path
        good: bool
        status: Status
        mixed: int | str

    def execute(self, directory, available_resources):
        raise NotImplementedError


EVERYTHING = Everything().output


def holds(condition, previous=None, **values):
    """Whether it holds for these values of the outputs in the last iteration."""

    def current(reference: OutputReference) -> Current:
        return Current(member="member", output=reference.name)

    complete = [Everything.Outputs.model_construct(**item) for item in (previous, values) if item]
    return replace_references(condition, current).holds([{"member": outputs} for outputs in complete])


def test_quantities_are_compared_whatever_their_units():
    density = quantity("0.95 g/mL")
    assert holds(Condition(EVERYTHING.density, "less than", "951 kg/m**3"), density=density)
    assert not holds(Condition(EVERYTHING.density, "less than", "950 kg/m**3"), density=density)
    assert holds(Condition(EVERYTHING.density, "equal to", "950 kg/m**3"), density=density)
    assert holds(Condition(EVERYTHING.density, "greater than", "-1 kg/m**3"), density=density)
    warm = quantity("30 degC")
    assert holds(Condition(EVERYTHING.temperature, Relation.greater_than, "300 K"), temperature=warm)
    assert holds(
        Condition(EVERYTHING.anything, "greater than", EVERYTHING.density),
        anything=2 * density,
        density=density,
    )


def test_numbers_and_other_values_are_compared():
    assert holds(Condition(EVERYTHING.count, "less than", 2.5), count=2)
    assert not holds(Condition(EVERYTHING.count, "less than", 2), count=2)
    assert holds(Condition(EVERYTHING.ratio, "equal to", 0.3), ratio=0.1 + 0.2)
    assert holds(Condition(EVERYTHING.ratio, "greater than", EVERYTHING.count), ratio=2.5, count=2)
    assert holds(Condition(EVERYTHING.status, "equal to", "converged"), status=Status.converged)
    assert not holds(Condition(EVERYTHING.status, "equal to", "converged"), status=Status.too_short)
    assert holds(Condition(EVERYTHING.good, "equal to", True), good=True)
    assert holds(Condition(EVERYTHING.mixed, "equal to", "x"), mixed="x")


def test_what_is_not_known_meets_no_condition():
    for relation in Relation:
        assert not holds(Condition(EVERYTHING.ratio, relation, 1.0), ratio=None)


def test_the_value_of_the_iteration_before_may_be_compared_with():
    condition = Condition(EVERYTHING.density, "less than", Previous(EVERYTHING.density, start="2000 kg/m**3"))
    assert holds(condition, density=quantity("1.9 g/mL"))
    assert not holds(condition, {"density": quantity("1.8 g/mL")}, density=quantity("1.9 g/mL"))


@pytest.mark.parametrize(
    ("output", "value", "message"),
    [
        ("density", "3 K", "value: 3 K is a temperature; give a density such as '0.95 g/mL'"),
        ("temperature", "1 g/mL", "value: 1 g/mL is a density; give a temperature"),
        ("density", 3, "value: 3 has no unit"),
        ("anything", 3, "value: 3 has no unit"),
        (
            "count",
            "3 K",
            r"value: '3 K' is not allowed; Everything-\w+\.output\.count is a number, give a number",
        ),
        ("ratio", True, "value: True is not allowed"),
        ("ratio", float("nan"), "value: nan is not allowed"),
        (
            "status",
            "convergd",
            "value: 'convergd' is not allowed; it must be 'converged', 'too short', 'not converged' or",
        ),
        (
            "density",
            EVERYTHING.temperature,
            r"temperature \(temperature\) cannot be compared with .*\(density\)",
        ),
        ("density", EVERYTHING.count, r"count \(int\) cannot be compared with .*density \(density\)"),
        ("file", EVERYTHING.count, r"count \(int\) cannot be compared with .*file \(Path\)"),
        ("density", Previous(EVERYTHING.density, start="3 K"), "value: 3 K is a temperature"),
    ],
)
def test_what_cannot_be_compared_is_refused_on_construction(output, value, message):
    with pytest.raises(InputError, match=message):
        Condition(getattr(EVERYTHING, output), "equal to", value)


def test_outputs_without_an_order_can_only_be_equal():
    with pytest.raises(InputError, match=r"relation: 'less than' is not allowed; .*status is no number"):
        Condition(EVERYTHING.status, "less than", "converged")


def test_relations_and_outputs_are_refused_with_what_is_allowed():
    with pytest.raises(InputError, match="'below' is not allowed; it must be 'less than', 'greater than' or"):
        Condition(EVERYTHING.count, "below", 3)
    with pytest.raises(InputError, match=r"output: 'count' is not allowed; give an output, protocol\.output"):
        Condition("count", "less than", 3)
    with pytest.raises(InputError, match="Everything has no output 'cuont'; its outputs are density"):
        Condition(EVERYTHING.cuont, "less than", 3)


def test_a_dimension_that_is_known_in_the_run_only_is_checked_there():
    condition = Condition(EVERYTHING.anything, "less than", "3 K")
    with pytest.raises(InputError, match=r"member.anything less than 3 K: 1 g/mL and 3 K have different dim"):
        holds(condition, anything=quantity("1 g/mL"))
    with pytest.raises(InputError, match="cannot be compared"):
        holds(Condition(EVERYTHING.mixed, "less than", 3), mixed="x")
