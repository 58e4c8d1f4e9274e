"""What a row of published values is, and what computes a group of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from protocols import ParameterSource, PropertyResult
from protocols.properties.base import Property

__all__ = ["Group", "Row"]


def _as_is(value: float) -> float:
    return value


@dataclass(frozen=True)
class Row:
    """One published value.

    Parameters
    ----------
    title
        Of the row.
    property
        Whose value is compared.
    published, uncertainty
        And its standard error, in `unit`.
    source
        Where it stands.
    unit
        Of this row.
    convert
        From a magnitude in the property's own unit to `unit`; it must be linear up to a constant, since the
        standard error goes the same way.
    settings_term
        Of the combined error: what other settings or codes are known to change.
    detail
        Which of the result's details is compared, in its own unit; the value itself if empty.
    """

    title: str
    property: Property
    published: float
    uncertainty: float
    source: str
    unit: str = ""
    convert: Callable[[float], float] = _as_is
    settings_term: float = 0.0
    detail: str = ""

    def compare(self, result: PropertyResult) -> tuple[float, float]:
        """Return our value and standard error in the unit of the row."""
        value, error = result.value, result.standard_error
        if self.detail:
            value = result.details[self.detail]
            error = result.details.get(f"{self.detail} standard error")
        plain = float(value.magnitude)
        spread = 0.0 if error is None else float(error.to(value.units).magnitude)
        ours = self.convert(plain)
        return ours, abs(self.convert(plain + spread) - ours)


@dataclass(frozen=True)
class Group:
    """Rows that one call of `estimate` gives.

    Parameters
    ----------
    name
        On the command line.
    rows
        That it gives.
    force_field
        Of the model.
    settings
        As the published values have them.
    """

    name: str
    rows: tuple[Row, ...]
    force_field: ParameterSource
    settings: dict[str, Any] = field(default_factory=dict)
