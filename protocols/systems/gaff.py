"""GaffForceField: parameters from GAFF with AM1-BCC charges, computed for each molecule."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

from protocols.errors import InputError
from protocols.systems.ambertools import AmberTools
from protocols.systems.computed import ComputedForceField
from protocols.systems.molecule_parameters import AssignGaffParameters

__all__ = ["GaffForceField"]

_ELEMENTS = ("H", "C", "N", "O", "F", "P", "S", "Cl", "Br", "I")
_WATER = "O"


class GaffForceField(ComputedForceField):
    """GAFF with AM1-BCC charges: computed for each molecule by AmberTools, as a task of its own.

    Needs the programs of AmberTools, which ``pip install 'estimate-properties[gaff]'`` or conda's
    ``ambertools`` brings. GAFF has neither water nor ions: give them another source with
    `CombinedForceField`.

    Parameters
    ----------
    version
        "gaff2", or "gaff" for GAFF 1.x, which most published values were computed with.
    charge_method
        "am1-bcc".
    """

    type: Literal["GaffForceField"] = "GaffForceField"
    version: Literal["gaff2", "gaff"] = "gaff2"
    charge_method: Literal["am1-bcc"] = "am1-bcc"

    def check_covers(self, smiles: str) -> None:
        """Raise InputError if the molecule is none that GAFF can have, or AmberTools is not installed."""
        problem = _problem_with(smiles)
        if problem is not None:
            raise InputError(f"force_field: {self} does not cover {smiles} ({problem})")
        AmberTools.find()

    def preparations(self, smiles: str) -> tuple[Any, ...]:
        """Return the molecule's parameters, which AmberTools finds as a task."""
        assigned = AssignGaffParameters(
            smiles=smiles, parameter_set=self.version, charge_method=self.charge_method
        )
        return (assigned.output.parameters,)

    def __str__(self) -> str:
        return f"{self.version.upper()}/{self.charge_method.upper()}"


@cache
def _problem_with(smiles: str) -> str | None:
    """Return why GAFF cannot have a molecule, as far as its formula tells."""
    from rdkit import Chem  # noqa: PLC0415

    atoms = list(Chem.AddHs(Chem.MolFromSmiles(smiles)).GetAtoms())
    if smiles == _WATER:
        return "GAFF has no water; give it a model with CombinedForceField"
    seen: dict[str, int] = {}
    for atom in atoms:
        symbol = atom.GetSymbol()
        seen[symbol] = seen.get(symbol, 0) + 1
        name = f"atom {symbol}{seen[symbol]}"
        if symbol not in _ELEMENTS:
            return f"{name}: GAFF has the elements {', '.join(_ELEMENTS)} only"
        if atom.GetNumRadicalElectrons():
            return f"{name}: it has an unpaired electron, and AM1-BCC charges need closed shells"
    if len(atoms) == 1:
        return f"{name}: GAFF has no single atoms and ions; give them parameters with CombinedForceField"
    return None
