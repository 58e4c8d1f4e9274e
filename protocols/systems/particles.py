"""What an OpenMM System says of its particles: masses, molecules, degrees of freedom, charges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import openmm
from numpy.typing import NDArray

__all__ = ["degrees_of_freedom", "dipole_charges", "fixed_charges", "masses", "molecules"]

_NEUTRAL = 0.01  # e; charges in force-field files are rounded


def masses(system: Any) -> NDArray[np.float64]:
    """Return the masses in dalton, shape (particles,)."""
    return np.array([system.getParticleMass(i)._value for i in range(system.getNumParticles())])


def degrees_of_freedom(system: Any) -> int:
    """Return three a massive particle less the constraints; the box is free to move as a whole."""
    return 3 * int(np.count_nonzero(masses(system))) - int(system.getNumConstraints())


def molecules(system: Any) -> list[list[int]]:
    """Return the particles of each molecule, virtual sites included."""
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    return [list(molecule) for molecule in context.getMolecules()]


def fixed_charges(system: Any) -> NDArray[np.float64] | None:
    """Return the charges in e, shape (particles,), virtual sites included.

    None unless they stand in one NonbondedForce and depend on no parameter.
    """
    forces = [force for force in system.getForces() if isinstance(force, openmm.NonbondedForce)]
    if len(forces) != 1 or forces[0].getNumParticleParameterOffsets() > 0:
        return None
    [force] = forces
    return np.array([force.getParticleParameters(i)[0]._value for i in range(force.getNumParticles())])


def dipole_charges(system: Any, molecules: Sequence[Sequence[int]]) -> NDArray[np.float64] | None:
    """Return the charges whose dipole moment depends on no choice of origin or periodic image.

    Parameters
    ----------
    system
        OpenMM System.
    molecules
        The particles of each molecule.

    Returns
    -------
    numpy.ndarray or None
        In e, shape (particles,); what rounding leaves of a molecule's net charge is taken off evenly. None
        where there are no charges, or a molecule is not neutral.
    """
    charges = fixed_charges(system)
    if charges is None or not charges.any():
        return None
    for molecule in molecules:
        net = charges[list(molecule)].sum()
        if abs(net) > _NEUTRAL:
            return None
        charges[list(molecule)] -= net / len(molecule)
    return charges
