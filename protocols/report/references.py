"""Reference values beside the estimates of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from protocols.errors import InputError
from protocols.properties.base import Property
from protocols.quantities import Quantity, describe_quantity, quantity

__all__ = ["Reference", "references_of"]


class Reference(NamedTuple):
    """A value to compare with, in the unit of its property.

    Parameters
    ----------
    value, uncertainty
        The uncertainty is 0 where none is known.
    """

    value: float
    uncertainty: float


def references_of(
    given: Mapping[str | Property, object], estimates: Sequence[Mapping[str, Any]]
) -> dict[str, Reference]:
    """Return the reference of each property that has one, by the property's text.

    Parameters
    ----------
    given
        By property or its text: a quantity, or a pair of quantity and standard uncertainty.
    estimates
        The properties of the run.

    Raises
    ------
    InputError
        One is of no property of the run, no quantity, of another dimension or not finite.
    """
    units = {estimate["property"]: estimate["unit"] for estimate in estimates}
    found = {}
    for key, value in given.items():
        name = str(key)
        if name not in units:
            raise InputError(f"reference: {name!r} is no property of this run; it has {_few(list(units))}")
        pair = tuple(value) if isinstance(value, tuple | list) else (value,)
        if len(pair) not in {1, 2}:
            raise InputError(
                f"reference: {value!r} of {name} is not allowed; give a value and its uncertainty"
            )
        numbers = [_in_unit(name, item, units[name]) for item in pair if item is not None]
        found[name] = Reference(numbers[0], abs(numbers[1]) if len(numbers) == 2 else 0.0)
    return found


def _in_unit(name: str, value: object, unit: str) -> float:
    try:
        given: Quantity = quantity(value)
    except InputError as error:
        raise InputError(f"reference: of {name}: {error}; give a quantity in a unit such as {unit}") from None
    if not given.is_compatible_with(unit):
        raise InputError(
            f"reference: {describe_quantity(given)} of {name} has another dimension; give one in {unit}"
        )
    number = float(given.to(unit).magnitude)
    if not math.isfinite(number):
        raise InputError(f"reference: {value!r} of {name} is not finite; give a number")
    return number


def _few(names: list[str]) -> str:
    shown = "; ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown or "none yet"
