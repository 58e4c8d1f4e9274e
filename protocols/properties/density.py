"""Mass density of a liquid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from protocols.analysis.observables import AverageObservable
from protocols.properties.averages import applied_pressure, tables
from protocols.properties.base import Property, PropertyWorkflow
from protocols.properties.liquid import liquid_replicas
from protocols.settings import SimulationSettings
from protocols.systems.sources import ParameterSource

__all__ = ["Density"]


class Density(Property):
    """The mass density <m / V> at constant pressure, m the mass of the box and V its volume.

    The barostat is that of K.-H. Chow and D. M. Ferguson, Comput. Phys. Commun. 91, 283 (1995). Source of the
    average: M. P. Allen and D. J. Tildesley, Computer Simulation of Liquids, 2nd ed. (Oxford, 2017), 2.4.

    Parameters
    ----------
    substance
        Pure or a mixture.
    state
        With a pressure.
    target
        Standard error at which to stop, such as "0.2 %" or "0.002 g/mL".
    """

    unit: ClassVar[str] = "g/mL"

    def workflow(
        self, force_field: ParameterSource, settings: SimulationSettings, rounds: Sequence[int] | None = None
    ) -> PropertyWorkflow:
        """Return the average of the density over replicas at constant pressure."""
        applied_pressure(self)
        simulations = liquid_replicas(self.substance, self.state, force_field, settings, rounds)
        average = AverageObservable(observable="density", observables_files=tables(simulations))
        return PropertyWorkflow(average, simulations)
