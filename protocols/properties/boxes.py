"""The box that a liquid starts in: its density, and whether its shape suits a property."""

from __future__ import annotations

import numpy as np

from protocols.errors import InputError
from protocols.quantities import Quantity, quantity
from protocols.settings import SimulationSettings
from protocols.state import ThermodynamicState
from protocols.substance import Substance
from protocols.systems.given import density_in, read_box
from protocols.systems.sources import GivenBox, ParameterSource
from protocols.systems.topology import Molecule

__all__ = ["check_box_shape", "check_density_is_given", "density_of_box", "given_box", "packing_density"]

_EQUAL = 1e-3  # of an edge


def given_box(force_field: ParameterSource, settings: SimulationSettings) -> GivenBox | None:
    """Return the box that comes with the settings or with the force field, None where one is packed."""
    given = settings.initial_coordinates
    return read_box(given) if given is not None else force_field.given_box()


def density_of_box(
    substance: Substance, force_field: ParameterSource, settings: SimulationSettings
) -> Quantity:
    """Return the density that a box starts with: its own, or that at which its components are packed."""
    if (box := given_box(force_field, settings)) is None:
        return packing_density(substance, settings)
    return density_in(box, substance, substance.counts(settings.number_of_molecules))


def packing_density(substance: Substance, settings: SimulationSettings) -> Quantity:
    """Return the density at which a box has the volume that its components have by themselves."""
    counts = substance.counts(settings.number_of_molecules)
    masses, volumes = [], []
    for component, count in zip(substance.components, counts, strict=True):
        own = settings.initial_densities.get(component.smiles, settings.initial_density)
        masses.append(Molecule.from_smiles(component.smiles).mass * count)
        volumes.append(masses[-1] / float(own.to("g/mL").magnitude))
    return quantity(f"{sum(masses) / sum(volumes):.6g} g/mL")


def check_density_is_given(
    substance: Substance,
    state: ThermodynamicState,
    force_field: ParameterSource,
    settings: SimulationSettings,
) -> None:
    """Raise InputError where no pressure finds the density, nobody gave it, and no box has one."""
    open_ones = {component.smiles for component in substance.components} - settings.initial_densities.keys()
    given = "initial_density" in settings.model_fields_set or not open_ones
    if state.pressure is None and not given and given_box(force_field, settings) is None:
        raise InputError(
            f"initial_density: missing; {substance} at {state} has no pressure and stays at the density "
            "that it is packed at; give it, or a pressure such as '1 atm'"
        )


def check_box_shape(
    what: str, force_field: ParameterSource, settings: SimulationSettings, *, cubic: bool = False
) -> None:
    """Raise InputError unless a box that is given has right angles or, where asked for, is a cube.

    Parameters
    ----------
    what
        Needs it.
    force_field, settings
        One of which may give a box.
    cubic
        Whether edges must be equal, too.
    """
    if (box := given_box(force_field, settings)) is None:
        return
    edges = np.diag(box.vectors)
    tolerance = _EQUAL * edges.max()
    right = np.abs(box.vectors - np.diag(edges)).max() <= tolerance
    if right and not (cubic and np.ptp(edges) > tolerance):
        return
    lengths = " x ".join(f"{edge:.3g}" for edge in np.linalg.norm(box.vectors, axis=1))
    raise InputError(
        f"initial_coordinates: the box of {box.name}, {lengths} nm{'' if right else ' and oblique'}, is not "
        f"allowed; {what} needs a {'cubic' if cubic else 'rectangular'} one"
    )
