"""Find out whether an OpenMM platform works: ``python -m workflow_backends.probe NAME PROPERTIES``.

Prints one JSON object a stage, so that what was reached is known even when the driver ends the process.
"""

from __future__ import annotations

import json
import sys
from typing import Any

__all__: list[str] = []

_SIDE = 6


def _context(name: str, properties: dict[str, str]) -> Any:
    """Return a Context of a small argon crystal."""
    import openmm  # noqa: PLC0415

    spacing = 0.37
    system = openmm.System()
    edge = _SIDE * spacing
    system.setDefaultPeriodicBoxVectors((edge, 0, 0), (0, edge, 0), (0, 0, edge))
    force = openmm.NonbondedForce()
    force.setNonbondedMethod(openmm.NonbondedForce.CutoffPeriodic)
    force.setCutoffDistance(1.0)
    positions = []
    for i in range(_SIDE**3):
        system.addParticle(39.948)
        force.addParticle(0.0, 0.3405, 0.996)
        positions.append(openmm.Vec3(i % _SIDE, i // _SIDE % _SIDE, i // _SIDE**2) * spacing)
    system.addForce(force)
    platform = openmm.Platform.getPlatformByName(name)
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform, properties)
    context.setPositions(positions)
    return context


def main(name: str, properties: str) -> None:
    """Report how far the platform gets: a Context and a step, then a minimisation."""
    import openmm  # noqa: PLC0415

    try:
        context = _context(name, json.loads(properties))
        context.getIntegrator().step(1)
        context.getState(energy=True)
        print(json.dumps({"integrates": True}), flush=True)  # noqa: T201
        openmm.LocalEnergyMinimizer.minimize(context, maxIterations=2)
        print(json.dumps({"minimises": True}), flush=True)  # noqa: T201
    except openmm.OpenMMException as error:
        failures = [f for f in openmm.Platform.getPluginLoadFailures() if name in f]
        print(json.dumps({"error": " ".join([str(error), *failures])}), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:3])
