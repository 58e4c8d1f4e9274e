"""One unit library: quantities of OpenMM, of any pint registry and strings become ours, or are refused.

The registry is private to this package: pint's application registry stays as the user left it, and a
quantity unpickles into the same registry it came from.
"""

from __future__ import annotations

import copyreg
import math
import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Annotated, Any, TypeAlias

import pint
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from protocols.errors import InputError

__all__ = [
    "AnyQuantity",
    "Force",
    "Frequency",
    "Length",
    "LongTime",
    "Mass",
    "MassDensity",
    "Pressure",
    "Quantity",
    "Target",
    "Temperature",
    "Time",
    "WallTime",
    "canonical",
    "decimals_of",
    "describe_quantity",
    "exact_text",
    "is_less",
    "quantity",
    "ratio",
    "unit_symbol",
    "with_error",
]

registry: pint.UnitRegistry[Any] = pint.UnitRegistry()
Quantity: TypeAlias = pint.Quantity[Any]

_NUMBER_AND_UNIT = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*")
_CLOSE = 0.6  # of two units' spelling
_NO_QUANTITY = "it must be a number and a unit"
_DIMENSIONS = {
    "temperature": "kelvin",
    "pressure": "bar",
    "time": "picosecond",
    "frequency": "1/picosecond",
    "length": "nanometer",
    "mass": "dalton",
    "density": "gram/milliliter",
    "energy": "kilojoule",
    "molar energy": "kilojoule/mole",
    "volume": "nanometer**3",
    "force": "kilojoule/mole/nanometer",
    "amount of substance": "mole",
    "electric charge": "coulomb",
    "pure number": "dimensionless",
}
_USUAL = {
    "temperature": ("K", "degC", "degF", "kelvin", "celsius", "fahrenheit"),
    "pressure": ("atm", "bar", "mbar", "Pa", "kPa", "hPa", "MPa", "mmHg", "torr", "psi"),
    "time": ("fs", "ps", "ns", "us", "ms", "s", "minutes", "hours", "days"),
    "length": ("nm", "angstrom", "pm", "um"),
    "mass": ("dalton",),
    "density": ("g/mL", "g/cm^3", "kg/m^3"),
}
_LETTERS = {"c": ("degC", "K"), "f": ("degF",), "a": ("angstrom",), "m": ("minutes",)}
"""What a single letter is meant to be, which is another unit to the library: C is the coulomb."""


def quantity(value: object) -> Quantity:
    """Bring a quantity of any kind into this package's registry, in the unit it came with.

    Parameters
    ----------
    value
        An openmm.unit quantity, a pint quantity of any registry (OpenFF's too), or a string such as
        "298.15 K".

    Raises
    ------
    InputError
        The value has no unit, or one that is not known.
    """
    if type(value) is registry.Quantity and type(value.magnitude) is float:
        return value
    try:
        if isinstance(value, str):
            return _from_string(value)
        if hasattr(value, "magnitude") and hasattr(value, "units"):
            return registry.Quantity(float(value.magnitude), f"{value.units:D}")
        if hasattr(value, "value_in_unit") and hasattr(value, "unit"):
            return registry.Quantity(float(value.value_in_unit(value.unit)), _unit(value.unit.get_name()))
    except pint.UndefinedUnitError as error:
        unit = error.unit_names if isinstance(error.unit_names, str) else error.unit_names[0]
        raise InputError(f"{value!r} is not a quantity: the unit {unit!r} is not known") from None
    except (pint.errors.PintError, TypeError, ValueError, AttributeError) as error:
        reason = _no_quantity(value) if isinstance(value, str) else error
        raise InputError(f"{value!r} is not a quantity: {reason}") from None
    raise InputError(f"{value!r} has no unit")


def _no_quantity(text: str) -> str:
    comma = "; write its decimals with a point" if re.match(r"\s*[+-]?\d+,\d", text) else ""
    return f"{_NO_QUANTITY}{comma}"


def _unit(name: str) -> str:
    return f"1{name}" if name.startswith("/") else name


def _from_string(text: str) -> Quantity:
    match = _NUMBER_AND_UNIT.fullmatch(text)
    if match is None:
        raise ValueError(_NO_QUANTITY)
    # Number and unit are joined here and not by pint, which refuses to multiply by an offset unit (degC).
    return registry.Quantity(float(match[1]), _unit(match[2]) or "dimensionless")


def _dimension_of(value: Quantity) -> str:
    for name, unit in _DIMENSIONS.items():
        if value.is_compatible_with(unit) and value.dimensionality == registry.Unit(unit).dimensionality:
            return name
    return f"quantity in {value.units:~P}"


def _rebuild(magnitude: float, unit: str) -> Quantity:
    return registry.Quantity(magnitude, unit)


def _reduce(value: Quantity) -> tuple[Any, tuple[float, str]]:
    return _rebuild, (value.magnitude, f"{value.units:D}")


# pint would unpickle into the application registry, whose quantities do not mix with ours.
copyreg.pickle(registry.Quantity, _reduce)


def canonical(value: Quantity) -> str:
    """Return one text for equal quantities whatever their unit: 12 digits, in base units."""
    magnitude, unit = _in_base_units(value.magnitude, value.units)
    return f"{magnitude:.12g} {unit}".strip()


def is_less(first: Quantity, second: Quantity) -> bool:
    """Compare two quantities of one dimension, which pint does slowly."""
    return _in_base_units(first.magnitude, first.units) < _in_base_units(second.magnitude, second.units)


def ratio(first: Quantity, second: Quantity) -> float:
    """Return how many times the second quantity the first one is."""
    return float((first / second).to("dimensionless").magnitude)


@lru_cache(maxsize=10_000)  # conversions are slow, and the same few settings come again and again
def _in_base_units(magnitude: float, unit: pint.Unit) -> tuple[float, str]:
    base = registry.Quantity(magnitude, unit).to_base_units()
    return float(base.magnitude), f"{base.units:~D}"


def exact_text(value: Quantity) -> str:
    """Return the quantity as a string that reads back exactly."""
    return f"{value.magnitude!r} {value.units:D}"


def describe_quantity(value: Quantity) -> str:
    """Return the quantity as a person reads it: "298.15 K", "1 atm", "0.95 g/mL"."""
    return f"{value.magnitude:.6g} {unit_symbol(value)}".strip()


def unit_symbol(value: Quantity) -> str:
    """Return the unit's symbol; the litre is written with the capital that chemists use."""
    return re.sub(r"\b([mcdµ]?)l\b", r"\1L", f"{value.units:~P}")


@dataclass(frozen=True)
class Dimension:
    """Pydantic metadata: the quantity that a field takes.

    Parameters
    ----------
    name
        The dimension in words; None allows any.
    example
        What the error message suggests.
    minimum
        The smallest allowed magnitude in the dimension's own unit; None for no limit.
    exclusive
        Whether the minimum itself is refused.
    """

    name: str | None
    example: str
    minimum: float | None = 0.0
    exclusive: bool = True

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate with `check`; write as a string that reads back exactly."""
        return core_schema.with_info_plain_validator_function(
            self._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                exact_text, return_schema=core_schema.str_schema()
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Describe the field as the string that it is in JSON."""
        return {"type": "string", "examples": [self.example]}

    def _validate(self, value: object, info: ValidationInfo) -> Quantity:
        return self.check(value, info.field_name or "value")

    def check(self, value: object, field: str) -> Quantity:
        """Return `value` as a quantity of this dimension, or raise InputError naming the field."""
        try:
            result = quantity(value)
            problem = None if self.name is None else _problem(self, result.magnitude, result.units)
        except InputError as error:
            problem = str(error)
        if problem is None:
            return result
        if "; " not in problem:  # it does not say what is allowed
            problem = f"{problem}; {self._meant(value) or self._advice}"
        raise InputError(f"{field}: {problem}")

    @property
    def _advice(self) -> str:
        return f"give a {self.name or 'quantity'} such as {self.example!r}"

    def _meant(self, value: object) -> str:
        """Ask for the units that a text was probably meant to have; empty if there is no telling."""
        match = _NUMBER_AND_UNIT.fullmatch(value) if isinstance(value, str) else None
        if match is None or not match[2]:
            return ""
        unit, usual = match[2].casefold().replace("deg ", "deg"), _USUAL.get(self.name or "", ())
        known = {each.casefold(): each for each in usual}
        close = get_close_matches(unit, known, n=1, cutoff=_CLOSE) if len(unit) > 1 else []
        units = [each for each in _LETTERS.get(unit, ()) if each in usual] or [known[each] for each in close]
        if unit in known:
            units = [known[unit]]
        return f"did you mean {' or '.join(repr(f'{match[1]} {each}') for each in units)}?" if units else ""


@lru_cache(maxsize=10_000)
def _problem(dimension: Dimension, magnitude: float, given: pint.Unit) -> str | None:
    """Say why a dimension does not take this quantity; None if it does."""
    value = registry.Quantity(magnitude, given)
    unit, shown = _DIMENSIONS[dimension.name or ""], describe_quantity(value)
    if not value.is_compatible_with(unit):
        found = _dimension_of(value)
        return f"{shown} is {_article(found)} {found}"
    least, converted = dimension.minimum, value.to(unit).magnitude
    if not math.isfinite(converted):
        return f"{shown} is not finite"
    if least is not None and (converted < least or (dimension.exclusive and converted == least)):
        relation = "more than" if dimension.exclusive else "at least"
        limit = describe_quantity(registry.Quantity(least, unit))
        return f"{shown} is not allowed; it must be {relation} {limit}"
    return None


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


AnyQuantity = Annotated[Quantity, Dimension(None, "0.95 g/mL")]
Target = Annotated[Quantity, Dimension(None, "0.2 %")]
Temperature = Annotated[Quantity, Dimension("temperature", "298.15 K")]
Pressure = Annotated[Quantity, Dimension("pressure", "1 atm", minimum=None)]
Time = Annotated[Quantity, Dimension("time", "2 fs")]
LongTime = Annotated[Quantity, Dimension("time", "200 ps")]
WallTime = Annotated[Quantity, Dimension("time", "2 hours")]
Frequency = Annotated[Quantity, Dimension("frequency", "1 / ps")]
Length = Annotated[Quantity, Dimension("length", "0.9 nm")]
Mass = Annotated[Quantity, Dimension("mass", "1.5 dalton")]
MassDensity = Annotated[Quantity, Dimension("density", "0.95 g/mL")]
Force = Annotated[Quantity, Dimension("force", "10 kJ/mol/nm")]


def with_error(value: float, error: float) -> str:
    """Return a value and its error, such as "0.984 +/- 0.002": one digit of the error, two where it is 1."""
    digits = decimals_of(error)
    return f"{value:.{digits}f} +/- {error:.{digits}f}"


def decimals_of(error: float) -> int:
    """Return how many decimals a value with this error has: one digit of the error, two where it is 1."""
    if not error > 0:
        return 6
    exponent = math.floor(math.log10(error))
    return max(0, -exponent + (1 if error < 2 * 10.0**exponent else 0))
