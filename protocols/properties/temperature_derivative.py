"""What derivatives by temperature share: fluctuations at one temperature, or a difference between two."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import model_validator

from protocols.analysis.combination import WeightedSum
from protocols.errors import InputError
from protocols.graphs.protocol import Protocol
from protocols.properties.averages import applied_pressure
from protocols.properties.base import PropertyWorkflow, Replicas
from protocols.properties.liquid import liquid_replicas
from protocols.properties.response import ResponseProperty
from protocols.quantities import Dimension, Quantity, describe_quantity, is_less, quantity, registry
from protocols.settings import SimulationSettings
from protocols.state import ThermodynamicState
from protocols.systems.sources import ParameterSource

__all__ = ["TemperatureDerivative"]

_STEP = quantity("10 K")


class TemperatureDerivative(ResponseProperty):
    """A derivative by temperature at constant pressure, (df / dT)_p.

    From fluctuations it comes with the simulations of the density. By finite difference it is
    (f(T + dT) - f(T - dT)) / (2 dT), off by order dT^2, from liquids at the two temperatures, whose
    simulations the densities at these temperatures share. Their errors are added in quadrature.
    """

    method: Literal["fluctuations", "finite difference"] = "fluctuations"
    temperature_step: Annotated[Quantity, Dimension("temperature", "5 K")] | None = None

    @model_validator(mode="after")
    def _step_fits(self) -> TemperatureDerivative:
        if self.temperature_step is not None and self.method == "fluctuations":
            raise InputError("temperature_step: not used with fluctuations; give method='finite difference'")
        if not is_less(self._step, self.state.temperature):
            raise InputError(
                f"temperature_step: {describe_quantity(self._step)} is not allowed; it must be less than the "
                f"temperature, {describe_quantity(self.state.temperature)}"
            )
        return self

    @abstractmethod
    def average(self, simulations: Replicas, molecules: int, pressure: Quantity) -> Protocol:
        """Return the average whose derivative it is, of a liquid of so many molecules."""

    def constant(
        self,
        force_field: ParameterSource,  # noqa: ARG002
        settings: SimulationSettings,  # noqa: ARG002
    ) -> Quantity | None:
        """Return what is added to the difference."""
        return None

    def first_rounds(self, settings: SimulationSettings) -> tuple[int, ...]:
        """Return for each replica how many runs it begins with: one for a difference of means."""
        if self.method == "finite difference":
            return (1,) * settings.least_replicas
        return super().first_rounds(settings)

    def workflow(
        self, force_field: ParameterSource, settings: SimulationSettings, rounds: Sequence[int] | None = None
    ) -> PropertyWorkflow:
        """Return the estimate from fluctuations, or the difference between liquids at two temperatures."""
        if self.method == "fluctuations":
            return super().workflow(force_field, settings, rounds)
        pressure, step = applied_pressure(self), self._step.to("kelvin").magnitude
        molecules = sum(self.substance.counts(settings.number_of_molecules))
        terms: list[tuple[str, Quantity, Protocol]] = []
        simulations: Replicas = ()
        for sign in (1, -1):
            temperature = registry.Quantity(
                self.state.temperature.to("kelvin").magnitude + sign * step, "kelvin"
            )
            state = ThermodynamicState(temperature=temperature, pressure=pressure)
            replicas = liquid_replicas(self.substance, state, force_field, settings, rounds)
            average = self.average(replicas, molecules, pressure)
            weight = registry.Quantity(sign / (2 * step), "1/kelvin")
            terms.append((f"at {describe_quantity(temperature)}", weight, average))
            simulations += replicas
        total = WeightedSum.of_averages(terms, self.constant(force_field, settings))
        return PropertyWorkflow(total, simulations, number_of_liquids=2)

    @property
    def _step(self) -> Quantity:
        return _STEP if self.temperature_step is None else self.temperature_step

    def __str__(self) -> str:
        text = super().__str__()
        if self.method == "fluctuations":
            return text
        return f"{text}, by finite difference over {describe_quantity(self._step)}"
