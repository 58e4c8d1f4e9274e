"""What every property has: a substance, a state, and a workflow that ends in its value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from protocols.forcefield import OpenMMForceField
from protocols.model import Model
from protocols.protocol import Protocol
from protocols.settings import SimulationSettings
from protocols.simulation import OpenMMSimulation
from protocols.state import ThermodynamicState
from protocols.substance import Substance

__all__ = ["Property", "PropertyWorkflow"]


class PropertyWorkflow(NamedTuple):
    """The protocols behind one property.

    Parameters
    ----------
    result
        Whose outputs have value, standard_error, n_effective, status and reason.
    simulations
        The production runs, which say platform and speed.
    """

    result: Protocol
    simulations: tuple[OpenMMSimulation, ...]


class Property(Model, ABC):
    """A physical property of a substance at a state.

    Parameters
    ----------
    substance
        What it is asked for.
    state
        At which temperature and pressure.
    """

    unit: ClassVar[str]
    """The unit in which the value is given."""

    substance: Substance
    state: ThermodynamicState

    def __init__(self, substance: Substance, state: ThermodynamicState) -> None:
        super().__init__(substance=substance, state=state)  # type: ignore[call-arg]

    @abstractmethod
    def workflow(self, force_field: OpenMMForceField, settings: SimulationSettings) -> PropertyWorkflow:
        """Return the protocols that compute the property.

        Raises
        ------
        InputError
            The property cannot be computed with this force field or these settings.
        """

    def __str__(self) -> str:
        return f"{type(self).__name__} of {self.substance} at {self.state}"
