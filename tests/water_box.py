"""A box of rigid water for comparing forces between platforms."""

from __future__ import annotations

from typing import Any

import numpy as np
import openmm
from openmm import app, unit

from protocols.dynamics.engine import open_context
from workflow_backends import ComputeResources, PlatformChoice, select_platform

LIMITS = {"single": 1e-5, "mixed": 1e-5, "double": 1e-6}
Box = tuple[Any, Any]


def make_water(molecules: int = 216) -> Box:
    """Return a System with one explicit PME grid, and positions after a little dynamics."""
    force_field = app.ForceField("tip3p.xml")
    modeller = app.Modeller(app.Topology(), [])
    modeller.addSolvent(force_field, numAdded=molecules)
    cutoff = 0.8 * unit.nanometer
    system = force_field.createSystem(modeller.topology, nonbondedMethod=app.PME, nonbondedCutoff=cutoff)
    [force] = [f for f in system.getForces() if isinstance(f, openmm.NonbondedForce)]
    force.setPMEParameters(4.0, 32, 32, 32)
    integrator = openmm.LangevinMiddleIntegrator(300, 1, 0.001)
    context = open_context(system, integrator, select_platform(ComputeResources()))
    context.setPositions(modeller.positions)
    openmm.LocalEnergyMinimizer.minimize(context, maxIterations=50)
    integrator.step(100)
    return system, context.getState(positions=True).getPositions(asNumpy=True)


def forces(box: Box, choice: PlatformChoice) -> Any:
    """Return the forces in kJ/mol/nm, shape (particles, 3)."""
    system, positions = box
    context = open_context(system, openmm.VerletIntegrator(0.001), choice)
    context.setPositions(positions)
    return context.getState(forces=True).getForces(asNumpy=True)._value


def deviation(box: Box, choice: PlatformChoice) -> float:
    """Return the relative root mean square difference of the forces from those of Reference."""
    exact = forces(box, select_platform(ComputeResources(platform="Reference")))
    return float(np.sqrt(np.mean((forces(box, choice) - exact) ** 2) / np.mean(exact**2)))
