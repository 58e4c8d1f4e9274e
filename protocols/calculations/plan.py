"""What a calculation would do: how much is shared, and roughly for how long and on how much disk it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

from protocols.calculations.calculation import Calculation
from protocols.campaign import Campaign, share_of_workers
from protocols.dynamics.plans import roundings_of
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.dynamics.slab import OpenMMSlabSimulation
from protocols.dynamics.transport import OpenMMTransportSimulation
from protocols.graphs.protocol import Protocol, upstream_first
from protocols.purpose import purpose_of
from protocols.quantities import ratio
from protocols.running.workers import pool_for_simulations
from protocols.systems.coordinates import BuildCoordinatesPackmol
from protocols.systems.given import TakeCoordinates
from protocols.systems.topology import Molecule
from workflow_backends.errors import PlatformUnavailableError
from workflow_backends.layout import measure_layouts
from workflow_backends.machine import available_cpus
from workflow_backends.platforms import select_platform
from workflow_backends.resources import ComputeResources
from workflow_backends.speed import measure_speed

__all__ = ["Plan", "plan_of"]

Simulation: TypeAlias = OpenMMSimulation | OpenMMTransportSimulation

_BOXES = (BuildCoordinatesPackmol, TakeCoordinates)
_ATOMS_OF_WATER = 3
_LEAST_ATOMS = 300  # smaller systems cost as much a step
_TENSOR_STEPS = 15  # what one pressure tensor of a transport simulation costs
_SLAB_FACTOR = 3.0  # long box, Lennard-Jones interactions of full range
# Measured: states, checkpoints and systems; tables and their segments; results and provenance.
_BYTES_AN_ATOM, _BYTES_A_FRAME, _BYTES_A_PROTOCOL = 300, 400, 16_000
_BYTES_OF_A_POSITION = {None: 0, "dcd": 12, "xtc": 4}


@dataclass(frozen=True)
class Plan:
    """What a calculation would do in its first round.

    Parameters
    ----------
    properties
        In words.
    own_defaults
        What of its own defaults each property uses, one line for each that does, in words.
    targets
        How many of them are simulated on, round by round, until a target is met.
    protocols, protocols_unshared
        How many there are, and how many there would be if nothing were shared.
    simulations, simulations_unshared
        Those of them that are simulations; minimisations are none.
    purposes
        How many of the simulations are for equilibration, and how many for production.
    simulated_ns
        In all simulations together.
    workers
        In words.
    ns_per_day
        Of one worker with the largest box; None if nothing was measured.
    seconds
        Of the first round, rough; None if nothing was measured.
    bytes_on_disk
        Of the first round, rough.
    notes
        Which times are rounded, and what the numbers leave out.
    """

    properties: tuple[str, ...]
    own_defaults: tuple[str, ...]
    targets: int
    protocols: int
    protocols_unshared: int
    simulations: int
    simulations_unshared: int
    purposes: dict[str, int]
    simulated_ns: float
    workers: str
    ns_per_day: float | None
    seconds: float | None
    bytes_on_disk: int
    notes: tuple[str, ...]

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)

    def __str__(self) -> str:
        shared = self.simulations_unshared - self.simulations
        speed = "" if self.ns_per_day is None else f"; one worker makes {self.ns_per_day:.3g} ns/day"
        first = " in the first round" if self.targets else ""
        time = "not measured" if self.seconds is None else f"about {_duration(self.seconds)}{first}"
        purposes = ", ".join(f"{number} of {purpose}" for purpose, number in self.purposes.items())
        lines = [
            f"properties   {len(self.properties)}, {self.targets} of them with a target",
            *(f"             {text}" for text in self.properties),
            *(f"defaults     {text}" for text in self.own_defaults),
            f"simulations  {self.simulations}{first}: {purposes}; {self.simulated_ns:.3g} ns in all; "
            f"sharing saves {shared} more",
            f"protocols    {self.protocols}; sharing saves {self.protocols_unshared - self.protocols} more",
            f"workers      {self.workers}{speed}",
            f"time         {time}",
            f"disk         about {_size(self.bytes_on_disk)}",
            *(f"note         {note}" for note in self.notes),
        ]
        return "\n".join(lines)


def plan_of(calculation: Calculation, *, measure: bool = True) -> Plan:
    """Return the plan of a calculation.

    Parameters
    ----------
    calculation
        That has been read.
    measure
        Whether to run boxes of water for a few seconds, on which the estimate of the time rests.
    """
    campaigns = [
        Campaign(item, calculation.force_field, calculation.settings, calculation.limits, directory=None)
        for item in calculation.properties
    ]
    largest = max(_atoms(runs[0]) for campaign in campaigns for runs in campaign.workflow.simulations)
    workers, number, resources = _workers(calculation, largest)
    share = share_of_workers(number, campaigns)
    ends = [campaign.next_workflow(share).result for campaign in campaigns]
    together = upstream_first(ends)
    apart = [each for end in ends for each in upstream_first([end])]
    simulations = _simulations(together)
    atoms = {each.identity: _atoms(each) for each in simulations}
    speed = _measured(resources, number, max(atoms.values())) if measure else None
    targets = sum(item.target is not None for item in calculation.properties)
    return Plan(
        properties=tuple(map(str, calculation.properties)),
        own_defaults=tuple(
            f"of {item}: {said}"
            for item in calculation.properties
            if (said := item.own_defaults(calculation.settings))
        ),
        targets=targets,
        protocols=len(together),
        protocols_unshared=len(apart),
        simulations=len(simulations),
        simulations_unshared=len(_simulations(apart)),
        purposes=dict(Counter(map(_purpose, simulations))),
        simulated_ns=sum(map(_simulated_ns, simulations)),
        workers=workers,
        ns_per_day=speed,
        seconds=None if speed is None else _days(simulations, atoms, number) / speed * 86400,
        bytes_on_disk=_BYTES_A_PROTOCOL * len(together)
        + sum(_bytes(s, atoms[s.identity]) for s in simulations),
        notes=(*roundings_of(simulations), *_notes(calculation, targets, measured=speed is not None)),
    )


def _simulations(protocols: Iterable[Protocol]) -> list[Simulation]:
    return [each for each in protocols if isinstance(each, OpenMMSimulation | OpenMMTransportSimulation)]


def _purpose(simulation: Simulation) -> str:
    upstream = [each.label for each in simulation.upstream]
    return purpose_of(upstream, continues=bool(getattr(simulation, "continues", False)))


def _atoms(simulation: Simulation) -> int:
    """Return the atoms of a box, virtual sites left out."""
    boxes = [each for each in upstream_first([simulation]) if isinstance(each, _BOXES)]
    if not boxes:
        return 0
    substance, number = boxes[-1].substance, boxes[-1].number_of_molecules
    counted = zip(substance.components, substance.counts(number), strict=True)
    return sum(count * len(Molecule.from_smiles(component.smiles).elements) for component, count in counted)


def _simulated_ns(simulation: Simulation) -> float:
    owner = simulation if isinstance(simulation, OpenMMTransportSimulation) else simulation.dynamics
    return simulation.steps * float(owner.timestep.to("ns").magnitude)


def _days(simulations: Sequence[Simulation], atoms: dict[str, int], workers: int) -> float:
    """Return the time in units in which one worker simulates 1 ns of the largest box."""
    largest = max([*atoms.values(), _LEAST_ATOMS])
    cost = {
        each.identity: _simulated_ns(each) * _factor(each) * max(atoms[each.identity], _LEAST_ATOMS) / largest
        for each in simulations
        if atoms[each.identity]  # a gas costs next to nothing
    }
    one_after_the_other = max(
        sum(cost.get(each.identity, 0.0) for each in upstream_first([last])) for last in simulations
    )
    return max(sum(cost.values()) / workers, one_after_the_other if len(simulations) > 1 else 0.0)


def _factor(simulation: Simulation) -> float:
    """Return how many times a plain simulation's time one of this kind takes."""
    if isinstance(simulation, OpenMMSlabSimulation):
        return _SLAB_FACTOR
    if isinstance(simulation, OpenMMTransportSimulation):
        return 1 + _TENSOR_STEPS * ratio(simulation.timestep, simulation.transport.stress_interval)
    return 1.0


def _bytes(simulation: Simulation, atoms: int) -> int:
    if isinstance(simulation, OpenMMTransportSimulation):
        return round(_BYTES_AN_ATOM * atoms + _BYTES_A_FRAME * simulation.steps / 10)
    dynamics = simulation.dynamics
    frames = ratio(simulation.simulated_time, dynamics.output_interval)
    kept = ratio(simulation.simulated_time, dynamics.trajectory_interval)
    positions = _BYTES_OF_A_POSITION[dynamics.trajectory] * atoms * kept
    return round(_BYTES_AN_ATOM * atoms + _BYTES_A_FRAME * frames + positions)


def _workers(calculation: Calculation, atoms: int) -> tuple[str, int, ComputeResources]:
    """Return the workers for simulations in words, how many there are, and what each owns."""
    if calculation.backend is None:
        best = measure_layouts(max(atoms, _LEAST_ATOMS))[0]
        words = f"{best.number_of_workers} x {best.resources_per_worker}, the fastest here"
        return words, best.number_of_workers, best.resources_per_worker
    pool = pool_for_simulations(calculation.make_backend())
    return f"{pool.number_of_workers} x {pool.resources}", pool.number_of_workers, pool.resources


def _measured(resources: ComputeResources, workers: int, atoms: int) -> float | None:
    """Return the ns/day of one worker while as many run as there are, as far as this machine has room.

    None where it lacks the platform, which the nodes of a cluster may have.
    """
    room = 1 if resources.number_of_gpus else available_cpus() // resources.number_of_threads
    try:
        choices = [select_platform(resources)] * max(1, min(workers, room))
    except PlatformUnavailableError:
        return None
    found = measure_speed(choices, max(atoms, _LEAST_ATOMS) // _ATOMS_OF_WATER)
    return None if isinstance(found, str) else sum(found) / len(found)


def _notes(calculation: Calculation, targets: int, *, measured: bool) -> tuple[str, ...]:
    notes = [f"left out of the data set: {text}" for text in calculation.data.left_out]
    if targets:
        notes.append(f"targets take more rounds of production, at most {calculation.limits.rounds}")
    if measured:
        notes.append("the time is that of water boxes of this size here; other force fields differ")
    if measured and calculation.backend is not None and hasattr(calculation.make_backend(), "job_script"):
        notes.append("measured on this machine, not on the cluster's nodes; waiting in the queue is left out")
    return tuple(notes)


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _size(number: float) -> str:
    return f"{number / 1e6:.2g} MB" if number < 1e9 else f"{number / 1e9:.2g} GB"
