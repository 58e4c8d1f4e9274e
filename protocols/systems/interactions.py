"""How particles interact across molecules: one place that sets it, whatever the parameters come from."""

from __future__ import annotations

from typing import Any

import openmm
from openmm import app

from protocols.quantities import Quantity
from protocols.settings import InteractionSettings

__all__ = ["CONSTRAINTS", "interactions_in_words", "md_value", "set_interactions"]

CONSTRAINTS = {"HBonds": app.HBonds, "AllBonds": app.AllBonds, "HAngles": app.HAngles, None: None}
"""What OpenMM calls the choices of `InteractionSettings.constraints`."""


def set_interactions(system: Any, interactions: InteractionSettings, *, periodic: bool) -> None:
    """Set cutoff, switching, long-range correction and Ewald sum of every non-bonded force of a System.

    Parameters
    ----------
    system
        OpenMM's, changed in place.
    interactions
        What to set.
    periodic
        False leaves out cutoffs. Otherwise electrostatics are particle-mesh Ewald, or nothing where no
        particle has a charge, which spares Ewald sums over zeros.
    """
    for force in system.getForces():
        if isinstance(force, openmm.NonbondedForce):
            force.setEwaldErrorTolerance(interactions.ewald_error_tolerance)
            force.setUseDispersionCorrection(interactions.long_range_correction)
            _set_cutoff(force, interactions, periodic=periodic)
            if periodic and _has_charges(force):
                force.setNonbondedMethod(openmm.NonbondedForce.PME)
        elif isinstance(force, openmm.CustomNonbondedForce):
            force.setUseLongRangeCorrection(interactions.long_range_correction and periodic)
            _set_cutoff(force, interactions, periodic=periodic)


def _set_cutoff(force: Any, interactions: InteractionSettings, *, periodic: bool) -> None:
    force.setNonbondedMethod(force.CutoffPeriodic if periodic else force.NoCutoff)
    force.setCutoffDistance(md_value(interactions.cutoff, "nm"))
    switch = md_value(interactions.switching_distance, "nm")
    force.setUseSwitchingFunction(switch is not None and periodic)
    if switch is not None and periodic:
        force.setSwitchingDistance(switch)


def interactions_in_words(system: Any) -> str:
    """Return cutoff, Lennard-Jones beyond it and Ewald sum of a System, as its forces have them."""
    own = [force for force in system.getForces() if isinstance(force, openmm.NonbondedForce)]
    custom = [force for force in system.getForces() if isinstance(force, openmm.CustomNonbondedForce)]
    if not own + custom:
        return "no cutoff"
    words = [f"cutoff {(own + custom)[0].getCutoffDistance()._value:.6g} nm"]
    if attraction := [force for force in own if _has_depths(force)]:
        words.append(
            f"Lennard-Jones {_beyond_cutoff(attraction[0], attraction[0].getUseDispersionCorrection())}"
        )
    elif custom:
        words.append(f"custom potential {_beyond_cutoff(custom[0], custom[0].getUseLongRangeCorrection())}")
    words += [f"Ewald tolerance {force.getEwaldErrorTolerance():g}" for force in own if _is_ewald(force)]
    return ", ".join(words)


def _beyond_cutoff(force: Any, corrected: bool) -> str:
    if force.getNonbondedMethod() == openmm.NonbondedForce.LJPME:
        return "of full range by particle-mesh Ewald"
    switched = force.getUseSwitchingFunction()
    range_of = (
        f"switched off from {force.getSwitchingDistance()._value:.6g} nm" if switched else "truncated there"
    )
    return f"{range_of}, {'with' if corrected else 'without'} long-range correction"


def _is_ewald(force: Any) -> bool:
    return force.getNonbondedMethod() in {
        openmm.NonbondedForce.Ewald,
        openmm.NonbondedForce.PME,
        openmm.NonbondedForce.LJPME,
    }


def _has_depths(force: Any) -> bool:
    return any(force.getParticleParameters(i)[2]._value != 0 for i in range(force.getNumParticles()))


def md_value(value: Quantity | None, unit_name: str) -> float | None:
    """Return the number of a quantity in a unit of OpenMM's, and None for None."""
    return None if value is None else float(value.to(unit_name).magnitude)


def _has_charges(force: Any) -> bool:
    return any(force.getParticleParameters(i)[0]._value != 0 for i in range(force.getNumParticles()))
