"""Which distances the interaction settings keep fixed, and fixing them in a System."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import openmm
from openmm.app import element

from protocols.errors import InputError
from protocols.settings import InteractionSettings
from protocols.systems.interactions import md_value

__all__ = ["constrained_pairs", "fix_distances", "is_water"]


def constrained_pairs(topology: Any, interactions: InteractionSettings) -> list[tuple[int, int]]:
    """Return the pairs of atoms whose distance is fixed: bonds first, then the ends of angles.

    They are those that OpenMM's force fields fix: with "HAngles" the ends of H-X-H and of H-O-X, and in rigid
    water all three distances.

    Parameters
    ----------
    topology
        OpenMM's, with bonds.
    interactions
        Constraints and whether water is rigid.
    """
    neighbours: dict[int, list[int]] = {atom.index: [] for atom in topology.atoms()}
    bonds = []
    for first, second in topology.bonds():
        neighbours[first.index].append(second.index)
        neighbours[second.index].append(first.index)
        if interactions.constraints in {"AllBonds", "HAngles"} or _is_fixed_bond(first, second, interactions):
            bonds.append((first.index, second.index))
    atoms = list(topology.atoms())
    ends = [
        (first, second)
        for middle in atoms
        for first, second in combinations(sorted(neighbours[middle.index]), 2)
        if _is_fixed_angle(atoms[first], middle, atoms[second], interactions)
    ]
    return list(dict.fromkeys(bonds + ends))


def _is_fixed_bond(first: Any, second: Any, interactions: InteractionSettings) -> bool:
    if interactions.rigid_water and is_water(first.residue):
        return True
    return interactions.constraints == "HBonds" and element.hydrogen in {first.element, second.element}


def _is_fixed_angle(first: Any, middle: Any, second: Any, interactions: InteractionSettings) -> bool:
    if interactions.rigid_water and is_water(middle.residue):
        return True
    hydrogens = [first.element, second.element].count(element.hydrogen)
    return interactions.constraints == "HAngles" and (
        hydrogens == 2 or (hydrogens == 1 and middle.element == element.oxygen)
    )


def is_water(residue: Any) -> bool:
    """Tell whether a residue is one oxygen with two hydrogens, virtual sites aside."""
    found = sorted(atom.element.atomic_number for atom in residue.atoms() if atom.element is not None)
    return found == [1, 1, 8]


def fix_distances(system: Any, topology: Any, interactions: InteractionSettings) -> None:
    """Constrain a flexible System, and move mass to its hydrogens, as the settings say.

    Lengths are those at which harmonic bonds and angles are at rest; these terms become zero. Distances that
    the System has fixed already stay so.

    Parameters
    ----------
    system
        OpenMM's, changed in place.
    topology
        Of its particles.
    interactions
        Constraints, whether water is rigid, and the mass of hydrogens.

    Raises
    ------
    InputError
        A distance is to be fixed whose length no harmonic term says.
    """
    fixed = {frozenset(system.getConstraintParameters(i)[:2]) for i in range(system.getNumConstraints())}
    bonds, angles = _harmonic_terms(system)
    lengths = {pair: length for pair, terms in bonds.items() for _, _, length in terms[:1]}
    for pair in map(frozenset, constrained_pairs(topology, interactions)):
        if pair not in lengths and pair in angles:
            lengths[pair] = _across(lengths, angles[pair][0])
        if pair in fixed:
            continue
        if pair not in lengths:
            first, second = (atom for atom in topology.atoms() if atom.index in pair)
            raise InputError(
                f"constraints: the distance of {first.name} and {second.name} in {first.residue.name} cannot "
                "be fixed, because no harmonic bond says how long it is; give constraints=None"
            )
        system.addConstraint(*sorted(pair), lengths[pair])
        fixed.add(pair)
    for pair in fixed:
        for force, number, length in bonds.get(pair, []):
            force.setBondParameters(number, *sorted(pair), length, 0.0)
        for force, number, particles, angle in angles.get(pair, []):
            sides = (frozenset(particles[:2]), frozenset(particles[1:]))
            if all(side in fixed for side in sides):
                force.setAngleParameters(number, *particles, angle, 0.0)
    if interactions.hydrogen_mass is not None:
        _move_mass(system, topology, interactions)


def _harmonic_terms(system: Any) -> tuple[dict[Any, list[Any]], dict[Any, list[Any]]]:
    """Return the harmonic bonds by their ends, and the harmonic angles by their ends."""
    bonds: dict[Any, list[Any]] = {}
    angles: dict[Any, list[Any]] = {}
    for force in system.getForces():
        if isinstance(force, openmm.HarmonicBondForce):
            for number in range(force.getNumBonds()):
                one, two, length, _ = force.getBondParameters(number)
                bonds.setdefault(frozenset((one, two)), []).append((force, number, length._value))
        elif isinstance(force, openmm.HarmonicAngleForce):
            for number in range(force.getNumAngles()):
                *particles, angle, _ = force.getAngleParameters(number)
                ends = frozenset((particles[0], particles[2]))
                angles.setdefault(ends, []).append((force, number, particles, angle._value))
    return bonds, angles


def _across(lengths: dict[Any, float], term: Any) -> float:
    """Return the distance of the ends of an angle."""
    _, _, particles, angle = term
    one, two = (lengths[frozenset(particles[i : i + 2])] for i in (0, 1))
    return math.sqrt(one * one + two * two - 2 * one * two * math.cos(angle))


def _move_mass(system: Any, topology: Any, interactions: InteractionSettings) -> None:
    mass = md_value(interactions.hydrogen_mass, "dalton")
    for pair in topology.bonds():
        hydrogens = [atom for atom in pair if atom.element == element.hydrogen]
        if len(hydrogens) != 1 or (interactions.rigid_water and is_water(pair[0].residue)):
            continue
        [light] = hydrogens
        [heavy] = (atom for atom in pair if atom is not light)
        moved = mass - system.getParticleMass(light.index)._value
        system.setParticleMass(light.index, mass)
        system.setParticleMass(heavy.index, system.getParticleMass(heavy.index)._value - moved)
