"""What diffusion and viscosity share: segments of constant energy at one state, and their viscosity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from protocols.analysis.observables import AverageObservable
from protocols.analysis.transport_coefficients import AverageViscosity
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.dynamics.transport import OpenMMTransportSimulation
from protocols.errors import InputError
from protocols.properties.averages import tables
from protocols.properties.base import Property
from protocols.properties.boxes import check_box_shape, check_density_is_given, density_of_box
from protocols.properties.liquid import check_liquid, equilibrated_liquid, liquid_replicas, packed_liquid
from protocols.quantities import describe_quantity
from protocols.randomness import derived_seed
from protocols.settings import SimulationSettings
from protocols.state import ThermodynamicState
from protocols.substance import Substance
from protocols.systems.parameterise import BuildOpenMMSystem
from protocols.systems.rescaling import ScaleToDensity
from protocols.systems.sources import ParameterSource, preparations

__all__ = ["Segments", "transport_segments"]

_EWALD = 1e-5  # at more, its noise in the pressure tensor, a hundred bar, is comparable with the signal

_Runs: TypeAlias = tuple[tuple[OpenMMTransportSimulation, ...], ...]


class Segments(NamedTuple):
    """Segments of constant energy, and the viscosity that they give.

    Parameters
    ----------
    simulations
        One tuple a replica, each going on where the last one ended.
    viscosity
        From all of them.
    """

    simulations: _Runs
    viscosity: AverageViscosity

    def files(self, name: str) -> tuple[tuple[Any, ...], ...]:
        """Return the tables of this name: one tuple a replica."""
        return _files(self.simulations, name)


def transport_segments(
    item: Property,
    force_field: ParameterSource,
    settings: SimulationSettings,
    rounds: Sequence[int] | None = None,
    *,
    cubic: bool = False,
) -> Segments:
    """Return the segments of a property's state, which are the same for all properties of it.

    With a pressure, the box has the mean density of the liquid at that pressure, from the first production
    runs of those replicas that a `Density` begins with; more replicas and rounds leave it as it is. Without a
    pressure it keeps the density of packing, or of the box that is given.

    Parameters
    ----------
    item
        With its substance and state.
    force_field, settings
        Of the simulations.
    rounds
        How many times each replica runs the settings' segments; None runs each once.
    cubic
        Whether the property needs a cubic box, not only a rectangular one.

    Raises
    ------
    InputError
        Hydrogens have more than their mass, there is neither a pressure nor a density, or the force field or
        the box does not fit.
    """
    if settings.hydrogen_mass is not None:
        raise InputError(
            f"hydrogen_mass: {describe_quantity(settings.hydrogen_mass)} is not allowed for "
            f"{type(item).__name__}; molecules must have their masses, give None and a "
            "timestep of 2 fs"
        )
    check_density_is_given(item.substance, item.state, force_field, settings)
    check_box_shape(type(item).__name__, force_field, settings, cubic=cubic)
    check_liquid(item.substance, force_field, settings)
    counts = (1,) * settings.least_replicas if rounds is None else tuple(rounds)
    starts = _equilibrated(item, force_field, settings, len(counts))
    components = tuple(item.substance.counts(settings.number_of_molecules))
    runs: _Runs = tuple(
        _rounds(number, count, start, components, settings)
        for number, (count, start) in enumerate(zip(counts, starts, strict=True))
    )
    viscosity = AverageViscosity(
        stress_files=_files(runs, "stress_file"),
        segments_files=_files(runs, "segments_file"),
        temperature=item.state.temperature,
    )
    return Segments(runs, viscosity)


def _equilibrated(
    item: Property, force_field: ParameterSource, settings: SimulationSettings, replicas: int
) -> list[OpenMMSimulation]:
    """Return, for each replica, the simulation at constant volume whose end segments start from."""
    substance, state = item.substance, item.state
    density: Any
    if state.pressure is None:
        density = density_of_box(substance, force_field, settings)
        liquids = [
            equilibrated_liquid(number, substance, state, force_field, settings) for number in range(replicas)
        ]
    else:
        first = settings.least_replicas
        each_once = liquid_replicas(substance, state, force_field, settings, (1,) * max(first, replicas))
        average = AverageObservable(observable="density", observables_files=tables(each_once[:first]))
        density = average.output.value
        liquids = [replica[-1] for replica in each_once[:replicas]]
    return [
        _at_density(
            density, liquid, _precise_system(number, substance, force_field, settings), settings, number
        )
        for number, liquid in enumerate(liquids)
    ]


def _precise_system(
    number: int, substance: Substance, force_field: ParameterSource, settings: SimulationSettings
) -> BuildOpenMMSystem:
    tolerance = min(_EWALD, settings.ewald_error_tolerance)
    return BuildOpenMMSystem(
        coordinates_file=packed_liquid(number, substance, force_field, settings).output.coordinates_file,
        force_field=force_field,
        interactions=settings.interactions.model_copy(update={"ewald_error_tolerance": tolerance}),
        parameters=preparations(force_field, [component.smiles for component in substance.components]),
    )


def _at_density(
    density: Any,
    liquid: OpenMMSimulation,
    built: BuildOpenMMSystem,
    settings: SimulationSettings,
    number: int,
) -> OpenMMSimulation:
    scaled = ScaleToDensity(
        system_file=built.output.system_file, state_file=liquid.output.state_file, density=density
    )
    return OpenMMSimulation(
        system_file=built.output.system_file,
        state_file=scaled.output.state_file,
        state=ThermodynamicState(temperature=liquid.state.temperature),
        simulated_time=settings.equilibration_time,
        dynamics=settings.dynamics,
        seed=derived_seed(settings.seed, "constant volume", number),
    )


def _rounds(
    number: int,
    count: int,
    start: OpenMMSimulation,
    components: tuple[int, ...],
    settings: SimulationSettings,
) -> tuple[OpenMMTransportSimulation, ...]:
    runs: list[OpenMMTransportSimulation] = []
    for round_number in range(count):
        before = runs[-1] if runs else start
        runs.append(
            OpenMMTransportSimulation(
                system_file=start.system_file,
                state_file=before.output.state_file,
                temperature=start.state.temperature,
                components=components,
                timestep=settings.timestep,
                friction=settings.friction,
                transport=settings.transport,
                seed=derived_seed(settings.seed, "transport", number, round_number),
            )
        )
    return tuple(runs)


def _files(runs: _Runs, name: str) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(getattr(run.output, name) for run in replica) for replica in runs)
