"""The properties of this package, by the names under which files ask for them."""

from __future__ import annotations

from protocols.errors import InputError
from protocols.properties.base import Property
from protocols.properties.compressibility import IsothermalCompressibility
from protocols.properties.density import Density
from protocols.properties.dielectric_constant import DielectricConstant
from protocols.properties.diffusion import SelfDiffusion
from protocols.properties.excess_volume import ExcessMolarVolume
from protocols.properties.heat_capacity import IsobaricHeatCapacity
from protocols.properties.mixing import EnthalpyOfMixing
from protocols.properties.solvation import SolvationFreeEnergy
from protocols.properties.surface_tension import SurfaceTension
from protocols.properties.thermal_expansion import ThermalExpansion
from protocols.properties.vaporization import EnthalpyOfVaporization
from protocols.properties.viscosity import ShearViscosity
from workflow_backends.spelling import did_you_mean

__all__ = ["PROPERTIES", "find_property"]

PROPERTIES: dict[str, type[Property]] = {
    kind.__name__: kind
    for kind in (
        Density,
        DielectricConstant,
        EnthalpyOfMixing,
        EnthalpyOfVaporization,
        ExcessMolarVolume,
        IsobaricHeatCapacity,
        IsothermalCompressibility,
        SelfDiffusion,
        ShearViscosity,
        SolvationFreeEnergy,
        SurfaceTension,
        ThermalExpansion,
    )
}


def find_property(name: str) -> type[Property]:
    """Return the class of a property by its name.

    Raises
    ------
    InputError
        The name is not known; the message lists those that are.
    """
    if name not in PROPERTIES:
        raise InputError(
            f"property: {name!r} is not known{did_you_mean(name, PROPERTIES)}; "
            f"known are {', '.join(PROPERTIES)}"
        )
    return PROPERTIES[name]
