"""What a result carries beside its value: checks, how it was sampled, and what its error leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from protocols.analysis.checks import Check, Replica, SimulatedLiquid, check_liquid
from protocols.analysis.combination import Logarithm, WeightedSum
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.graphs.protocol import Protocol, upstream_first
from protocols.graphs.references import OutputReference
from protocols.model import Model
from protocols.properties.base import Property, PropertyWorkflow, Replicas, describe
from protocols.quantities import Quantity, describe_quantity, registry
from protocols.running.run import GraphRun
from protocols.settings import SimulationSettings
from protocols.systems.coordinates import BuildCoordinatesPackmol
from protocols.systems.given import TakeCoordinates

__all__ = ["checks_of", "notes_on", "sampling_of"]


def checks_of(workflow: PropertyWorkflow, run: GraphRun) -> tuple[Check, ...]:
    """Return the checks of each plain liquid whose simulations are finished.

    Segments of constant energy, slabs and alchemical windows are judged where they are analysed.
    """
    liquids = []
    for runs in workflow.liquids:
        replicas = tuple(
            tuple(each for each in replica if type(each) is OpenMMSimulation) for replica in runs
        )
        liquid = _liquid(replicas, run) if all(replicas) else None
        if liquid is not None:
            liquids.append(liquid)
    several_states = len({liquid.state for liquid in liquids}) > 1
    found: list[Check] = []
    for liquid in liquids:
        of = f" of {liquid.substance}" if workflow.number_of_liquids > 1 and liquid.substance else ""
        of += f" at {liquid.state}" if several_states else ""
        found += (Check(check.name + of, check.passed, check.text) for check in check_liquid(liquid))
    return tuple(found)


_TOLD = (
    *("equilibration_time", "production_time", "output_interval"),
    *("integrator", "friction", "barostat_interval"),
)
_BOXES = (BuildCoordinatesPackmol, TakeCoordinates)


def _liquid(replicas: Replicas, run: GraphRun) -> SimulatedLiquid | None:
    """Return what there is of a liquid, None unless all of it is finished."""
    upstream = upstream_first(replica[-1] for replica in replicas)
    if not all(isinstance(run.outcome(protocol), Model) for protocol in upstream):
        return None
    first = replicas[0][0]
    packed = next((protocol for protocol in upstream if isinstance(protocol, _BOXES)), None)
    liquid = SimulatedLiquid(
        state=first.state,
        system_file=_file(first.system_file, run),
        replicas=tuple(
            Replica(
                tables=tuple(_file(each.output.observables_file, run) for each in replica),
                first_state=_file(replica[0].state_file, run),
                last_state=_file(replica[-1].output.state_file, run),
            )
            for replica in replicas
        ),
    )
    if packed is None:
        return liquid
    packing: Any = run.outcome(packed)
    return replace(
        liquid,
        substance=packed.substance,
        number_of_molecules=packed.number_of_molecules,
        packed_density=float(packing.density.to("g/mL").magnitude),
    )


def _file(source: Any, run: GraphRun) -> Path:
    """Return a file that is given, or that a finished protocol has written."""
    if isinstance(source, OutputReference):
        return Path(getattr(run.outcome(source.protocol), source.name))
    return Path(source)


def sampling_of(workflow: PropertyWorkflow, run: GraphRun) -> dict[str, Quantity]:
    """Return how the averages behind a value were sampled, by name; those of a sum say of what they are.

    The longest time that was left out of a replica, the time between uncorrelated samples, and the overlaps
    of alchemical states, each where an average has it.
    """
    return {
        name + of: value
        for of, average in _averages(workflow.result)
        for name, value in _sampling(average, run.outcome(average)).items()
    }


def _averages(end: Any, of: str = "") -> Iterator[tuple[str, Protocol]]:
    """Yield the averages that a value is made of, and the name of each in a sum."""
    if isinstance(end, WeightedSum):
        for name, value in zip(end.names, end.values, strict=True):
            yield from _averages(_source(value), f"{of} ({name})")
    elif isinstance(end, Logarithm):
        yield from _averages(_source(end.value), of)
    elif end is not None:
        yield of, end


def _source(value: Any) -> Protocol | None:
    return value.protocol if isinstance(value, OutputReference) else None


def _sampling(average: Any, outputs: Any) -> dict[str, Quantity]:
    found = {}
    if getattr(outputs, "discarded_ps", ()):  # without it nothing was averaged, as for a value known exactly
        longest = float(np.max(outputs.discarded_ps))
        found["longest discarded time"] = registry.Quantity(longest, "ps")
        found["statistical inefficiency"] = outputs.statistical_inefficiency.to("ps")
    overlaps = getattr(outputs, "overlaps", ())
    if overlaps:
        found["smallest overlap"] = registry.Quantity(min(overlaps), "dimensionless")
    for (first, second), overlap in zip(pairwise(getattr(average, "states", ())), overlaps, strict=False):
        name = f"overlap of lambdas ({first[0]:g}, {first[1]:g}) and ({second[0]:g}, {second[1]:g})"
        found[name] = registry.Quantity(overlap, "dimensionless")
    return found


def notes_on(item: Property, settings: SimulationSettings) -> tuple[str, ...]:
    """Return what the standard error leaves out, and how it was simulated, one line each.

    Parameters
    ----------
    item
        Whose value it is.
    settings
        As the user gave them.
    """
    own, own_defaults = item.settings_for(settings), item.own_defaults(settings)
    switch, masses = own.switching_distance, own.hydrogen_mass
    number = sum(item.substance.counts(own.number_of_molecules))
    return (
        "the standard error is statistical: it knows nothing of the force field's errors or of the settings'",
        f"the value depends on: cutoff {describe_quantity(own.cutoff)}, Lennard-Jones "
        + ("truncated there" if switch is None else f"switched off from {describe_quantity(switch)}")
        + (", with" if own.long_range_correction else ", without")
        + f" long-range correction, Ewald tolerance {own.ewald_error_tolerance:g}, timestep "
        + f"{describe_quantity(own.timestep)}, constraints {own.constraints or 'none'}"
        + ("" if masses is None else f", hydrogen mass {describe_quantity(masses)}"),
        f"the box has {number} molecules; nothing is extrapolated to a larger one",
        "simulated with: "
        + ", ".join(f"{name} {describe(getattr(own, name))}" for name in _TOLD)
        + (f"; defaults of the property's own: {own_defaults}" if own_defaults else ""),
    )
