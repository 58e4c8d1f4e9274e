"""Replicas of a liquid in a periodic box, from packing to production."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations

import numpy as np

from protocols.dynamics.minimisation import OpenMMEnergyMinimisation
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.errors import InputError
from protocols.graphs.protocol import inputs_of
from protocols.identity import digest
from protocols.model import Model
from protocols.properties.boxes import given_box, packing_density
from protocols.randomness import derived_seed
from protocols.settings import SimulationSettings, check_cutoff
from protocols.state import ThermodynamicState
from protocols.substance import Substance, net_charge
from protocols.systems.coordinates import BuildCoordinatesPackmol
from protocols.systems.given import TakeCoordinates, in_order_of
from protocols.systems.molecules import graph_of_smiles
from protocols.systems.parameterise import BuildOpenMMSystem
from protocols.systems.sources import ParameterSource, preparations
from protocols.systems.topology import Molecule

__all__ = [
    "check_liquid",
    "equilibrated_liquid",
    "equilibrated_liquids",
    "liquid_replicas",
    "packed_liquid",
    "production",
    "relaxed_box",
]


def liquid_replicas(
    substance: Substance,
    state: ThermodynamicState,
    force_field: ParameterSource,
    settings: SimulationSettings,
    rounds: Sequence[int] | None = None,
) -> tuple[tuple[OpenMMSimulation, ...], ...]:
    """Return the production runs of a liquid: replicas with a packing and velocities of their own.

    Parameters
    ----------
    substance, state, force_field, settings
        What is simulated, and how.
    rounds
        How many production runs each replica has, one after the other; None runs each once.

    Raises
    ------
    InputError
        The force field does not cover a component, the box would be too small for the cutoff, or its ions do
        not balance.
    """
    counts = (1,) * settings.least_replicas if rounds is None else rounds
    liquids = equilibrated_liquids(substance, state, force_field, settings, len(counts))
    return tuple(
        production(number, count, liquid, settings)
        for number, (count, liquid) in enumerate(zip(counts, liquids, strict=True))
    )


def equilibrated_liquids(
    substance: Substance,
    state: ThermodynamicState,
    force_field: ParameterSource,
    settings: SimulationSettings,
    replicas: int,
) -> list[OpenMMSimulation]:
    """Return the runs that production of a liquid starts from, one a replica.

    Parameters and errors are those of `liquid_replicas`, with the number of replicas.
    """
    check_liquid(substance, force_field, settings)
    return [
        equilibrated_liquid(number, substance, state, force_field, settings) for number in range(replicas)
    ]


# Sweeps over states ask for the same box again and again.
@lru_cache(maxsize=1000)
def check_liquid(substance: Substance, force_field: ParameterSource, settings: SimulationSettings) -> None:
    """Raise InputError if the force field does not cover it, or its box is too small for the cutoff."""
    for component in substance.components:
        force_field.check_covers(component.smiles)
    _check_isomers([component.smiles for component in substance.components], force_field)
    counts = substance.counts(settings.number_of_molecules)
    charges = [net_charge(component.smiles) for component in substance.components]
    charge = sum(each * count for each, count in zip(charges, counts, strict=True))
    if charge != 0:
        raise InputError(
            f"substance: a box of {substance} has a net charge of {charge:+d} e; give ions that balance"
        )
    box = given_box(force_field, settings)
    if box is not None:
        in_order_of(box, substance, counts)
        check_cutoff(settings.cutoff, float(np.diag(box.vectors).min()), f"the box of {box.name}")
        return
    masses = [Molecule.from_smiles(component.smiles).mass for component in substance.components]
    total = sum(mass * count for mass, count in zip(masses, counts, strict=True))
    settings.check_box(total, packing_density(substance, settings))


def _check_isomers(smiles: Sequence[str], force_field: ParameterSource) -> None:
    """Refuse molecules with parameters of their own each, which are found by elements and bonds alone."""
    computed = [each for each in dict.fromkeys(smiles) if force_field.preparations(each)]
    for first, second in combinations(computed, 2):
        if graph_of_smiles(first).matched(graph_of_smiles(second)) is not None:
            raise InputError(
                f"substance: {first} and {second} have the same atoms and bonds, by which {force_field} "
                "finds its parameters; give one of these isomers in a box"
            )


@lru_cache(maxsize=1000)
def relaxed_box(
    number: int, substance: Substance, force_field: ParameterSource, settings: SimulationSettings
) -> tuple[BuildOpenMMSystem, OpenMMEnergyMinimisation]:
    """Return the protocols that give one replica, by its number, its system and its first state."""
    built = BuildOpenMMSystem(
        coordinates_file=packed_liquid(number, substance, force_field, settings).output.coordinates_file,
        force_field=force_field,
        interactions=settings.interactions,
        parameters=preparations(force_field, [component.smiles for component in substance.components]),
    )
    relaxed = OpenMMEnergyMinimisation(
        system_file=built.output.system_file, state_file=built.output.state_file
    )
    return built, relaxed


def packed_liquid(
    number: int, substance: Substance, force_field: ParameterSource, settings: SimulationSettings
) -> BuildCoordinatesPackmol | TakeCoordinates:
    """Return the protocol that packs the box of one replica, by its number from 0, or takes a given one."""
    if given_box(force_field, settings) is not None:
        given = settings.initial_coordinates
        return TakeCoordinates(
            substance=substance,
            number_of_molecules=settings.number_of_molecules,
            coordinates_file=given,
            force_field=force_field if given is None else None,
        )
    return BuildCoordinatesPackmol(
        substance=substance,
        number_of_molecules=settings.number_of_molecules,
        density=packing_density(substance, settings),
        seed=derived_seed(settings.seed, "packing", _name(substance), number),
    )


def equilibrated_liquid(
    number: int,
    substance: Substance,
    state: ThermodynamicState,
    force_field: ParameterSource,
    settings: SimulationSettings,
) -> OpenMMSimulation:
    """Return the simulation that equilibrates one replica, by its number from 0."""
    built, relaxed = relaxed_box(number, substance, force_field, settings)
    return OpenMMSimulation(
        system_file=built.output.system_file,
        state_file=relaxed.output.state_file,
        state=state,
        simulated_time=settings.equilibration_time,
        dynamics=settings.dynamics.without_trajectory(),
        topology_file=built.output.topology_file,
        # Liquids with equal random numbers would have volumes that correlate.
        seed=derived_seed(settings.seed, "equilibration", _name(substance), _name(state), number),
    )


def _name(model: Model) -> str:
    """Return a name for the substance or state, the same for equal ones."""
    return digest(model.identity_content())


def production(
    number: int, rounds: int, equilibrated: OpenMMSimulation, settings: SimulationSettings
) -> tuple[OpenMMSimulation, ...]:
    """Return the rounds of one replica, each of which goes on where the last one ended.

    Parameters
    ----------
    number
        Of the replica, from 0.
    rounds
        How many.
    equilibrated
        The simulation to start from; those that follow are of its kind, and their seeds follow from its own.
    settings
        Time and dynamics.
    """
    runs: list[OpenMMSimulation] = []
    for round_number in range(rounds):
        before = runs[-1] if runs else equilibrated
        runs.append(
            type(equilibrated)(
                **inputs_of(equilibrated)
                | {
                    "state_file": before.output.state_file,
                    "simulated_time": settings.production_time,
                    "dynamics": settings.dynamics,
                    "continues": round_number > 0,
                    "seed": derived_seed(equilibrated.seed, "production", number, round_number),
                }
            )
        )
    return tuple(runs)
