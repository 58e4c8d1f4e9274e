"""The substances of a calculation's YAML file, in the forms that it may give them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from protocols.errors import InputError
from protocols.model import Model
from protocols.molecule_files import smiles_of_file
from protocols.substance import Component, Role, Substance
from workflow_backends.spelling import did_you_mean

__all__ = ["ComponentEntry", "MoleculeFile", "SubstanceEntry"]

_FORMS = (
    "give a SMILES such as O, a mixture: {O: 0.7, CO: 0.3}, a solute and a solvent: C and O, a list of "
    "components, or a file"
)
_KEYS = ("mixture", "solute", "solvent", "components", "file", "charge")


class MoleculeFile(Model):
    """A molecule by its file.

    Parameters
    ----------
    file
        SDF, MOL2, PDB or PDBx/mmCIF with this one molecule.
    charge
        Of the molecule, where its file says no bonds.
    """

    model_config = ConfigDict(title="a molecule")

    file: str
    charge: int = 0

    def smiles(self) -> str:
        """Return the SMILES of the molecule."""
        return smiles_of_file(self.file, self.charge)


class ComponentEntry(Model):
    """One kind of molecule and its amount.

    Parameters
    ----------
    smiles
        A SMILES or a common name; or
    file, charge
        As of `MoleculeFile`.
    mole_fraction
        Among the components that have one; or
    count
        Exactly so many molecules.
    role
        A solute has a count.
    """

    model_config = ConfigDict(
        title="a component",
        json_schema_extra={
            "allOf": [
                {"oneOf": [{"required": ["smiles"]}, {"required": ["file"]}]},
                {"oneOf": [{"required": ["mole_fraction"]}, {"required": ["count"]}]},
            ]
        },
    )

    smiles: str | None = None
    file: str | None = None
    charge: int = 0
    mole_fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    count: Annotated[int, Field(ge=1)] | None = None
    role: Literal["solvent", "solute"] = "solvent"

    @model_validator(mode="after")
    def _makes_a_component(self) -> ComponentEntry:
        self.component()
        return self

    def component(self) -> Component:
        """Return what it describes."""
        if (self.smiles is None) == (self.file is None):
            raise InputError("give either a smiles or a file")
        smiles = self.smiles or MoleculeFile(file=self.file or "", charge=self.charge).smiles()
        return Component(
            smiles=smiles, mole_fraction=self.mole_fraction, count=self.count, role=Role(self.role)
        )


class _Components(Model):
    model_config = ConfigDict(title="a substance")

    components: tuple[ComponentEntry, ...]


def _substance(value: Any) -> Substance:
    if isinstance(value, str):
        return Substance.pure(value)
    if isinstance(value, list):
        inside = value[0] if len(value) == 1 else "Ar"
        raise InputError(f"{value!r} is a list; a SMILES that begins with [ needs quotes: '[{inside}]'")
    if not isinstance(value, dict):
        raise InputError(f"{value!r} is not a substance; {_FORMS}")
    if value.keys() == {"mixture"} and isinstance(value["mixture"], dict):
        return Substance.mixture({str(smiles): _fraction(part) for smiles, part in value["mixture"].items()})
    if value.keys() == {"solute", "solvent"}:
        return Substance.solution(_molecule(value["solute"]), _molecule(value["solvent"]))
    if value.keys() == {"components"}:
        entries = _Components(components=value["components"]).components
        return Substance(components=tuple(entry.component() for entry in entries))
    if {"file"} <= value.keys() <= {"file", "charge"}:
        return Substance.pure(_molecule(value))
    wrong = next((key for key in value if key not in _KEYS), None)
    hint = "" if wrong is None else did_you_mean(str(wrong), _KEYS)
    raise InputError(f"{value!r:.80} is not a substance{hint}; {_FORMS}")


def _fraction(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise InputError(
            f"mole_fraction: {value!r} is not allowed; give a number above 0 and at most 1, such as 0.5"
        )
    return float(value)


def _molecule(value: Any) -> str:
    """Return the SMILES of a molecule that is given by it or by a file."""
    if isinstance(value, dict):
        return MoleculeFile(**{str(key): item for key, item in value.items()}).smiles()
    if not isinstance(value, str):
        raise InputError(f"{value!r} is not a molecule; give a SMILES such as O, or {{file: molecule.sdf}}")
    return value


def _schema() -> dict[str, Any]:
    smiles = {"type": "string", "examples": ["O", "CCO", "[Ar]"]}
    molecule = {"anyOf": [smiles, MoleculeFile.model_json_schema()]}
    fraction = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
    mixture = {
        "description": "Mole fractions by SMILES.",
        "type": "object",
        "additionalProperties": fraction,
    }
    components = {"type": "array", "items": ComponentEntry.model_json_schema(), "minItems": 1}
    return {
        "description": "A pure substance as SMILES or file; a mixture by mole fractions; one solute in a "
        "solvent; or components with mole fractions, counts and roles.",
        "anyOf": [
            *molecule["anyOf"],
            _object({"mixture": mixture}),
            _object({"solute": molecule, "solvent": molecule}),
            _object({"components": components}),
        ],
    }


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


SubstanceEntry: TypeAlias = Annotated[Substance, BeforeValidator(_substance), WithJsonSchema(_schema())]
"""A substance, from any of its forms."""
