"""What the standard error of a result leaves out, told of what was simulated."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import openmm

from protocols.analysis.transport_coefficients import AverageDiffusion
from protocols.caveats import density_runs, file_of
from protocols.dynamics.transport import OpenMMTransportSimulation
from protocols.graphs.protocol import upstream_first
from protocols.properties.base import Property, PropertyWorkflow, describe
from protocols.quantities import describe_quantity
from protocols.running.run import GraphRun
from protocols.settings import SimulationSettings
from protocols.systems.interactions import interactions_in_words
from protocols.systems.parameterise import BuildOpenMMSystem

__all__ = ["notes_on"]

_STATISTICAL = (
    "the standard error is statistical: it knows nothing of the force field's errors or of the settings'"
)
_TOLD = ("equilibration_time", "production_time", "output_interval", "integrator", "friction")
_OF_SEGMENTS = ("nve_time", "nve_segments", "nve_spacing", "stress_interval", "displacement_interval")


def notes_on(
    item: Property, settings: SimulationSettings, workflow: PropertyWorkflow, run: GraphRun
) -> tuple[str, ...]:
    """Return what the standard error leaves out, and how it was simulated, one line each.

    Parameters
    ----------
    item
        Whose value it is.
    settings
        As the user gave them.
    workflow, run
        Its protocols, and their outputs, which are finished.
    """
    return tuple(_notes(item, settings, workflow, run))


def _notes(
    item: Property, settings: SimulationSettings, workflow: PropertyWorkflow, run: GraphRun
) -> Iterator[str]:
    yield _STATISTICAL
    first = workflow.simulations[0][0]
    segments = isinstance(first, OpenMMTransportSimulation)
    depends = _dependences(first, run)
    yield f"the value depends on: {depends}"
    for liquid in density_runs(workflow) if segments else ():
        if (other := _dependences(liquid[0][0], run)) != depends:
            yield f"the density of the box depends on: {other}"
    own, own_defaults = item.settings_for(settings), item.own_defaults(settings)
    number = sum(item.substance.counts(own.number_of_molecules))
    yield f"the box has {number} molecules; " + (
        "the value is corrected for that, as by Yeh and Hummer, D_PBC in the details is not"
        if isinstance(workflow.result, AverageDiffusion)
        else "nothing is extrapolated to a larger one"
    )
    told = [*_TOLD, *(_OF_SEGMENTS if segments else ())]
    told += [] if item.state.pressure is None else ["barostat_interval"]
    yield (
        "simulated with: "
        + ", ".join(f"{name} {describe(getattr(own, name))}" for name in told)
        + ("; Verlet's algorithm in segments" if segments else "")
        + (f"; defaults of the property's own: {own_defaults}" if own_defaults else "")
    )


def _dependences(simulation: Any, run: GraphRun) -> str:
    """Return the settings that shift a value, as the System and the simulation have them."""
    segments = isinstance(simulation, OpenMMTransportSimulation)
    timestep = simulation.timestep if segments else simulation.dynamics.timestep
    words = [_in_words(file_of(simulation.system_file, run)), f"timestep {describe_quantity(timestep)}"]
    ends = [] if isinstance(simulation.system_file, Path) else [simulation.system_file.protocol]
    built = [each for each in upstream_first(ends) if isinstance(each, BuildOpenMMSystem)]
    if built:
        words.append(f"constraints {built[-1].interactions.constraints or 'none'}")
        masses = built[-1].interactions.hydrogen_mass
        words += [] if masses is None else [f"hydrogen mass {describe_quantity(masses)}"]
    return ", ".join(words)


@lru_cache(maxsize=64)  # properties share liquids
def _in_words(system_file: Path) -> str:
    return interactions_in_words(openmm.XmlSerializer.deserialize(system_file.read_text(encoding="utf-8")))
