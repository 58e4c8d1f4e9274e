"""The workflow that all properties from fluctuations share."""

from __future__ import annotations

from collections.abc import Sequence

from protocols.fluctuations import AverageFluctuations, Response
from protocols.forcefield import OpenMMForceField
from protocols.properties.averages import applied_pressure, tables
from protocols.properties.base import Property, PropertyWorkflow
from protocols.properties.liquid import liquid_replicas
from protocols.settings import SimulationSettings

__all__ = ["response_workflow"]


def response_workflow(
    item: Property,
    response: Response,
    force_field: OpenMMForceField,
    settings: SimulationSettings,
    rounds: Sequence[int] | None,
) -> PropertyWorkflow:
    """Return the estimate of a response function from the replicas of a liquid at constant pressure.

    Parameters
    ----------
    item
        The property.
    response
        What it is.
    force_field, settings, rounds
        As in `Property.workflow`.

    Raises
    ------
    InputError
        The state has no pressure, or the liquid cannot be simulated so.
    """
    applied_pressure(item)
    simulations = liquid_replicas(item.substance, item.state, force_field, settings, rounds)
    average = AverageFluctuations(
        response=response,
        observables_files=tables(simulations),
        system_file=simulations[0][0].system_file,
        state=item.state,
    )
    return PropertyWorkflow(average, simulations)
