"""Molecules with parameters, as files bring them, found again among the molecules of a box by their graph."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from openmm import Vec3, app, unit
from openmm.app.element import hydrogen

from protocols.settings import InteractionSettings
from protocols.systems.constraints import fix_distances
from protocols.systems.interactions import set_interactions
from protocols.systems.merging import SystemBuilder
from protocols.systems.particles import molecules
from protocols.systems.sources import Parameterised
from protocols.systems.topology import Molecule, box_topology

__all__ = [
    "Graph",
    "ParameterisedMolecules",
    "Pick",
    "assembled",
    "copy_atoms",
    "formula",
    "graph_of_smiles",
    "graphs_of",
]


@dataclass(frozen=True)
class Graph:
    """Elements and bonds of one molecule, which is what its parameters are found by.

    Parameters
    ----------
    elements
        Atomic numbers.
    bonds
        Pairs of places in `elements`.
    """

    elements: tuple[int, ...]
    bonds: tuple[tuple[int, int], ...]

    def matched(self, other: Graph) -> tuple[int, ...] | None:
        """Return, for each atom here, the place of its like in the other, or None if the graphs differ."""
        if self == other:
            return tuple(range(len(self.elements)))
        if sorted(self.elements) != sorted(other.elements) or len(self.bonds) != len(other.bonds):
            return None
        found = other._rdkit.GetSubstructMatch(self._rdkit)
        return tuple(found) if found else None

    @cached_property
    def _rdkit(self) -> Any:
        from rdkit import Chem  # noqa: PLC0415

        made = Chem.RWMol()
        for number in self.elements:
            atom = Chem.Atom(number)
            atom.SetNoImplicit(True)
            made.AddAtom(atom)
        for first, second in self.bonds:
            made.AddBond(first, second, Chem.BondType.SINGLE)
        return made.GetMol()


def formula(graph: Graph) -> str:
    """Return the formula of a molecule, such as "C2 H6 O"."""
    symbols = [app.Element.getByAtomicNumber(number).symbol for number in graph.elements]
    counts = {symbol: symbols.count(symbol) for symbol in sorted(symbols)}
    return " ".join(f"{symbol}{count if count > 1 else ''}" for symbol, count in counts.items())


def graphs_of(topology: Any) -> list[tuple[Graph, tuple[int, ...]]]:
    """Return the molecules of a topology, with the indices of their atoms, in the order of first atoms."""
    atoms = list(topology.atoms())
    root = list(range(len(atoms)))

    def find(index: int) -> int:
        while root[index] != index:
            root[index] = root[root[index]]
            index = root[index]
        return index

    for first, second in topology.bonds():
        one, two = sorted((find(first.index), find(second.index)))
        root[two] = one
    members: dict[int, list[int]] = {}
    for index in range(len(atoms)):
        members.setdefault(find(index), []).append(index)
    bonds: dict[int, list[tuple[int, int]]] = {}
    for first, second in topology.bonds():
        bonds.setdefault(find(first.index), []).append((first.index, second.index))
    return [(_graph(atoms, members[first], bonds.get(first, [])), tuple(members[first])) for first in members]


def graph_of_smiles(smiles: str) -> Graph:
    """Return elements and bonds of a molecule."""
    [(graph, _)] = graphs_of(box_topology([(Molecule.from_smiles(smiles), 1)]))
    return graph


def _graph(atoms: Sequence[Any], members: Sequence[int], bonds: Iterable[tuple[int, int]]) -> Graph:
    place = {index: number for number, index in enumerate(members)}
    pairs = (tuple(sorted((place[one], place[two]))) for one, two in bonds)
    elements = tuple(atoms[index].element.atomic_number for index in members)
    return Graph(elements, tuple(sorted(set(pairs))))  # type: ignore[arg-type]


class ParameterisedMolecules:
    """Molecules as a source has them: a System without cutoffs and without constraints of ours.

    Parameters
    ----------
    system, topology
        OpenMM's, of the same particles; a particle without element is a virtual site.
    """

    def __init__(self, system: Any, topology: Any) -> None:
        self.system = system
        atoms = self.atoms = list(topology.atoms())
        pairs = {tuple(sorted((one.index, two.index))) for one, two in topology.bonds()}
        for number in range(system.getNumConstraints()):  # water may have these instead of bonds
            one, two = sorted(system.getConstraintParameters(number)[:2])
            if {atoms[one].element, atoms[two].element} != {hydrogen}:
                pairs.add((one, two))
        pairs = {(i, j) for i, j in pairs if atoms[i].element is not None and atoms[j].element is not None}
        self._bonds: dict[int, list[int]] = {}
        for i, j in sorted(pairs):
            self._bonds.setdefault(i, []).append(j)
        self.molecules = sorted(sorted(particles) for particles in molecules(system))
        self.real = [[i for i in particles if atoms[i].element is not None] for particles in self.molecules]
        self.graphs = [_graph(atoms, real, self.bonds_among(real)) for real in self.real]

    def bonds_among(self, particles: Iterable[int]) -> list[tuple[int, int]]:
        """Return the bonds of whole molecules."""
        return [(one, two) for one in particles for two in self._bonds.get(one, [])]

    def find(self, graph: Graph) -> list[tuple[int, tuple[int, ...]]]:
        """Return the numbers of the molecules with this graph, each with the match of its atoms."""
        known: dict[Graph, tuple[int, ...] | None] = {}
        found = []
        for number, own in enumerate(self.graphs):
            if own not in known:
                known[own] = own.matched(graph)
            match = known[own]
            if match is not None:
                found.append((number, match))
        return found

    def fixed(self, interactions: InteractionSettings) -> ParameterisedMolecules:
        """Return the same molecules with the distances fixed that the settings say."""
        system = copy.deepcopy(self.system)
        fix_distances(system, self._bonded_topology(), interactions)
        made = copy.copy(self)
        made.system = system
        return made

    def _bonded_topology(self) -> Any:
        """Return the topology with the bonds of molecules, those of rigid water included."""
        topology = app.Topology()
        copy_atoms(self.atoms, range(len(self.atoms)), self.bonds_among(range(len(self.atoms))), topology)
        return topology


@dataclass(frozen=True)
class Pick:
    """One molecule of a box: whose parameters it takes.

    Parameters
    ----------
    source
        With the molecule.
    number
        Of the molecule in the source.
    atoms
        For each real atom of that molecule, the index of its like in the box.
    """

    source: ParameterisedMolecules
    number: int
    atoms: tuple[int, ...]


def assembled(
    picks: Sequence[Pick],
    topology: Any,
    positions: Any,
    interactions: InteractionSettings,
    *,
    periodic: bool,
    name: str,
) -> Parameterised:
    """Return the System of a box whose molecules have the parameters of others, in the order of the box.

    Atoms of a molecule have the order and the names of the source, virtual sites included.
    """
    given = np.array(positions.value_in_unit(unit.nanometer))
    builder, made = SystemBuilder(name), app.Topology()
    placed: list[NDArray[np.float64]] = []
    fixed = {id(pick.source): pick.source.fixed(interactions) for pick in picks}
    for batch in _batches(picks):
        source = fixed[id(batch[0].source)]
        builder.add(source.system, [index for pick in batch for index in source.molecules[pick.number]])
        for pick in batch:
            particles = source.molecules[pick.number]
            copy_atoms(source.atoms, particles, source.bonds_among(particles), made)
            like = dict(zip(source.real[pick.number], pick.atoms, strict=True))
            placed += [given[like.get(index, pick.atoms[0])] for index in source.molecules[pick.number]]
    system = builder.finished()
    vectors = topology.getPeriodicBoxVectors()
    if vectors is not None:
        made.setPeriodicBoxVectors(vectors)
        system.setDefaultPeriodicBoxVectors(*vectors)
    set_interactions(system, interactions, periodic=periodic)
    return Parameterised(system, made, [Vec3(*map(float, row)) for row in placed] * unit.nanometer)


def _batches(picks: Sequence[Pick]) -> Iterable[list[Pick]]:
    """Yield runs of picks that can be copied at once: of one source, no molecule of it twice."""
    batch: list[Pick] = []
    for pick in picks:
        if batch and (pick.source is not batch[0].source or pick.number in {p.number for p in batch}):
            yield batch
            batch = []
        batch.append(pick)
    if batch:
        yield batch


def copy_atoms(
    atoms: Sequence[Any], indices: Sequence[int], bonds: Iterable[tuple[int, int]], topology: Any
) -> None:
    """Add atoms of another topology, by their indices there, as a chain, with bonds among them."""
    chain, residue, before, added = topology.addChain(), None, None, {}
    for index in indices:
        atom = atoms[index]
        if residue is None or atom.residue is not before:
            residue, before = topology.addResidue(atom.residue.name, chain), atom.residue
        added[index] = topology.addAtom(atom.name, atom.element, residue)
    for one, two in bonds:
        topology.addBond(added[one], added[two])


def only_atoms(topology: Any, positions: Any, indices: Sequence[int]) -> tuple[Any, Any]:
    """Return topology and positions of one molecule of a topology, by the indices of its atoms."""
    made, chosen = app.Topology(), set(indices)
    bonds = [(one.index, two.index) for one, two in topology.bonds() if one.index in chosen]
    copy_atoms(list(topology.atoms()), indices, bonds, made)
    given = positions.value_in_unit(unit.nanometer)
    return made, [Vec3(*map(float, given[index])) for index in indices] * unit.nanometer
