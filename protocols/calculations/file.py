"""The form of a calculation's YAML file, as far as it can be told without looking anything up."""

from __future__ import annotations

import builtins
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, field_validator, model_validator

from protocols.calculations.substances import SubstanceEntry
from protocols.convergence import Limits
from protocols.errors import InputError
from protocols.model import Model
from protocols.quantities import AnyQuantity, Target, describe_quantity
from protocols.settings import SimulationSettings
from protocols.state import ThermodynamicState
from protocols.systems.sources import ANY_SOURCE

__all__ = ["CalculationFile", "DataSetEntry", "PropertyEntry"]


def _listed(value: Any) -> Any:
    """Return one name, or a list of several, as a tuple."""
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str | int | float) for name in names):
        shown = "an empty value" if value is None else repr(value)
        raise InputError(f"{shown} is not allowed; give a name, or a list of names")
    return tuple(map(str, names))


def _named(value: Any) -> Any:
    """Return a mapping whose keys are names, those that look like numbers too."""
    return {str(name): each for name, each in value.items()} if isinstance(value, dict) else value


_Names = Annotated[
    tuple[str, ...],
    BeforeValidator(_listed),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": ["string", "number"]},
                {"type": "array", "items": {"type": ["string", "number"]}},
            ]
        }
    ),
]


class PropertyEntry(Model):
    """What is to be estimated: every property named, of every substance, at every state.

    Parameters
    ----------
    property, substance, state
        A name, or a list of names: of the property, and of what stands under substances and states.
    target
        The standard error at which to stop, such as 0.2 % or 0.002 g/mL.
    reference
        A value to compare with, such as 0.997 g/mL.
    """

    model_config = ConfigDict(extra="allow", title="a property")

    property: _Names
    substance: _Names
    state: _Names
    target: Target | None = None
    reference: AnyQuantity | None = None

    @model_validator(mode="before")
    @classmethod
    def _keys_and_values(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise InputError(
                f"{value!r} is not allowed; give 'property: {value}', and its substance and state"
            )
        return value

    @field_validator("target", "reference", mode="before")
    @classmethod
    def _plain_number(cls, value: Any) -> Any:
        """Take a number without a unit, as of a dielectric constant, for what it is."""
        plain = isinstance(value, int | float) and not isinstance(value, bool)
        return f"{value!r} dimensionless" if plain else value

    @builtins.property  # the name is that of a field
    def options(self) -> dict[str, Any]:
        """What only some properties take, such as a method."""
        return dict(self.__pydantic_extra__ or {})


class DataSetEntry(Model):
    """Measured values to estimate and compare with.

    Parameters
    ----------
    file
        CSV, JSON or ThermoML XML, beside this file; or the name of one that is shipped.
    target
        Of every property: relative, such as 0.5 %.
    """

    model_config = ConfigDict(title="data_set")

    file: str
    target: Target | None = None

    @model_validator(mode="after")
    def _of_every_unit(self) -> DataSetEntry:
        if self.target is not None and not self.target.is_compatible_with("percent"):
            raise InputError(
                f"target: {describe_quantity(self.target)} is not allowed; give a relative one, such as "
                "'0.5 %', for properties of every unit"
            )
        return self


class CalculationFile(Model):
    """A calculation: what is estimated, with which force field, how, and where.

    Parameters
    ----------
    force_field
        Names of OpenMM force-field files, or paths beside this file; a type and its files; or a list.
    substances
        By a name of your own.
    states
        Temperature and pressure, by a name of your own.
    properties
        What is estimated.
    data_set
        Measured values to estimate and compare with.
    settings
        Of the simulations.
    limits
        Where to stop although a target is not met.
    backend
        Where it runs: a type and its settings. None measures this machine and takes what is fastest.
    """

    model_config = ConfigDict(title="a calculation")

    force_field: Annotated[
        Any,
        WithJsonSchema(
            {
                **ANY_SOURCE,
                "examples": ["tip3p.xml", {"type": "GromacsFiles", "top": "water.top", "gro": "water.gro"}],
            }
        ),
    ]
    substances: dict[str, SubstanceEntry] = Field(default_factory=dict)
    states: dict[str, ThermodynamicState] = Field(default_factory=dict)
    properties: tuple[PropertyEntry, ...] = ()
    data_set: DataSetEntry | None = None
    settings: SimulationSettings = Field(default_factory=SimulationSettings)
    limits: Limits = Field(default_factory=Limits)
    backend: dict[str, Any] | None = None

    @field_validator("substances", "states", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return _named(value)

    @field_validator("properties", mode="before")
    @classmethod
    def _a_list(cls, value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise InputError("properties: they are no list; begin each of them with '- '")
        return value
