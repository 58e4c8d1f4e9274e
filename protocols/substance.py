"""What a property is asked for: molecules, and how much of each."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from protocols.errors import InputError
from protocols.model import Model
from protocols.molecule_files import smiles_of_file
from protocols.names import NAMES, site_of
from workflow_backends.spelling import did_you_mean

__all__ = ["Component", "Role", "Substance", "canonical_smiles", "net_charge"]

_WORD = re.compile(r"[A-Za-z][a-z0-9 -]{3,}")


class Role(StrEnum):
    """What a component is in a solution."""

    solvent = "solvent"
    solute = "solute"


def canonical_smiles(smiles: str) -> str:
    """Return RDKit's canonical SMILES of one molecule, which may be given by one of `NAMES`.

    A single site such as "{CH4}", a carbon with its hydrogens in one particle, stays as it is.

    Raises
    ------
    InputError
        The SMILES does not parse, or holds no atom or more than one molecule.
    """
    from rdkit import Chem, rdBase  # noqa: PLC0415

    smiles = NAMES.get(smiles.strip().lower(), smiles)
    site = site_of(smiles)
    if site is not None:
        return f"{{{site.name}}}"
    with rdBase.BlockLogs():
        molecule = Chem.MolFromSmiles(smiles)
    if molecule is None or molecule.GetNumAtoms() == 0:
        raise InputError(f"smiles: {smiles!r} {_why_no_molecule(smiles)}")
    if len(Chem.GetMolFrags(molecule)) > 1:
        raise InputError(
            f"smiles: {smiles!r} holds several molecules; give each as a component of its own, of a mixture"
        )
    return str(Chem.MolToSmiles(molecule))


def _why_no_molecule(smiles: str) -> str:
    """Say why a text is the SMILES of no molecule, and what is one."""
    from rdkit import Chem, rdBase  # noqa: PLC0415

    with rdBase.BlockLogs():
        drawn = Chem.MolFromSmiles(smiles, sanitize=False)
        problems = [] if drawn is None else Chem.DetectChemistryProblems(drawn)
    if problems:
        return f"is no possible molecule: {problems[0].Message()}"
    if _WORD.fullmatch(smiles):
        names = f"or a name: {', '.join(NAMES)}"
        return f"does not parse{did_you_mean(smiles, NAMES)}; give one such as 'O' or '[Ar]', {names}"
    return "does not parse; give one such as 'O' or '[Ar]', not a formula"


def net_charge(smiles: str) -> int:
    """Return the net charge of a molecule in elementary charges."""
    from rdkit import Chem  # noqa: PLC0415

    if site_of(smiles) is not None:
        return 0
    return int(Chem.GetFormalCharge(Chem.MolFromSmiles(smiles)))


class Component(Model):
    """One kind of molecule and its amount.

    Parameters
    ----------
    smiles
        Any SMILES of the molecule, a common name such as "water", or a single site such as "{CH4}"; its
        canonical form is kept and is the molecule's identity.
    mole_fraction
        Of this component among those given by mole fraction, more than 0 and at most 1.
    count
        Instead of a mole fraction: exactly so many molecules, as for a solute.
    role
        A solute has a count; one kind of molecule may be both solute and solvent.
    """

    smiles: str
    mole_fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    count: Annotated[int, Field(ge=1)] | None = None
    role: Role = Role.solvent

    @classmethod
    def from_file(
        cls,
        path: Path | str,
        mole_fraction: float | None = None,
        count: int | None = None,
        role: Role = Role.solvent,
        charge: int = 0,
    ) -> Self:
        """Return the component whose molecule is in an SDF, MOL2, PDB or PDBx/mmCIF file.

        Parameters are those of the class, and the charge of a molecule whose file says no bonds.

        Raises
        ------
        InputError
            The file cannot be read, or holds no molecule or several.
        """
        return cls(smiles=smiles_of_file(path, charge), mole_fraction=mole_fraction, count=count, role=role)

    @field_validator("smiles")
    @classmethod
    def _canonical(cls, smiles: str) -> str:
        return canonical_smiles(smiles)

    @model_validator(mode="after")
    def _one_amount(self) -> Component:
        if (self.mole_fraction is None) == (self.count is None):
            raise InputError(f"component {self.smiles}: give either mole_fraction or count")
        if self.role is Role.solute and self.count is None:
            raise InputError(f"component {self.smiles}: a solute has a count, not a mole fraction")
        return self


class Substance(Model):
    """A pure substance, a mixture, or a solution.

    Parameters
    ----------
    components
        Sorted by SMILES and role, so that equal mixtures are equal. Mole fractions, where there are any, sum
        to 1.

    Raises
    ------
    InputError
        No component, one given twice in one role, solutes only, or mole fractions that do not sum to 1.
    """

    components: tuple[Component, ...]

    @classmethod
    def pure(cls, smiles: str) -> Substance:
        """Return the substance made of one kind of molecule, such as "O", "water" or "[Ar]"."""
        return cls(components=(Component(smiles=smiles, mole_fraction=1.0),))

    @classmethod
    def mixture(cls, mole_fractions: dict[str, float]) -> Substance:
        """Return the mixture of these SMILES at these mole fractions."""
        return cls(
            components=tuple(
                Component(smiles=smiles, mole_fraction=fraction)
                for smiles, fraction in mole_fractions.items()
            )
        )

    @classmethod
    def solution(cls, solute: str, solvent: str) -> Substance:
        """Return one molecule of the solute among molecules of the solvent, which may be of its own kind."""
        return cls(
            components=(
                Component(smiles=solute, count=1, role=Role.solute),
                Component(smiles=solvent, mole_fraction=1.0),
            )
        )

    @property
    def solutes(self) -> tuple[Component, ...]:
        """The components that are solutes."""
        return tuple(component for component in self.components if component.role is Role.solute)

    @field_validator("components")
    @classmethod
    def _consistent(cls, components: tuple[Component, ...]) -> tuple[Component, ...]:
        if not components:
            raise InputError("components: none given; a substance needs at least one")
        given = [(component.smiles, component.role) for component in components]
        repeated = next((smiles for smiles, role in given if given.count((smiles, role)) > 1), None)
        if repeated is not None:
            raise InputError(f"components: {repeated} is given twice; give each molecule once")
        if all(component.role is Role.solute for component in components):
            raise InputError("components: solutes only; a solution needs a solvent")
        fractions = [c.mole_fraction for c in components if c.mole_fraction is not None]
        if fractions and abs(sum(fractions) - 1) > 1e-6:
            raise InputError(f"mole_fraction: the fractions sum to {sum(fractions):g}; they must sum to 1")
        return tuple(sorted(components, key=lambda c: (c.smiles, c.role)))

    def counts(self, number_of_molecules: int) -> tuple[int, ...]:
        """Return how many molecules of each component make up a box.

        Parameters
        ----------
        number_of_molecules
            In total. What exact counts leave is shared by mole fraction, rounded by largest remainder.

        Raises
        ------
        InputError
            The number is too small to hold one molecule of every component, or contradicts exact counts.
        """
        exact = sum(c.count or 0 for c in self.components)
        fractions = [c.mole_fraction or 0.0 for c in self.components]
        shared = number_of_molecules - exact if any(fractions) else 0
        shares = [fraction * shared for fraction in fractions]
        counts = [
            component.count or int(share) for component, share in zip(self.components, shares, strict=True)
        ]
        by_remainder = sorted(range(len(shares)), key=lambda i: int(shares[i]) - shares[i])
        for i in by_remainder[: exact + max(shared, 0) - sum(counts)]:
            counts[i] += 1
        if min(counts) < 1 or (any(fractions) and sum(counts) != number_of_molecules):
            raise InputError(
                f"number_of_molecules: {number_of_molecules} is too few to hold every component of {self}"
            )
        return tuple(counts)

    def mole_fractions(self, number_of_molecules: int) -> dict[str, float]:
        """Return the mole fractions, by SMILES, in a box of so many molecules, whose counts are whole."""
        counts = self.counts(number_of_molecules)
        fractions: dict[str, float] = {}
        for component, count in zip(self.components, counts, strict=True):
            fractions[component.smiles] = fractions.get(component.smiles, 0.0) + count / sum(counts)
        return fractions

    def __str__(self) -> str:
        solvents = tuple(component for component in self.components if component.role is Role.solvent)
        text = solvents[0].smiles if len(solvents) == 1 else " + ".join(map(_amount, solvents))
        return f"{' + '.join(map(_amount, self.solutes))} in {text}" if self.solutes else text


def _amount(component: Component) -> str:
    if component.role is Role.solute and component.count == 1:
        return component.smiles
    if component.count is not None:
        return f"{component.count} {component.smiles}"
    return f"{component.mole_fraction:g} {component.smiles}"
