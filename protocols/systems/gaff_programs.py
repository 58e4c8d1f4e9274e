"""The steps from a molecule to its GAFF parameters: charges, atom types, what is missing, a prmtop."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np

from protocols.errors import ParameterError
from protocols.substance import net_charge
from protocols.systems.ambertools import AmberTools, last_lines
from protocols.systems.topology import Molecule

__all__ = ["GaffFiles", "molecule_sdf", "run_ambertools"]

_SECTIONS = ("MASS", "BOND", "ANGLE", "DIHE", "IMPROPER", "NONBON")
_BROKEN, _FORMED = 1.6, 1.25  # times the sum of covalent radii


class GaffFiles(NamedTuple):
    """What AmberTools makes of a molecule.

    Parameters
    ----------
    mol2
        Atom types and charges.
    frcmod
        Parameters that the parameter set lacks, taken from similar ones.
    prmtop
        Topology and parameters.
    """

    mol2: Path
    frcmod: Path
    prmtop: Path


def run_ambertools(
    tools: AmberTools, molecule: Molecule, sdf: str, parameter_set: str, directory: Path
) -> GaffFiles:
    """Assign AM1-BCC charges and GAFF parameters to a molecule; the log of every program stays there.

    Parameters
    ----------
    tools
        Whose programs are run.
    molecule
        Of which parameters are wanted.
    sdf
        The same with its bond orders and the conformer to start from, from `molecule_sdf`.
    parameter_set
        "gaff" or "gaff2".
    directory
        Empty.

    Raises
    ------
    ParameterError
        A program failed, AM1 broke or formed a bond, or parameters are missing that have no like.
    """
    files = GaffFiles(*(directory / f"molecule.{kind}" for kind in ("mol2", "frcmod", "prmtop")))
    (directory / "molecule.sdf").write_text(sdf, encoding="utf-8")
    charge = str(net_charge(molecule.smiles))
    try:
        tools.run(
            "antechamber", *("-i", "molecule.sdf", "-fi", "mdl", "-o", files.mol2.name, "-fo", "mol2"),
            *("-at", parameter_set, "-c", "bcc", "-nc", charge, "-rn", "MOL", "-pf", "n"),
            directory=directory,
        )  # fmt: skip
    except ParameterError as error:
        raise ParameterError(f"{molecule.smiles}: {_reason_of(error, directory)}") from None
    _check_structure(molecule, directory / "sqm.pdb")
    _spread_rounding(files.mol2, net_charge(molecule.smiles))
    tools.run(
        "parmchk2", *("-i", files.mol2.name, "-f", "mol2", "-o", files.frcmod.name, "-s", parameter_set),
        directory=directory,
    )  # fmt: skip
    _check_parameters(molecule, files, parameter_set)
    script = (
        *(f"source leaprc.{parameter_set}", f"loadamberparams {files.frcmod.name}"),
        *(f"x = loadmol2 {files.mol2.name}", f"saveamberparm x {files.prmtop.name} molecule.inpcrd", "quit"),
    )
    (directory / "leap.in").write_text("\n".join(script) + "\n", encoding="utf-8")
    said = tools.run("tleap", "-f", "leap.in", directory=directory)
    if not files.prmtop.exists() or files.prmtop.stat().st_size == 0:
        raise ParameterError(f"{molecule.smiles}: tleap made no prmtop: {last_lines(said)}")
    return files


def molecule_sdf(molecule: Molecule) -> str:
    """Return an SDF of the molecule with its bond orders; MMFF94 relaxes the conformer where it can."""
    from rdkit import Chem  # noqa: PLC0415
    from rdkit.Chem import AllChem  # noqa: PLC0415

    built = Chem.AddHs(Chem.MolFromSmiles(molecule.smiles))
    conformer = Chem.Conformer(len(molecule.elements))
    conformer.SetPositions(molecule.positions * 10)
    built.AddConformer(conformer)
    if AllChem.MMFFHasAllMoleculeParams(built):  # type: ignore[attr-defined]
        AllChem.MMFFOptimizeMolecule(built, maxIters=1000)  # type: ignore[attr-defined]
    return str(Chem.MolToMolBlock(built))


def _reason_of(error: ParameterError, directory: Path) -> str:
    """Return why antechamber failed: what sqm says at the end of its own log, where that is the reason."""
    log = directory / "sqm.out"
    if "sqm" not in str(error) or not log.exists():
        return str(error)
    return f"{error}; sqm.out ends with: {last_lines(log.read_text(errors='replace'))}"


def _check_structure(molecule: Molecule, file: Path) -> None:
    """Refuse charges of another molecule: in vacuum AM1 lets protons of zwitterions move."""
    from rdkit import Chem  # noqa: PLC0415

    rows = [
        line for line in file.read_text(encoding="utf-8").splitlines() if line.startswith(("ATOM", "HETATM"))
    ]
    positions = np.array([[float(row[start : start + 8]) for start in (30, 38, 46)] for row in rows])
    table = Chem.GetPeriodicTable()
    radii = np.array([table.GetRcovalent(number) for number in molecule.elements])
    ratios = np.linalg.norm(positions[:, None] - positions[None], axis=-1) / (radii[:, None] + radii[None])
    bonds = {frozenset(bond) for bond in molecule.bonds}
    for first in range(len(radii)):
        for second in range(first):
            bonded = frozenset((first, second)) in bonds
            if ratios[first, second] > _BROKEN if bonded else ratios[first, second] < _FORMED:
                did, atoms = "broke" if bonded else "made", f"{molecule.atom_names[second]} and "
                raise ParameterError(
                    f"{molecule.smiles}: in vacuum AM1 {did} the bond between {atoms}"
                    f"{molecule.atom_names[first]}, so that its charges are those of another molecule"
                )


def _spread_rounding(mol2: Path, net: int) -> None:
    """Make the charges sum to the net charge: sqm rounds to 0.001 e, which would charge a box of hundreds."""
    before, mark, rest = mol2.read_text(encoding="utf-8").partition("@<TRIPOS>ATOM\n")
    table, end, after = rest.partition("@<TRIPOS>BOND")
    rows = [line.rsplit(maxsplit=1) for line in table.splitlines()]
    excess = (math.fsum(float(charge) for _, charge in rows) - net) / len(rows)
    table = "".join(f"{row}  {float(charge) - excess:.8f}\n" for row, charge in rows)
    mol2.write_text(before + mark + table + end + after, encoding="utf-8")


def _check_parameters(molecule: Molecule, files: GaffFiles, parameter_set: str) -> None:
    """Raise ParameterError for the first parameter that parmchk2 found no like of."""
    section = ""
    for line in files.frcmod.read_text(encoding="utf-8").splitlines():
        section = line.strip() if line.strip() in _SECTIONS else section
        if "ATTN" in line:
            types = [kind.strip() for kind in line[:11].split("  ")[0].split("-")]
            atoms = [
                f"{name} ({kind})"
                for name, kind in zip(molecule.atom_names, _atom_types(files.mol2), strict=True)
                if kind in types
            ]
            raise ParameterError(
                f"{molecule.smiles}: {parameter_set} has no parameters, nor similar ones, for {section} "
                f"{'-'.join(types)}; its atoms of these types are {', '.join(atoms)}"
            )


def _atom_types(mol2: Path) -> list[str]:
    atoms = mol2.read_text(encoding="utf-8").partition("@<TRIPOS>ATOM\n")[2].partition("@<TRIPOS>")[0]
    return [line.split()[5] for line in atoms.splitlines()]
