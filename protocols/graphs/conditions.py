"""Condition: an output compared with a value or with another output."""

from __future__ import annotations

import math
from dataclasses import replace
from enum import StrEnum
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

import pint
from pydantic import TypeAdapter, ValidationError, model_validator
from pydantic.fields import FieldInfo

from protocols.errors import InputError
from protocols.graphs.placeholders import History, resolved
from protocols.graphs.references import Holder, OutputReference, Placeholder
from protocols.model import Model
from protocols.quantities import Dimension, describe_quantity

__all__ = ["Condition", "Relation"]

_SAME = 1e-12  # relative: the digits that count for identity


class Relation(StrEnum):
    """How an output and a value are compared."""

    less_than = "less than"
    greater_than = "greater than"
    equal_to = "equal to"


class Condition(Holder, Model):
    """Compare an output with a value or with another output.

    An output that is None, such as a standard error that cannot be known, meets no condition.

    Parameters
    ----------
    output
        As ``protocol.output.name``.
    relation
        "less than", "greater than" or "equal to"; numbers and quantities are equal that agree in 12 digits.
    value
        A number, a quantity such as "0.002 g/mL", or what else the output is; or another output.

    Raises
    ------
    InputError
        The value cannot be compared with the output: another dimension, or no number where one is needed.
    """

    output: Any
    relation: Relation
    value: Any

    if TYPE_CHECKING:

        def __init__(self, output: Any, relation: Relation | str, value: Any) -> None: ...

    else:

        def __init__(self, output: Any, relation: Relation | str, value: Any) -> None:
            super().__init__(output=output, relation=relation, value=value)

    @model_validator(mode="before")
    @classmethod
    def _check(cls, data: dict[str, Any]) -> dict[str, Any]:
        output, value = data["output"], data["value"]
        if not isinstance(output, OutputReference):
            raise InputError(f"output: {output!r} is not allowed; give an output, protocol.output.name")
        kind = _kind_of(_declaration(output))
        if isinstance(value, OutputReference):
            _check_comparable(output, kind, value)
        elif isinstance(value, Placeholder):
            value = value.checked(lambda start: _parsed(start, output, kind))
        else:
            value = _parsed(value, output, kind)
        _check_order(output, kind, data["relation"])
        return data | {"value": value}

    def holds(self, history: History) -> bool:
        """Return whether the last iteration of a group meets it.

        Raises
        ------
        InputError
            The two cannot be compared.
        """
        left, right = resolved(self.output, history), resolved(self.value, history)
        if left is None or right is None:
            return False
        if isinstance(left, pint.Quantity) and isinstance(right, pint.Quantity):
            if not left.is_compatible_with(right):
                shown = f"{describe_quantity(left)} and {describe_quantity(right)}"
                raise InputError(f"conditions: {self}: {shown} have different dimensions")
            left, right = left.to_base_units().magnitude, right.to_base_units().magnitude
        try:
            return self._compare(left, right)
        except (TypeError, pint.errors.PintError):
            raise InputError(f"conditions: {self}: {left!r} and {right!r} cannot be compared") from None

    def _compare(self, left: Any, right: Any) -> bool:
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        equal = math.isclose(left, right, rel_tol=_SAME) if numbers else left == right
        if equal or self.relation is Relation.equal_to:
            return bool(equal) and self.relation is Relation.equal_to
        return bool(left < right if self.relation is Relation.less_than else left > right)

    def __str__(self) -> str:
        is_quantity = isinstance(self.value, pint.Quantity)
        return f"{self.output} {self.relation} {describe_quantity(self.value) if is_quantity else self.value}"


def _declaration(reference: OutputReference) -> FieldInfo:
    return reference.protocol.output_types[reference.name]


def _kind_of(declaration: FieldInfo) -> Any:
    """Return the Dimension of a quantity, else the type, or None where it may be of several types."""
    parts = [*declaration.metadata, *_parts(declaration.annotation)]
    dimension = next((part for part in parts if isinstance(part, Dimension)), None)
    types = [part for part in parts if isinstance(part, type) and part not in {NoneType, Any, object}]
    return dimension or (types[0] if len(types) == 1 else None)


def _parts(annotation: Any) -> list[Any]:
    if get_origin(annotation) in {Union, UnionType, Annotated}:
        return [part for item in get_args(annotation) for part in _parts(item)]
    return [annotation]


def _parsed(value: Any, output: OutputReference, kind: Any) -> Any:
    if isinstance(kind, Dimension):
        return replace(kind, minimum=None).check(value, "value")
    if kind in {int, float}:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise InputError(f"value: {value!r} is not allowed; {output!r} is a number, give a number")
        return value
    if kind is None:
        return value
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        allowed = error.errors(include_url=False)[0]["msg"].removeprefix("Input ").replace("should", "must")
        raise InputError(f"value: {value!r} is not allowed; it {allowed}") from None


def _check_comparable(output: OutputReference, kind: Any, other: OutputReference) -> None:
    other_kind = _kind_of(_declaration(other))
    if kind is None or other_kind is None:
        return
    names = [item.name if isinstance(item, Dimension) else item for item in (kind, other_kind)]
    quantities = isinstance(kind, Dimension) and isinstance(other_kind, Dimension)
    if quantities and None in names:
        return
    numbers = set(names) <= {int, float}
    if names[0] != names[1] and not numbers:
        shown = [name if isinstance(name, str) else getattr(name, "__name__", "quantity") for name in names]
        raise InputError(f"value: {other!r} ({shown[1]}) cannot be compared with {output!r} ({shown[0]})")


def _check_order(output: OutputReference, kind: Any, relation: Any) -> None:
    ordered = kind is None or isinstance(kind, Dimension) or kind in {int, float}
    if not ordered and relation in {Relation.less_than, Relation.greater_than}:
        raise InputError(
            f"relation: {str(relation)!r} is not allowed; {output!r} is no number, give 'equal to'"
        )
