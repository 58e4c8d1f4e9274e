"""Simulations of a solute that vanishes step by step, in its solvent and in vacuum."""

from __future__ import annotations

from collections.abc import Sequence

from protocols.dynamics.gas import BuildGasMolecule
from protocols.dynamics.windows import OpenMMAlchemicalGasSimulation, OpenMMAlchemicalSimulation
from protocols.lambdas import AlchemicalState
from protocols.properties.base import Replicas
from protocols.properties.gas import gas_settings
from protocols.properties.liquid import check_liquid, production, relaxed_box
from protocols.randomness import derived_seed
from protocols.settings import SimulationSettings
from protocols.state import ThermodynamicState
from protocols.substance import Role, Substance
from protocols.systems.alchemy import BuildAlchemicalSystem
from protocols.systems.sources import ParameterSource, preparations

__all__ = ["liquid_windows", "vacuum_windows"]


def liquid_windows(
    substance: Substance,
    state: ThermodynamicState,
    states: tuple[AlchemicalState, ...],
    force_field: ParameterSource,
    settings: SimulationSettings,
    *,
    rounds: Sequence[int] | None = None,
) -> tuple[Replicas, ...]:
    """Return, for each state of the first solute, the production runs of the solution.

    Each replica has a packing of its own, from which all its windows start side by side.

    Parameters
    ----------
    substance, state, force_field, settings
        What is simulated, and how.
    states
        Of the solute.
    rounds
        How many production runs each replica of each window has; None runs each once.

    Raises
    ------
    InputError
        The force field does not cover a component, or the box would be too small for the cutoff.
    """
    check_liquid(substance, force_field, settings)
    counts = (1,) * settings.least_replicas if rounds is None else rounds
    first = _first_solute(substance, settings.number_of_molecules)
    alchemical = []
    for number in range(len(counts)):
        built, relaxed = relaxed_box(number, substance, force_field, settings)
        system = BuildAlchemicalSystem(system_file=built.output.system_file, molecule=first)
        alchemical.append((system, relaxed))
    windows = []
    for window in range(len(states)):
        own = _own_settings(settings, window)
        equilibrated = [
            OpenMMAlchemicalSimulation(
                system_file=system.output.system_file,
                state_file=relaxed.output.state_file,
                state=state,
                simulated_time=own.equilibration_time,
                dynamics=own.dynamics,
                seed=derived_seed(own.seed, "equilibration", number),
                states=states,
                window=window,
            )
            for number, (system, relaxed) in enumerate(alchemical)
        ]
        windows.append(_produced(equilibrated, counts, own))
    return tuple(windows)


def vacuum_windows(
    smiles: str,
    state: ThermodynamicState,
    states: tuple[AlchemicalState, ...],
    force_field: ParameterSource,
    settings: SimulationSettings,
    *,
    rounds: Sequence[int] | None = None,
) -> tuple[Replicas, ...]:
    """Return, for each state, the production runs of one molecule in vacuum.

    Parameters
    ----------
    smiles
        Of the molecule.
    state
        Whose temperature it has.
    states, force_field, settings, rounds
        Those of the liquid; runs take 20 times the settings' production_time.
    """
    counts = (1,) * settings.least_replicas if rounds is None else rounds
    gas = gas_settings(smiles, settings)
    molecules = [
        BuildGasMolecule(
            smiles=smiles,
            force_field=force_field,
            interactions=gas.interactions,
            parameters=preparations(force_field, [smiles]),
            seed=derived_seed(gas.seed, "conformer", number),
        )
        for number in range(len(counts))
    ]
    windows = []
    for window in range(len(states)):
        own = _own_settings(gas, window)
        equilibrated: list[OpenMMAlchemicalSimulation] = [
            OpenMMAlchemicalGasSimulation(
                system_file=BuildAlchemicalSystem(
                    system_file=molecule.output.system_file, molecule=0
                ).output.system_file,
                state_file=molecule.output.state_file,
                state=ThermodynamicState(temperature=state.temperature),
                simulated_time=own.equilibration_time,
                dynamics=own.dynamics,
                seed=derived_seed(own.seed, "equilibration", number),
                states=states,
                window=window,
            )
            for number, molecule in enumerate(molecules)
        ]
        windows.append(_produced(equilibrated, counts, own))
    return tuple(windows)


def _own_settings(settings: SimulationSettings, window: int) -> SimulationSettings:
    """Return settings with random numbers of the window's own."""
    return settings.model_copy(update={"seed": derived_seed(settings.seed, "window", window)})


def _produced(
    equilibrated: Sequence[OpenMMAlchemicalSimulation], rounds: Sequence[int], settings: SimulationSettings
) -> Replicas:
    return tuple(
        production(number, count, start, settings)
        for number, (start, count) in enumerate(zip(equilibrated, rounds, strict=True))
    )


def _first_solute(substance: Substance, number_of_molecules: int) -> int:
    """Return the number, from 0, of the first molecule in the box that is a solute."""
    counts = substance.counts(number_of_molecules)
    roles = [component.role for component in substance.components]
    return sum(counts[: roles.index(Role.solute)])
