"""The potential energy of a box, as a property whose value can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from protocols import AverageObservable, OpenMMForceField, SimulationSettings
from protocols.properties.averages import tables
from protocols.properties.base import Property, PropertyWorkflow
from protocols.properties.liquid import liquid_replicas

__all__ = ["PotentialEnergy"]


class PotentialEnergy(Property):
    """The potential energy of a whole box, which no property of ours is."""

    unit: ClassVar[str] = "kJ/mol"

    def workflow(
        self, force_field: OpenMMForceField, settings: SimulationSettings, rounds: Sequence[int] | None = None
    ) -> PropertyWorkflow:
        """Return the average over replicas, at constant volume unless the state has a pressure."""
        simulations = liquid_replicas(self.substance, self.state, force_field, settings, rounds)
        average = AverageObservable(
            observable="potential energy", observables_files=tables(simulations), minimum_discard=0.05
        )
        return PropertyWorkflow(average, simulations)
