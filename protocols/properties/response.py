"""What properties from fluctuations share: one estimate from the replicas of a liquid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from protocols.analysis.fluctuations import AverageFluctuations, Response
from protocols.properties.averages import applied_pressure, tables
from protocols.properties.base import Property, PropertyWorkflow
from protocols.properties.liquid import liquid_replicas
from protocols.settings import SimulationSettings
from protocols.systems.sources import ParameterSource

__all__ = ["ResponseProperty"]


class ResponseProperty(Property):
    """A response function of a liquid at constant pressure, from the simulations that give its density.

    A variance takes some 200 uncorrelated samples to be trusted, a mean 50. So each replica runs on for five
    times the default production_time, unless the settings have one.
    """

    response: ClassVar[Response]
    """Which one."""
    default_runs: ClassVar[int] = 5

    def workflow(
        self, force_field: ParameterSource, settings: SimulationSettings, rounds: Sequence[int] | None = None
    ) -> PropertyWorkflow:
        """Return the estimate from replicas at constant pressure, those of the density."""
        applied_pressure(self)
        rounds = self.first_rounds(settings) if rounds is None else rounds
        simulations = liquid_replicas(self.substance, self.state, force_field, settings, rounds)
        average = AverageFluctuations(
            response=self.response,
            observables_files=tables(simulations),
            system_file=simulations[0][0].system_file,
            state=self.state,
        )
        return PropertyWorkflow(average, simulations)
