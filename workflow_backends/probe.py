"""What a driver may crash over, in a process of its own: ``python -m workflow_backends.probe QUESTION``.

The question is a JSON object: ``{"devices": TOOLKIT}`` or ``{"platform": NAME, "properties": {...}}``. One
JSON object is printed a stage, so that what was reached is known even when the driver ends the process.
"""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import asdict
from typing import Any

from workflow_backends.devices import list_devices

__all__: list[str] = []

_SIDE, _SPACING = 6, 0.31
_CHARGES, _MASSES = (-0.834, 0.417, 0.417), (15.999, 1.008, 1.008)
_PLACES = ((0.0, 0.0, 0.0), (0.09572, 0.0, 0.0), (-0.023999, 0.092663, 0.0))
_ENERGY = -7782.18  # in kJ/mol, on Reference
_BONDS = ((0, 1, 0.09572), (0, 2, 0.09572), (1, 2, 0.15139))


def _water(openmm: Any) -> tuple[Any, list[Any]]:
    """Return a System of rigid water on a grid with PME, and its positions.

    Constraints and Fourier transforms are what drivers that do well on simple atoms have failed with.
    """
    system, force = openmm.System(), openmm.NonbondedForce()
    edge = _SIDE * _SPACING
    system.setDefaultPeriodicBoxVectors((edge, 0, 0), (0, edge, 0), (0, 0, edge))
    force.setNonbondedMethod(openmm.NonbondedForce.PME)
    force.setCutoffDistance(0.8)
    positions = []
    for corner in itertools.product(range(_SIDE), repeat=3):
        first = system.getNumParticles()
        for charge, mass, place in zip(_CHARGES, _MASSES, _PLACES, strict=True):
            system.addParticle(mass)
            force.addParticle(charge, *((0.315075, 0.635968) if charge < 0 else (1.0, 0.0)))
            positions.append(openmm.Vec3(*corner) * _SPACING + openmm.Vec3(*place))
        for i, j, distance in _BONDS:
            system.addConstraint(first + i, first + j, distance)
            force.addException(first + i, first + j, 0.0, 1.0, 0.0)
    system.addForce(force)
    return system, positions


def _tell(**answer: object) -> None:
    print(json.dumps(answer), flush=True)  # noqa: T201


def _try_platform(name: str, properties: dict[str, str]) -> None:
    """Report how far the platform gets: a Context and a step, then a minimisation."""
    import openmm  # noqa: PLC0415

    try:
        system, positions = _water(openmm)
        platform = openmm.Platform.getPlatformByName(name)
        context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform, properties)
        context.setPositions(positions)
        energy = context.getState(energy=True).getPotentialEnergy()._value
        if not abs(energy / _ENERGY - 1) < 0.01:
            _tell(error=f"its energy of a small box of water is {energy:.6g} kJ/mol instead of {_ENERGY}")
            return
        context.getIntegrator().step(1)
        context.getState(energy=True)
        _tell(integrates=True)
        openmm.LocalEnergyMinimizer.minimize(context, maxIterations=2)
        _tell(minimises=True)
    except openmm.OpenMMException as error:
        failures = [f for f in openmm.Platform.getPluginLoadFailures() if name in f]
        _tell(error=" ".join([str(error), *failures]))


def main(question: dict[str, Any]) -> None:
    """Answer the question on standard output."""
    if "devices" in question:
        _tell(devices=[asdict(device) for device in list_devices(question["devices"])])
    else:
        _try_platform(question["platform"], question["properties"])


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
