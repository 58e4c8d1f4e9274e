"""What a driver may crash over, in a process of its own: ``python -m workflow_backends.probe QUESTION``.

The question is a JSON object: ``{"plugins": true}``, ``{"devices": TOOLKIT}``, ``{"platform": NAME,
"properties": {...}}`` or ``{"speed": NAME, "properties": {...}, "molecules": N, "seconds": S}``. One JSON
object is printed a stage, so that what was reached is known even when the driver ends the process.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from dataclasses import asdict
from typing import Any

from workflow_backends.devices import list_devices

__all__: list[str] = []

_SPACING = 0.31
_CHARGES, _MASSES = (-0.834, 0.417, 0.417), (15.999, 1.008, 1.008)
_PLACES = ((0.0, 0.0, 0.0), (0.09572, 0.0, 0.0), (-0.023999, 0.092663, 0.0))
_ENERGY = -7782.18  # in kJ/mol, on Reference
_TIMESTEP_PS = 0.002
_BONDS = ((0, 1, 0.09572), (0, 2, 0.09572), (1, 2, 0.15139))


def _water(openmm: Any, side: int = 6) -> tuple[Any, list[Any]]:
    """Return a System of rigid water on a cubic grid with PME, and its positions.

    Constraints and Fourier transforms are what drivers that do well on simple atoms have failed with.
    """
    system, force = openmm.System(), openmm.NonbondedForce()
    edge = side * _SPACING
    system.setDefaultPeriodicBoxVectors((edge, 0, 0), (0, edge, 0), (0, 0, edge))
    force.setNonbondedMethod(openmm.NonbondedForce.PME)
    force.setCutoffDistance(min(0.8, 0.45 * edge))
    positions = []
    for corner in itertools.product(range(side), repeat=3):
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


def _tell_plugins() -> None:
    from openmm import Platform  # noqa: PLC0415

    names = [Platform.getPlatform(i).getName() for i in range(Platform.getNumPlatforms())]
    _tell(version=Platform.getOpenMMVersion(), names=names, failures=list(Platform.getPluginLoadFailures()))


def _tell_speed(name: str, properties: dict[str, str], molecules: int, seconds: float) -> None:
    """Warm up, wait for a line on standard input, then step for so long and report ns/day."""
    import openmm  # noqa: PLC0415

    try:
        system, positions = _water(openmm, max(2, round(molecules ** (1 / 3))))
        integrator = openmm.LangevinMiddleIntegrator(300.0, 1.0, _TIMESTEP_PS)
        context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName(name), properties)
        context.setPositions(positions)
        context.setVelocitiesToTemperature(300.0, 1)

        def time_steps(steps: int) -> float:
            began = time.perf_counter()
            integrator.step(steps)
            context.getState(energy=True)  # GPUs are ahead of their work otherwise
            return time.perf_counter() - began

        time_steps(10)
        chunk = max(1, round(0.1 * 20 / time_steps(20)))
        _tell(ready=True)
        sys.stdin.readline()
        steps, taken = 0, 0.0
        while taken < seconds:
            taken += time_steps(chunk)
            steps += chunk
        _tell(ns_per_day=steps * _TIMESTEP_PS / 1000 * 86400 / taken)
    except openmm.OpenMMException as error:
        _tell(error=str(error))


def main(question: dict[str, Any]) -> None:
    """Answer the question on standard output."""
    if "plugins" in question:
        _tell_plugins()
    elif "devices" in question:
        _tell(devices=[asdict(device) for device in list_devices(question["devices"])])
    elif "platform" in question:
        _try_platform(question["platform"], question["properties"])
    else:
        _tell_speed(*(question[name] for name in ("speed", "properties", "molecules", "seconds")))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
