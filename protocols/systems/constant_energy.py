"""Whether molecules of a System move by themselves: at constant energy, and as fast as they should."""

from __future__ import annotations

from typing import Any

import numpy as np
import openmm

from protocols.errors import InputError
from protocols.systems.particles import masses

__all__ = ["check_keeps_energy"]

_LARGEST_EWALD_TOLERANCE = 1e-5
_HEAVY = (1.2, 3.9)  # Da; between hydrogen and helium are only hydrogens with mass from others, and isotopes
_ISOTOPES = (2.014, 3.016)


def check_keeps_energy(system: Any) -> None:
    """Raise InputError for a System whose motion would not be that of its molecules at constant energy.

    Neither barostats nor thermostats, masses of hydrogens that are their own, and an Ewald error tolerance of
    at most 1e-5 where there are charges.
    """
    for force in system.getForces():
        kind = type(force).__name__
        if kind == "AndersenThermostat" or ("Barostat" in kind and force.getFrequency() > 0):
            raise InputError(f"system_file: {kind} is not allowed at constant energy; take it out")
        if isinstance(force, openmm.NonbondedForce):
            _check_ewald(force)
    for mass in np.unique(masses(system)):
        if _HEAVY[0] < mass < _HEAVY[1] and not np.isclose(mass, _ISOTOPES, atol=0.01).any():
            raise InputError(
                f"system_file: a particle of {mass:.4g} Da is not allowed at constant energy; hydrogens must "
                "have their own mass, on which motion depends"
            )


def _check_ewald(force: Any) -> None:
    sums = (openmm.NonbondedForce.Ewald, openmm.NonbondedForce.PME, openmm.NonbondedForce.LJPME)
    tolerance, alpha = force.getEwaldErrorTolerance(), force.getPMEParameters()[0]
    charged = any(force.getParticleParameters(i)[0]._value for i in range(force.getNumParticles()))
    by_tolerance = force.getNonbondedMethod() in sums and alpha.value_in_unit(alpha.unit) == 0
    if charged and by_tolerance and tolerance > _LARGEST_EWALD_TOLERANCE * (1 + 1e-9):
        raise InputError(
            f"system_file: an Ewald error tolerance of {tolerance:.2g} is not allowed; it must be at most "
            f"{_LARGEST_EWALD_TOLERANCE:g}, or its noise hides the stress"
        )
