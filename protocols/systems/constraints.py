"""Which distances the interaction settings keep fixed, by elements and bonds alone."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from openmm.app import element

from protocols.settings import InteractionSettings

__all__ = ["constrained_pairs"]


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
