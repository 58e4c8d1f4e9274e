"""Averages per mole of molecules that several properties are made of, so that they share them."""

from __future__ import annotations

from typing import Any

from protocols.analysis.combination import AverageCombination
from protocols.analysis.observables import AverageObservable
from protocols.constants import BAR_NM3
from protocols.errors import InputError
from protocols.properties.base import Property, Replicas
from protocols.quantities import Quantity, registry

__all__ = ["applied_pressure", "average_enthalpy", "average_volume", "tables"]


def applied_pressure(item: Property) -> Quantity:
    """Return the pressure of a property's state.

    Raises
    ------
    InputError
        The state has none.
    """
    if item.state.pressure is None:
        raise InputError(
            f"pressure: missing; {type(item).__name__} needs a state with a pressure such as '1 atm'"
        )
    return item.state.pressure


def average_enthalpy(simulations: Replicas, molecules: int, pressure: Quantity) -> AverageCombination:
    """Return the average of (U + p V) / N: potential energies, and the applied pressure."""
    return AverageCombination(
        observables=("potential energy", "volume"),
        coefficients=(
            registry.Quantity(1 / molecules, "dimensionless"),
            registry.Quantity(pressure.to("bar").magnitude * BAR_NM3 / molecules, "kJ/mol/nm^3"),
        ),
        observables_files=tables(simulations),
    )


def average_volume(simulations: Replicas) -> AverageObservable:
    """Return the average of the volume of the box."""
    return AverageObservable(observable="volume", observables_files=tables(simulations))


def tables(simulations: Replicas) -> tuple[tuple[Any, ...], ...]:
    """Return the tables of observables as inputs of an average: one tuple a replica."""
    return tuple(tuple(run.output.observables_file for run in replica) for replica in simulations)
