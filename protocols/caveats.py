"""What a result carries beside its value: checks of its simulations, and how its averages were sampled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from protocols.analysis.checks import Check, Replica, SimulatedLiquid, check_liquid, check_segments
from protocols.analysis.combination import Logarithm, WeightedSum
from protocols.analysis.observables import AverageObservable
from protocols.dynamics.slab import BuildSlab
from protocols.dynamics.transport import OpenMMTransportSimulation
from protocols.dynamics.windows import OpenMMAlchemicalSimulation
from protocols.graphs.protocol import Protocol, upstream_first
from protocols.graphs.references import OutputReference
from protocols.model import Model
from protocols.properties.base import PropertyWorkflow, Runs
from protocols.quantities import Quantity, registry
from protocols.running.run import GraphRun
from protocols.state import ThermodynamicState
from protocols.systems.coordinates import BuildCoordinatesPackmol
from protocols.systems.given import TakeCoordinates

__all__ = ["checks_of", "density_runs", "file_of", "sampling_of"]


def checks_of(workflow: PropertyWorkflow, run: GraphRun) -> tuple[Check, ...]:
    """Return the checks of each liquid whose simulations are finished.

    Alchemical windows are looked at together, as one solution. Segments of constant energy have the checks of
    the liquid whose density they are at beside their own.
    """
    plain, segments = _simulated(workflow)
    liquids = [liquid for replicas in plain if (liquid := _liquid(replicas, run)) is not None]
    several = len(liquids) > 1
    several_states = len({liquid.state for liquid in liquids}) > 1
    found: list[Check] = []
    for liquid in liquids:
        of = f" of {liquid.substance}" if several and liquid.substance else ""
        of += f" at {liquid.state}" if several_states else ""
        found += (replace(check, name=check.name + of) for check in check_liquid(liquid))
    measured = _liquid(segments, run) if segments else None
    if measured is not None:
        found += (replace(check, name=f"{check.name} of segments") for check in check_segments(measured))
    return tuple(found)


def _simulated(workflow: PropertyWorkflow) -> tuple[Sequence[Runs], Runs]:
    """Return the replicas of each liquid with a thermostat, and segments of constant energy."""
    first = workflow.simulations[0][0]
    if isinstance(first, OpenMMTransportSimulation):
        return density_runs(workflow), workflow.simulations
    if isinstance(first, OpenMMAlchemicalSimulation):
        return [workflow.simulations], ()
    return workflow.liquids, ()


def density_runs(workflow: PropertyWorkflow) -> list[Runs]:
    """Return the replicas of the liquid at constant pressure whose density segments have, if there is one."""
    averages: list[Any] = [
        each
        for each in upstream_first([workflow.result])
        if isinstance(each, AverageObservable) and each.observable == "density"
    ]
    return [
        tuple(tuple(file.protocol for file in files) for files in average.observables_files)
        for average in averages
    ]


_BOXES = (BuildCoordinatesPackmol, TakeCoordinates)


def _liquid(replicas: Runs, run: GraphRun) -> SimulatedLiquid | None:
    """Return what there is of a liquid, None unless all of it is finished."""
    upstream = upstream_first(replica[-1] for replica in replicas)
    if not all(isinstance(run.outcome(protocol), Model) for protocol in upstream):
        return None
    first: Any = replicas[0][0]
    segments = isinstance(first, OpenMMTransportSimulation)
    table = "segments_file" if segments else "observables_file"
    packed = next((protocol for protocol in upstream if isinstance(protocol, _BOXES)), None)
    slab = next((protocol for protocol in upstream if isinstance(protocol, BuildSlab)), None)
    liquid = SimulatedLiquid(
        state=ThermodynamicState(temperature=first.temperature) if segments else first.state,
        system_file=file_of(first.system_file, run),
        replicas=tuple(
            Replica(
                tables=tuple(file_of(getattr(each.output, table), run) for each in replica),
                first_state=file_of(replica[0].state_file, run),
                last_state=file_of(replica[-1].output.state_file, run),
            )
            for replica in replicas
        ),
        filled=1.0 if slab is None else 1 / slab.elongation,
    )
    if packed is None:
        return liquid
    return replace(liquid, substance=packed.substance, number_of_molecules=packed.number_of_molecules)


def file_of(source: Any, run: GraphRun) -> Path:
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
