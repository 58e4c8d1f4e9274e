"""How a liquid is simulated: one flat set of choices, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self, TypeAlias, TypeVar

from pydantic import AfterValidator, Field, model_validator

from protocols.errors import InputError
from protocols.lambdas import AlchemicalSettings
from protocols.model import Model
from protocols.paths import located
from protocols.quantities import (
    Frequency,
    Length,
    LongTime,
    Mass,
    MassDensity,
    Quantity,
    Time,
    describe_quantity,
    is_less,
    quantity,
    ratio,
)
from protocols.substance import canonical_smiles

__all__ = [
    "DynamicsSettings",
    "Integrator",
    "InteractionSettings",
    "SimulationSettings",
    "TransportSettings",
]

Integrator: TypeAlias = Literal["LangevinMiddle", "NoseHoover"]
"""The names that OpenMM has for them, without "Integrator"."""

_M = TypeVar("_M", bound=Model)
_AVOGADRO = 6.02214076e23
_TRAJECTORY_INTERVAL = quantity("10 ps")
_LEAST_LAGS, _ROUNDING = 20, 1e-9


class InteractionSettings(Model):
    """How the atoms interact: what makes an OpenMM System of a force field.

    Parameters
    ----------
    cutoff
        Of the non-bonded interactions in real space; 0.9 nm is what most water models are used with.
    switching_distance
        Where the Lennard-Jones potential starts to be switched off; None truncates it, as published values
        for water and Lennard-Jones fluids mostly do. At constant pressure a step in the potential is seen by
        volume moves, which compare energies, and not by forces: an argon-like liquid cut at 3 sigma comes out
        0.2 % too dense, which switching over the last tenth of sigma avoids.
    long_range_correction
        The isotropic correction for Lennard-Jones beyond the cutoff, without which a density is off by about
        a percent.
    ewald_error_tolerance
        Relative error of the particle-mesh Ewald forces; OpenMM's default.
    constraints
        Bonds of fixed length; those to hydrogen must be, or the timestep lowered to about 0.5 fs.
    rigid_water
        Whether water is rigid, as its common models are defined.
    hydrogen_mass
        Mass moved to hydrogens from their heavy atoms for longer timesteps; None leaves them. Rigid
        water keeps its masses.
    """

    cutoff: Length = quantity("0.9 nm")
    switching_distance: Length | None = None
    long_range_correction: bool = True
    ewald_error_tolerance: Annotated[float, Field(gt=0, le=1e-2)] = 5e-4
    constraints: Literal["HBonds", "AllBonds", "HAngles"] | None = "HBonds"
    rigid_water: bool = True
    hydrogen_mass: Mass | None = None

    @model_validator(mode="after")
    def _switch_before_cutoff(self) -> InteractionSettings:
        if self.switching_distance is not None and self.switching_distance >= self.cutoff:
            raise InputError(
                f"switching_distance: {describe_quantity(self.switching_distance)} is not allowed; "
                f"it must be less than the cutoff, {describe_quantity(self.cutoff)}"
            )
        return self


class DynamicsSettings(Model):
    """How the equations of motion are integrated and what is written.

    Parameters
    ----------
    timestep
        2 fs is safe with constrained hydrogens.
    integrator
        OpenMM's; each keeps the temperature, and samples constant volume, or with the barostat constant
        pressure. "LangevinMiddle" reaches every degree of freedom by itself, and its configurations stay
        accurate at long timesteps. "NoseHoover", a chain for the whole box, disturbs motions less; it is for
        liquids only: it would not thermalise one molecule in vacuum, or one that vanishes.
    friction
        Of the Langevin thermostat; 1/ps thermalises without slowing a liquid much. Of a Nose-Hoover chain it
        is the collision frequency.
    barostat_interval
        Steps between volume moves. Every 10 steps a density decorrelates in 2 ps in water, every 25 in 3.
    output_interval
        Time between frames of the table of observables, well under the correlation time of the density.
        Rounded to whole timesteps; simulated times are rounded to whole frames. A run says what it rounds.
    segment_time
        Time between checkpoints. None takes 10 ps on a CPU and 200 ps on a GPU: seconds to a minute of work,
        against which a checkpoint costs little.
    trajectory
        Format of a file of positions to keep, as single-precision "dcd" or as "xtc", rounded to 0.001 nm and
        a third of the size. No property needs one.
    trajectory_interval
        Time between its frames, rounded to whole frames of the table. Positions decorrelate in picoseconds.
    """

    later_fields: ClassVar[frozenset[str]] = frozenset({"integrator"})

    timestep: Time = quantity("2 fs")
    integrator: Integrator = "LangevinMiddle"
    friction: Frequency = quantity("1 / ps")
    barostat_interval: Annotated[int, Field(ge=1)] = 10
    output_interval: Time = quantity("0.4 ps")
    segment_time: LongTime | None = None
    trajectory: Literal["dcd", "xtc"] | None = None
    trajectory_interval: LongTime = _TRAJECTORY_INTERVAL

    @model_validator(mode="after")
    def _whole_steps(self) -> DynamicsSettings:
        _check_order(self, "timestep", "output_interval")
        if self.trajectory is not None:
            _check_order(self, "output_interval", "trajectory_interval")
        return self

    def refuse_chains(self, what: str) -> None:
        """Raise InputError if the integrator is "NoseHoover", which would not thermalise this."""
        if self.integrator == "NoseHoover":
            raise InputError(
                f"integrator: {self.integrator} is not allowed for {what}, which it would not thermalise; "
                "give LangevinMiddle"
            )

    def without_trajectory(self) -> Self:
        """Return these settings for what is not analysed."""
        return self.model_copy(update={"trajectory": None, "trajectory_interval": _TRAJECTORY_INTERVAL})


def _check_order(settings: Model, shorter: str, longer: str) -> None:
    """Raise InputError unless one time is at most the other; of the two, one that was given is named."""
    least, most = getattr(settings, shorter), getattr(settings, longer)
    if not is_less(most, least):
        return
    short, long = f"{shorter}, {describe_quantity(least)}", f"{longer}, {describe_quantity(most)}"
    if longer not in settings.model_fields_set and shorter in settings.model_fields_set:
        raise InputError(f"{short.replace(',', ':')} is not allowed; it must be at most the {long}")
    raise InputError(f"{long.replace(',', ':')} is not allowed; it must be at least the {short}")


class TransportSettings(Model):
    """The segments of constant energy (NVE) that diffusion and viscosity are measured in.

    Parameters
    ----------
    nve_time
        Of each segment. Displacements are fitted between a tenth and a half of it, and the correlations of
        the pressure are integrated over a tenth: 4 ps suffice for water and other thin liquids at room
        temperature; viscous ones need more, and say so in their status.
    nve_segments
        Of each replica; with a target, of each round.
    nve_spacing
        Langevin dynamics with new velocities before each segment, so that segments are independent.
    stress_interval
        Time between pressure tensors. One costs as much as ten to twenty steps; 20 fs resolves the
        librations of rigid water, and simple liquids such as argon allow 100 fs.
    displacement_interval
        Time between positions for mean squared displacements; rounded to a multiple of the stress_interval.
    """

    nve_time: LongTime = quantity("40 ps")
    nve_segments: Annotated[int, Field(ge=1)] = 10
    nve_spacing: LongTime = quantity("4 ps")
    stress_interval: Time = quantity("20 fs")
    displacement_interval: Time = quantity("0.2 ps")

    @model_validator(mode="after")
    def _enough_lags(self) -> TransportSettings:
        for name in ("displacement_interval", "stress_interval"):
            interval = getattr(self, name)
            if ratio(self.nve_time, interval) < _LEAST_LAGS * (1 - _ROUNDING):
                raise InputError(
                    f"nve_time: {describe_quantity(self.nve_time)} is not allowed; it must be at least "
                    f"{_LEAST_LAGS} times the {name}, {describe_quantity(interval)}"
                )
        return self


class SimulationSettings(InteractionSettings, DynamicsSettings, TransportSettings, AlchemicalSettings):
    """How the simulations behind a property are made.

    What is not given takes the default here or, where a property has one of its own, that of the property.

    Parameters
    ----------
    number_of_molecules
        In the box. 256 waters make a box of 2 nm, which leaves room for a 0.9 nm cutoff.
    initial_density
        At which molecules are packed; NPT finds its own, but a gas-like start may stay a gas.
    initial_densities
        Those of pure liquids that need another, by SMILES, such as {"[Ar]": "1.3 g/mL"}. A mixture is packed
        at the volume that its components have by themselves.
    initial_coordinates
        A PDB or PDBx/mmCIF file with a box to start from, taken as it is instead of packing one.
    equilibration_time
        Before production, never analysed.
    production_time
        Of each replica; with a target, of each round.
    replicas
        Independent simulations, each with its own packing and velocities. None takes two, and more for a
        property with a target where workers would be idle.
    seed
        From which every random number of the run follows; 1 and up, because OpenMM takes 0 for "any".
    """

    number_of_molecules: Annotated[int, Field(ge=1)] = 256
    initial_density: MassDensity = quantity("0.95 g/mL")
    initial_densities: dict[Annotated[str, AfterValidator(canonical_smiles)], MassDensity] = Field(
        default_factory=dict
    )
    initial_coordinates: Annotated[Path, AfterValidator(located)] | None = None
    equilibration_time: LongTime = quantity("20 ps")
    production_time: LongTime = quantity("200 ps")
    replicas: Annotated[int, Field(ge=1)] | None = None
    seed: Annotated[int, Field(ge=1, lt=2**31)] = 1

    @model_validator(mode="after")
    def _times_hold_a_frame(self) -> SimulationSettings:
        _check_order(self, "output_interval", "equilibration_time")
        _check_order(self, "output_interval", "production_time")
        if self.trajectory is not None:
            _check_order(self, "trajectory_interval", "production_time")
        return self

    def with_defaults(self, defaults: Mapping[str, object]) -> Self:
        """Return these settings with other defaults in place of those that nobody set."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return self if defaults.keys() <= given.keys() else type(self)(**{**defaults, **given})

    @property
    def least_replicas(self) -> int:
        """The number of replicas to begin with."""
        return 2 if self.replicas is None else self.replicas

    @cached_property
    def interactions(self) -> InteractionSettings:
        """The part that makes the System."""
        return self._part(InteractionSettings)

    @cached_property
    def dynamics(self) -> DynamicsSettings:
        """The part that moves it."""
        return self._part(DynamicsSettings)

    @cached_property
    def transport(self) -> TransportSettings:
        """The part that measures diffusion and viscosity."""
        return self._part(TransportSettings)

    def _part(self, kind: type[_M]) -> _M:
        return kind(**{name: getattr(self, name) for name in kind.model_fields})

    def check_box(self, total_mass: float, density: Quantity | None = None) -> None:
        """Raise InputError if a box of this mass, in g/mol, is too small for the cutoff.

        Parameters
        ----------
        total_mass
            In g/mol.
        density
            At which it is packed; None takes the initial_density.
        """
        density = self.initial_density if density is None else density
        edge = box_edge(total_mass, density)
        if _fits(self.cutoff, edge):
            return
        chosen = ("number_of_molecules", "initial_density", "cutoff")
        name = next((each for each in chosen if each in self.model_fields_set), "cutoff")
        value = getattr(self, name)
        raise InputError(
            f"{name}: {value if isinstance(value, int) else describe_quantity(value)} is not allowed; "
            f"{self.number_of_molecules} molecules at {describe_quantity(density)} fill a box of "
            f"{edge:.3g} nm, and the cutoff, {describe_quantity(self.cutoff)}, must be at most half of it; "
            "take more molecules or a smaller cutoff"
        )


def box_edge(total_mass: float, density: Quantity) -> float:
    """Return the edge in nanometres of the cubic box that holds this mass, in g/mol, at this density."""
    volume_cm3 = total_mass / _AVOGADRO / float(density.to("g/mL").magnitude)
    return float((volume_cm3 * 1e21) ** (1 / 3))


def density_of(total_mass: float, volume: float) -> Quantity:
    """Return the density of this mass, in g/mol, in this volume, in cubic nanometres."""
    return quantity(f"{total_mass / _AVOGADRO / volume * 1e21:.6g} g/mL")


def _fits(cutoff: Quantity, edge: float) -> bool:
    return float(cutoff.to("nm").magnitude) <= edge / 2


def check_cutoff(cutoff: Quantity, edge: float, box: str) -> None:
    """Raise InputError unless the cutoff is at most half the box edge, in nanometres."""
    if not _fits(cutoff, edge):
        raise InputError(
            f"cutoff: {describe_quantity(cutoff)} is not allowed for {box}; it must be at most half the box "
            f"edge, {edge / 2:.3f} nm; take more molecules or a smaller cutoff"
        )
