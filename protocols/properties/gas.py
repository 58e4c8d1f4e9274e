"""Replicas of one molecule of a gas, from conformer to production."""

from __future__ import annotations

from collections.abc import Sequence

from protocols.dynamics.gas import BuildGasMolecule, OpenMMGasSimulation
from protocols.properties.base import Replicas
from protocols.properties.liquid import production
from protocols.quantities import quantity
from protocols.randomness import derived_seed
from protocols.settings import SimulationSettings
from protocols.state import ThermodynamicState
from protocols.systems.sources import ParameterSource, preparations

__all__ = ["gas_replicas", "gas_settings"]

# A box averages over hundreds of molecules at once, the gas has one; it costs next to nothing, so that its
# error should not be what a property waits for.
_TIMES_AS_LONG = 20
_SEGMENT = quantity("200 ps")


def gas_replicas(
    smiles: str,
    state: ThermodynamicState,
    force_field: ParameterSource,
    settings: SimulationSettings,
    rounds: Sequence[int] | None = None,
) -> Replicas:
    """Return the production runs of one molecule in vacuum: replicas with a conformer of their own.

    Parameters
    ----------
    smiles
        Of the molecule.
    state
        Whose temperature it has.
    force_field, settings
        Those of the liquid; runs take 20 times the settings' production_time.
    rounds
        How many production runs each replica has, one after the other; None runs each once.
    """
    own = gas_settings(smiles, settings)
    counts = (1,) * settings.least_replicas if rounds is None else rounds
    return tuple(
        production(number, count, _equilibrated(number, smiles, state, force_field, own), own)
        for number, count in enumerate(counts)
    )


def gas_settings(smiles: str, settings: SimulationSettings) -> SimulationSettings:
    """Return the settings of a gas beside a liquid: longer runs, Langevin, random numbers of its own."""
    return settings.without_trajectory().model_copy(
        update={
            "seed": derived_seed(settings.seed, "gas", smiles),
            "production_time": settings.production_time * _TIMES_AS_LONG,
            "segment_time": settings.segment_time or _SEGMENT,
            "integrator": "LangevinMiddle",  # one molecule is no bath for itself
        }
    )


def _equilibrated(
    number: int,
    smiles: str,
    state: ThermodynamicState,
    force_field: ParameterSource,
    settings: SimulationSettings,
) -> OpenMMGasSimulation:
    built = BuildGasMolecule(
        smiles=smiles,
        force_field=force_field,
        interactions=settings.interactions,
        parameters=preparations(force_field, [smiles]),
        seed=derived_seed(settings.seed, "conformer", number),
    )
    return OpenMMGasSimulation(
        system_file=built.output.system_file,
        state_file=built.output.state_file,
        state=ThermodynamicState(temperature=state.temperature),
        simulated_time=settings.equilibration_time,
        dynamics=settings.dynamics,
        seed=derived_seed(settings.seed, "equilibration", number),
    )
