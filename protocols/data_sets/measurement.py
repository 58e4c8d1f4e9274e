"""A measured value, and sets of them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import model_validator

from protocols.errors import InputError
from protocols.model import Model
from protocols.properties.base import Property
from protocols.properties.catalogue import find_property
from protocols.quantities import AnyQuantity, describe_quantity, registry
from protocols.state import ThermodynamicState
from protocols.substance import Substance

__all__ = ["DataSet", "Measurement"]


class Measurement(Model):
    """A value that somebody measured.

    Parameters
    ----------
    property
        The name of a property, such as "Density".
    substance, state
        Of what, and where.
    value
        In any unit of the property's dimension; brought into the property's own.
    uncertainty
        One standard uncertainty; None where none is known.
    phase
        Liquid: what is estimated here.
    component
        SMILES of the component that it is of, for a self-diffusion coefficient in a mixture.
    source
        A citation.

    Raises
    ------
    InputError
        The property is not known, or does not take this substance, state or unit.
    """

    property: str
    substance: Substance
    state: ThermodynamicState
    value: AnyQuantity
    uncertainty: AnyQuantity | None = None
    phase: Literal["liquid"] = "liquid"
    component: str | None = None
    source: str = ""

    @model_validator(mode="before")
    @classmethod
    def _in_the_unit_of_the_property(cls, given: dict[str, Any]) -> dict[str, Any]:
        unit = find_property(str(given.get("property"))).unit
        converted = {}
        for name in ("value", "uncertainty"):
            number = given.get(name)
            if number is None:
                continue
            if not number.is_compatible_with(unit):
                raise InputError(f"{name}: {describe_quantity(number)} is not allowed; give one in {unit}")
            converted[name] = registry.Quantity(float(number.to(unit).magnitude), unit)
        return given | converted

    @model_validator(mode="after")
    def _is_of_a_property(self) -> Measurement:
        self.estimated()
        return self

    def estimated(self, target: object | None = None) -> Property:
        """Return the property whose estimate this is compared with.

        Parameters
        ----------
        target
            The standard error at which to stop.
        """
        own = {} if self.component is None else {"component": self.component}
        return find_property(self.property)(self.substance, self.state, target, **own)


class DataSet(Model):
    """Measured values.

    Parameters
    ----------
    measurements
        In the order of their file.
    left_out
        What the file has and this package does not estimate, in words, one each.
    """

    measurements: tuple[Measurement, ...]
    left_out: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.measurements)
