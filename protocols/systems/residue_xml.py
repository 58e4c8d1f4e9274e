"""The parameters of one molecule as an OpenMM force field, taken from its System."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import openmm
from openmm import app

from protocols.systems.topology import Molecule

__all__ = ["residue_xml"]

_HANDLED = ("HarmonicBondForce", "HarmonicAngleForce", "PeriodicTorsionForce", "NonbondedForce")
_ROUNDING = 1e-5
_COULOMB_14, _LJ_14 = 1 / 1.2, 0.5  # Amber's, which OpenMM's Amber files and water models have too


def residue_xml(system: Any, molecule: Molecule, name: str, remark: str) -> str:
    """Return an OpenMM force-field file that gives this molecule the energy of this System.

    Each atom is a type of its own, so that every bond, angle and torsion of the file is exactly one of the
    molecule's, and impropers keep their order of atoms.

    Parameters
    ----------
    system
        OpenMM System of the molecule alone: no cutoff, constraints, virtual sites or moved masses; 1-4
        interactions scaled as Amber does.
    molecule
        With the atoms of the System.
    name
        Of the residue and its types, unlike that of any other molecule in the box.
    remark
        Where the parameters come from.

    Raises
    ------
    ValueError
        The System has forces of another kind, or torsions or 1-4 interactions that a
        force-field file cannot have.
    """
    present = [force for force in system.getForces() if not isinstance(force, openmm.CMMotionRemover)]
    forces = {type(force).__name__: force for force in present}
    if set(forces) - set(_HANDLED) or len(forces) != len(present):
        raise ValueError(f"forces {', '.join(type(force).__name__ for force in present)}")
    types = [f"{name}-{atom}" for atom in molecule.atom_names]
    root = ET.Element("ForceField")
    info = ET.SubElement(root, "Info")
    ET.SubElement(info, "Source").text = remark
    _add_atoms(root, system, molecule, name, types)
    writers = (_add_bonds, _add_angles, _add_torsions, _add_nonbonded)
    for kind, write in zip(_HANDLED, writers, strict=True):
        if kind in forces:
            write(root, forces[kind], types, molecule)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _add_atoms(root: ET.Element, system: Any, molecule: Molecule, name: str, types: list[str]) -> None:
    listed, residues = ET.SubElement(root, "AtomTypes"), ET.SubElement(root, "Residues")
    residue = ET.SubElement(residues, "Residue", name=name)
    for index, (atom, kind) in enumerate(zip(molecule.atom_names, types, strict=True)):
        element = app.Element.getByAtomicNumber(molecule.elements[index]).symbol
        mass = _text(system.getParticleMass(index)._value)
        ET.SubElement(listed, "Type", {"name": kind, "class": kind, "element": element, "mass": mass})
        ET.SubElement(residue, "Atom", name=atom, type=kind)
    for first, second in molecule.bonds:
        ET.SubElement(
            residue, "Bond", atomName1=molecule.atom_names[first], atomName2=molecule.atom_names[second]
        )


def _add_bonds(root: ET.Element, force: Any, types: list[str], molecule: Molecule) -> None:  # noqa: ARG001
    section = ET.SubElement(root, "HarmonicBondForce")
    for index in range(force.getNumBonds()):
        *atoms, length, k = force.getBondParameters(index)
        values = {"length": _text(length._value), "k": _text(k._value)}
        ET.SubElement(section, "Bond", _typed(atoms, types) | values)


def _add_angles(root: ET.Element, force: Any, types: list[str], molecule: Molecule) -> None:  # noqa: ARG001
    section = ET.SubElement(root, "HarmonicAngleForce")
    for index in range(force.getNumAngles()):
        *atoms, angle, k = force.getAngleParameters(index)
        values = {"angle": _text(angle._value), "k": _text(k._value)}
        ET.SubElement(section, "Angle", _typed(atoms, types) | values)


def _add_torsions(root: ET.Element, force: Any, types: list[str], molecule: Molecule) -> None:
    # Of OpenMM's orders of the atoms of an improper torsion, "amber" keeps that of the file, and "smirnoff"
    # adds the three torsions that start at the central atom.
    section = ET.SubElement(root, "PeriodicTorsionForce", ordering="amber")
    trefoils = ET.SubElement(root, "PeriodicTorsionForce", ordering="smirnoff")
    bonded = {frozenset(bond) for bond in molecule.bonds}
    terms: dict[tuple[int, ...], list[tuple[int, float, float]]] = defaultdict(list)
    for index in range(force.getNumTorsions()):
        *atoms, periodicity, phase, k = force.getTorsionParameters(index)
        terms[_oriented(tuple(atoms), bonded)].append((periodicity, phase._value, k._value))
    for atoms, series in terms.items():
        if all(frozenset(pair) in bonded for pair in pairwise(atoms)):
            _add_term(section, "Proper", atoms, series, types)
        elif _is_centre(atoms[2], atoms, bonded):  # files name the central atom first
            _add_term(section, "Improper", (atoms[2], atoms[0], atoms[1], atoms[3]), series, types)
        else:
            centre, *others = atoms
            if sum(terms.get((centre, *others[n:], *others[:n])) == series for n in range(3)) != 3:
                raise ValueError(f"an improper torsion of the atoms {atoms} without the two that go with it")
            if others[0] == min(others):
                _add_term(trefoils, "Improper", atoms, series, types)


def _is_centre(atom: int, atoms: tuple[int, ...], bonded: set[frozenset[int]]) -> bool:
    return all(frozenset((atom, other)) in bonded for other in atoms if other != atom)


def _oriented(atoms: tuple[int, ...], bonded: set[frozenset[int]]) -> tuple[int, ...]:
    """Return the atoms of a torsion, or the same backwards, which is the same torsion.

    Of a proper one the lesser; of an improper one that whose first or third atom is the central one.
    """
    if all(frozenset(pair) in bonded for pair in pairwise(atoms)):
        return min(atoms, atoms[::-1])
    for order in (atoms, atoms[::-1]):
        if _is_centre(order[0], order, bonded) or _is_centre(order[2], order, bonded):
            return order
    raise ValueError(f"a torsion of the atoms {atoms}, which is neither proper nor improper")


def _add_term(
    section: ET.Element,
    kind: str,
    atoms: tuple[int, ...],
    series: list[tuple[int, float, float]],
    types: list[str],
) -> None:
    term = ET.SubElement(section, kind, _typed(atoms, types))
    for number, (periodicity, phase, k) in enumerate(series, start=1):
        values = {"periodicity": str(periodicity), "phase": _text(phase), "k": _text(k)}
        term.attrib.update({f"{name}{number}": value for name, value in values.items()})


def _add_nonbonded(root: ET.Element, force: Any, types: list[str], molecule: Molecule) -> None:  # noqa: ARG001
    _check_scales(force)
    scales = {"coulomb14scale": _text(_COULOMB_14), "lj14scale": _text(_LJ_14)}
    section = ET.SubElement(root, "NonbondedForce", scales)
    for index, kind in enumerate(types):
        charge, sigma, epsilon = (_text(value._value) for value in force.getParticleParameters(index))
        ET.SubElement(section, "Atom", type=kind, charge=charge, sigma=sigma, epsilon=epsilon)


def _check_scales(force: Any) -> None:
    """Raise ValueError unless pairs that interact in spite of their bonds are scaled as Amber does."""
    for index in range(force.getNumExceptions()):
        first, second, product, _, epsilon = force.getExceptionParameters(index)
        one, other = force.getParticleParameters(first), force.getParticleParameters(second)
        charges = one[0]._value * other[0]._value
        depth = (one[2]._value * other[2]._value) ** 0.5
        if (product._value, epsilon._value) == (0, 0):
            continue
        near = abs(product._value - _COULOMB_14 * charges) <= _ROUNDING * abs(charges)
        if not near or abs(epsilon._value - _LJ_14 * depth) > _ROUNDING * depth:
            raise ValueError(
                f"1-4 interactions of atoms {first} and {second} that are not scaled as Amber does"
            )


def _typed(atoms: Sequence[int], types: list[str]) -> dict[str, str]:
    return {f"type{number}": types[atom] for number, atom in enumerate(atoms, start=1)}


def _text(value: float) -> str:
    return repr(float(value))
