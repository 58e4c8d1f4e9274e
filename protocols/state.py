"""The thermodynamic state at which a property is asked for."""

from __future__ import annotations

from protocols.model import Model
from protocols.quantities import Pressure, Temperature, describe_quantity

__all__ = ["ThermodynamicState"]


class ThermodynamicState(Model):
    """A temperature and, for a system at constant pressure, a pressure.

    Parameters
    ----------
    temperature
        More than 0 K.
    pressure
        None holds the volume instead.

    Raises
    ------
    InputError
        A value of the wrong dimension or range; the message names the field.
    """

    temperature: Temperature
    pressure: Pressure | None = None

    def __str__(self) -> str:
        parts = [self.temperature, self.pressure] if self.pressure is not None else [self.temperature]
        return ", ".join(describe_quantity(part) for part in parts)
