"""What every property has: a substance, a state, and a workflow that ends in its value."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, NamedTuple

from pydantic import model_validator

from protocols.dynamics.simulation import OpenMMSimulation
from protocols.dynamics.transport import OpenMMTransportSimulation
from protocols.errors import InputError
from protocols.graphs.protocol import Protocol
from protocols.model import Model
from protocols.quantities import Quantity, Target, describe_quantity, registry
from protocols.settings import SimulationSettings
from protocols.state import ThermodynamicState
from protocols.substance import Substance
from protocols.systems.sources import ParameterSource

__all__ = ["Property", "PropertyWorkflow", "Replicas", "Runs", "describe"]

Replicas = tuple[tuple[OpenMMSimulation, ...], ...]
"""Production runs of one system at one state: one tuple a replica, each run going on where the last ended."""

Runs = tuple[tuple[OpenMMSimulation | OpenMMTransportSimulation, ...], ...]
"""As `Replicas`, or the same at constant energy."""


class PropertyWorkflow(NamedTuple):
    """The protocols behind one property.

    Parameters
    ----------
    result
        Whose outputs have value, standard_error, n_effective, status and reason.
    simulations
        The production runs in boxes, one tuple a replica, in order; they say platform and speed.
    number_of_liquids
        How many liquids they are of: as many replicas each, one liquid after the other. A solution with its
        solute in another alchemical state counts as another liquid.
    """

    result: Protocol
    simulations: Runs
    number_of_liquids: int = 1

    @property
    def liquids(self) -> tuple[Runs, ...]:
        """The replicas of each liquid."""
        replicas = len(self.simulations) // self.number_of_liquids
        return tuple(
            self.simulations[first : first + replicas] for first in range(0, len(self.simulations), replicas)
        )


class Property(Model, ABC):
    """A physical property of a substance at a state.

    Parameters
    ----------
    substance
        What it is asked for.
    state
        At which temperature and pressure.
    target
        The standard error at which to stop: relative to the value, such as "0.2 %", or absolute, such as
        "0.002 g/mL". None simulates for a fixed time.

    Raises
    ------
    InputError
        The target is neither relative nor of the property's dimension, or not positive.
    """

    unit: ClassVar[str]
    """The unit in which the value is given."""

    defaults: ClassVar[Mapping[str, object]] = MappingProxyType({})
    """Settings that suit it better than those of `SimulationSettings`, for what the user leaves open."""

    default_runs: ClassVar[int] = 1
    """How many runs of the default production_time a replica has, where the user leaves that open.

    Properties that need one share it with those that need more.
    """

    substance: Substance
    state: ThermodynamicState
    target: Target | None = None

    def __init__(
        self, substance: Substance, state: ThermodynamicState, target: object | None = None, **own: object
    ) -> None:
        super().__init__(substance=substance, state=state, target=target, **own)  # type: ignore[call-arg]

    @model_validator(mode="after")
    def _target_fits(self) -> Property:
        if self.target is not None:
            fits = _is_relative(self.target) or self.target.is_compatible_with(self.unit)
            if not (fits and math.isfinite(self.target.magnitude) and self.target.magnitude > 0):
                raise InputError(
                    f"target: {describe_quantity(self.target)} is not allowed; give a standard error above "
                    f"0, relative such as '0.2 %' or in a unit such as {self.unit}"
                )
        return self

    def allowed_error(self, value: Quantity) -> Quantity:
        """Return the standard error at which this value has reached the target."""
        if self.target is None:
            raise InputError(f"target: {self} has none")
        if _is_relative(self.target):
            return registry.Quantity(
                abs(value.magnitude) * self.target.to("dimensionless").magnitude, value.units
            )
        return self.target

    def settings_for(self, settings: SimulationSettings) -> SimulationSettings:
        """Return the settings with the property's own defaults in place of what the user has left open.

        What was given to the constructor, or to ``model_copy(update=...)``, counts as the user's.
        """
        return settings.with_defaults(self.defaults)

    def first_rounds(self, settings: SimulationSettings) -> tuple[int, ...]:
        """Return for each replica how many runs it begins with; with a target that is one."""
        open_ended = self.target is None and "production_time" not in settings.model_fields_set
        return (self.default_runs if open_ended else 1,) * settings.least_replicas

    def own_defaults(self, settings: SimulationSettings) -> str:
        """Return in words what of the property's own defaults is used; empty if nothing."""
        own = self.settings_for(settings)
        said = [
            f"{name} {describe(getattr(own, name))}"
            for name in self.defaults
            if name not in settings.model_fields_set
        ]
        runs = self.first_rounds(settings)[0]
        if runs > 1:
            said.append(f"production_time {runs} x {describe(own.production_time)}")
        return ", ".join(said)

    @abstractmethod
    def workflow(
        self, force_field: ParameterSource, settings: SimulationSettings, rounds: Sequence[int] | None = None
    ) -> PropertyWorkflow:
        """Return the protocols that compute the property.

        Parameters
        ----------
        force_field
            That covers the substance.
        settings
            Of the simulations, as the user gives them: `settings_for` adds the property's own.
        rounds
            For each replica, how many times its production is run; each goes on where the last one ended.
            None takes `first_rounds`.

        Raises
        ------
        InputError
            The property cannot be computed with this force field or these settings.
        """

    def __str__(self) -> str:
        return f"{type(self).__name__} of {self.substance} at {self.state}"


def describe(value: object) -> str:
    """Return a setting in words."""
    return describe_quantity(value) if isinstance(value, registry.Quantity) else str(value)


def _is_relative(target: Quantity) -> bool:
    return str(target.units) == "percent"
