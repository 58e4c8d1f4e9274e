"""What a result carries beside its value: checks of its simulations, and what its error leaves out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from protocols.analysis.checks import Check, Replica, SimulatedLiquid, check_liquid
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.graphs.protocol import upstream_first
from protocols.graphs.references import OutputReference
from protocols.model import Model
from protocols.properties.base import PropertyWorkflow, Replicas
from protocols.quantities import describe_quantity
from protocols.running.run import GraphRun
from protocols.settings import SimulationSettings
from protocols.substance import Substance
from protocols.systems.coordinates import BuildCoordinatesPackmol
from protocols.systems.given import TakeCoordinates

__all__ = ["checks_of", "notes_on"]


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


def notes_on(substance: Substance, settings: SimulationSettings) -> tuple[str, ...]:
    """Return what the standard error leaves out, one line each."""
    switch, masses = settings.switching_distance, settings.hydrogen_mass
    number = sum(substance.counts(settings.number_of_molecules))
    return (
        "the standard error is statistical: it knows nothing of the force field's errors or of the settings'",
        f"the value depends on: cutoff {describe_quantity(settings.cutoff)}, Lennard-Jones "
        + ("truncated there" if switch is None else f"switched off from {describe_quantity(switch)}")
        + (", with" if settings.long_range_correction else ", without")
        + f" long-range correction, Ewald tolerance {settings.ewald_error_tolerance:g}, timestep "
        + f"{describe_quantity(settings.timestep)}, constraints {settings.constraints or 'none'}"
        + ("" if masses is None else f", hydrogen mass {describe_quantity(masses)}"),
        f"the box has {number} molecules; nothing is extrapolated to a larger one",
    )
