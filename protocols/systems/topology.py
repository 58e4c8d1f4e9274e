"""From a SMILES to a molecule that OpenMM understands: atoms, bonds, a conformer, a topology."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from openmm import app
from openmm.unit import nanometer

from protocols.errors import InputError
from protocols.names import Site, site_of

__all__ = ["Molecule", "box_topology"]

# Force fields match residues by graph, so that names are free, but water is recognised by its name.
_NAMES = {"O": ("HOH", ("O", "H1", "H2")), "[Ar]": ("Ar", ("Ar",))}
_EMBEDDING_SEED = 1


@dataclass(frozen=True, eq=False)
class Molecule:
    """One molecule with explicit hydrogens.

    Parameters
    ----------
    smiles
        Canonical.
    residue_name
        At most three characters.
    atom_names
        Unique within the molecule.
    elements
        Atomic numbers, in the order of `atom_names`.
    bonds
        Pairs of atom indices.
    positions
        One conformer in nanometres, shape (atoms, 3), centred at the origin.
    mass
        Molar mass in g/mol.
    """

    smiles: str
    residue_name: str
    atom_names: tuple[str, ...]
    elements: tuple[int, ...]
    bonds: tuple[tuple[int, int], ...]
    positions: NDArray[np.float64]
    mass: float

    @staticmethod
    @cache
    def from_smiles(smiles: str, seed: int = _EMBEDDING_SEED) -> Molecule:
        """Build the molecule; the conformer is the same whenever SMILES and seed are.

        Parameters
        ----------
        smiles
            Canonical.
        seed
            Another one may give another conformer.

        Raises
        ------
        InputError
            RDKit finds no conformer.
        """
        site = site_of(smiles)
        if site is not None:
            return _of_site(smiles, site)
        from rdkit import Chem, rdBase  # noqa: PLC0415
        from rdkit.Chem import AllChem, Descriptors  # noqa: PLC0415

        with rdBase.BlockLogs():
            molecule = Chem.AddHs(Chem.MolFromSmiles(smiles))
            try:
                failed = AllChem.EmbedMolecule(molecule, randomSeed=seed) != 0  # type: ignore[attr-defined]
            finally:
                # RDKit puts the handler of Ctrl-C back so that it no longer wakes up who waits for a lock.
                signal.siginterrupt(signal.SIGINT, True)
            if failed:
                raise InputError(f"smiles: RDKit finds no conformer of {smiles!r}")
        positions = np.array(molecule.GetConformer().GetPositions()) / 10
        elements = tuple(atom.GetAtomicNum() for atom in molecule.GetAtoms())
        residue_name, atom_names = _NAMES.get(smiles, ("UNK", None))
        return Molecule(
            smiles=smiles,
            residue_name=residue_name,
            atom_names=atom_names or _numbered(molecule),
            elements=elements,
            bonds=tuple((b.GetBeginAtomIdx(), b.GetEndAtomIdx()) for b in molecule.GetBonds()),
            positions=positions - positions.mean(axis=0),
            mass=float(Descriptors.MolWt(molecule)),  # type: ignore[attr-defined]
        )


def _of_site(smiles: str, site: Site) -> Molecule:
    heavy, hydrogen = (app.Element.getBySymbol(symbol) for symbol in (site.symbol, "H"))
    return Molecule(
        smiles=smiles,
        residue_name=site.name[:3],
        atom_names=(site.symbol,),
        elements=(heavy.atomic_number,),
        bonds=(),
        positions=np.zeros((1, 3)),
        mass=float(heavy.mass._value + site.hydrogens * hydrogen.mass._value),
    )


def _numbered(molecule: Any) -> tuple[str, ...]:
    seen: dict[str, int] = {}
    names = []
    for atom in molecule.GetAtoms():
        symbol = atom.GetSymbol()
        seen[symbol] = seen.get(symbol, 0) + 1
        names.append(f"{symbol}{seen[symbol]}")
    return tuple(names)


def box_topology(molecules: list[tuple[Molecule, int]], box_edge: float | None = None) -> Any:
    """Return the OpenMM topology of so many of each molecule, one residue each.

    Parameters
    ----------
    molecules
        Pairs of molecule and count, in the order of the coordinates.
    box_edge
        Of the cubic box, in nanometres; None for no box.
    """
    topology = app.Topology()
    for molecule, count in molecules:
        chain = topology.addChain()
        for _ in range(count):
            residue = topology.addResidue(molecule.residue_name, chain)
            atoms = [
                topology.addAtom(name, app.Element.getByAtomicNumber(element), residue)
                for name, element in zip(molecule.atom_names, molecule.elements, strict=True)
            ]
            for first, second in molecule.bonds:
                topology.addBond(atoms[first], atoms[second])
    if box_edge is not None:
        topology.setPeriodicBoxVectors(np.eye(3) * box_edge * nanometer)
    return topology
