"""The SMILES of a molecule in a file: SDF, MOL2, PDB or PDBx/mmCIF."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from protocols.errors import InputError
from protocols.paths import located

__all__ = ["smiles_of_file"]

_KINDS = (".sdf", ".mol", ".mol2", ".pdb", ".cif", ".mmcif")


def smiles_of_file(path: str | Path, charge: int = 0) -> str:
    """Return the SMILES of the one molecule in a file.

    An SDF or MOL2 file says its bonds; those of a PDB or PDBx/mmCIF file, which must have all hydrogens, are
    found from distances and the net charge.

    Parameters
    ----------
    path
        File with the ending .sdf, .mol, .mol2, .pdb, .cif or .mmcif.
    charge
        Of the molecule, where its file says no bonds.

    Raises
    ------
    InputError
        The file cannot be read, or holds no molecule or several.
    """
    from rdkit import Chem, rdBase  # noqa: PLC0415

    file = located(path)
    if file.suffix.lower() not in _KINDS:
        raise InputError(f"file: {file.name!r} is not allowed; give one of {', '.join(_KINDS)}")
    with rdBase.BlockLogs():
        try:
            molecule = _read(file, charge)
        except OSError as error:
            raise InputError(f"file: {file.name!r} cannot be read: {error}") from None
        except Exception as error:  # noqa: BLE001  # readers raise whatever they stumble over
            said = " ".join(f"{type(error).__name__}: {error}".split())
            raise InputError(f"file: no molecule is found in {file.name!r}: {said:.200}") from None
    if molecule is None or molecule.GetNumAtoms() == 0:
        raise InputError(f"file: no molecule is found in {file.name!r}")
    if len(Chem.GetMolFrags(molecule)) > 1:
        raise InputError(f"file: {file.name!r} holds several molecules; give each in a file of its own")
    return str(Chem.MolToSmiles(Chem.RemoveHs(molecule)))


def _read(file: Path, charge: int) -> Any:
    from rdkit import Chem  # noqa: PLC0415

    match file.suffix.lower():
        case ".sdf" | ".mol":
            molecules = list(Chem.SDMolSupplier(str(file), removeHs=False))
            return molecules[0] if len(molecules) == 1 else _several(file, len(molecules))
        case ".mol2":
            return Chem.MolFromMol2File(str(file), removeHs=False)
        case _:
            return _from_positions(file, charge)


def _several(file: Path, number: int) -> Any:
    raise InputError(f"file: {file.name!r} holds {number} molecules; give each in a file of its own")


def _from_positions(file: Path, charge: int) -> Any:
    """Return the molecule whose bonds follow from where its atoms are."""
    from openmm import app, unit  # noqa: PLC0415
    from rdkit import Chem  # noqa: PLC0415
    from rdkit.Chem import rdDetermineBonds  # noqa: PLC0415

    reader = app.PDBFile if file.suffix.lower() == ".pdb" else app.PDBxFile
    read = reader(io.StringIO(file.read_text(encoding="utf-8")))
    rows = [
        f"{atom.element.symbol} {x:.6f} {y:.6f} {z:.6f}"
        for atom, (x, y, z) in zip(
            read.topology.atoms(), read.getPositions().value_in_unit(unit.angstrom), strict=True
        )
    ]
    molecule = Chem.MolFromXYZBlock("\n".join([str(len(rows)), "", *rows]) + "\n")
    rdDetermineBonds.DetermineBonds(molecule, charge=charge)
    return molecule
