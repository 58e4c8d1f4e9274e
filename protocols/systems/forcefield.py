"""A force field as OpenMM XML files, held by content so that a worker needs no file."""

from __future__ import annotations

import hashlib
import io
import xml.etree.ElementTree as ET
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openmm import app, unit
from openmm.app.forcefield import _getDataDirectories
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from protocols.errors import InputError
from protocols.model import Model
from protocols.paths import located
from protocols.settings import InteractionSettings
from protocols.systems.interactions import CONSTRAINTS, md_value, set_interactions
from protocols.systems.sources import Parameterised, ParameterSource
from protocols.systems.topology import Molecule, box_topology
from workflow_backends.spelling import did_you_mean

__all__ = ["ForceFieldFile", "OpenMMForceField"]

_INDUCED = ("AmoebaMultipoleForce", "DrudeForce", "HippoNonbondedForce")


class ForceFieldFile(Model):
    """One force-field file.

    Parameters
    ----------
    name
        As the user gave it.
    xml
        Its content, without the lines that include other files, which stand beside it.
    """

    name: str
    xml: str

    def identity_content(self) -> Any:
        """Return the hash of the content; the name does not matter."""
        return {"sha256": hashlib.sha256(self.xml.encode()).hexdigest()}


class OpenMMForceField(ParameterSource):
    """One or several OpenMM force-field XML files, bundled with OpenMM or with this package, or the user's.

    An input that takes a force field takes a name or a list of names too, whose files are read at once.

    Parameters
    ----------
    *names
        File names or paths, such as "tip3p.xml" or "argon.xml".

    Raises
    ------
    InputError
        A file is not found (the message lists where it was looked for) or is no force field.
    """

    files: tuple[ForceFieldFile, ...]

    if TYPE_CHECKING:

        def __init__(self, *names: str | Path, files: tuple[ForceFieldFile, ...] = ()) -> None: ...

    else:

        def __init__(self, *names: str | Path, **inputs: Any) -> None:
            if names or not inputs:
                inputs["files"] = tuple(file for name in names for file in _read(str(name)))
            super().__init__(**inputs)
            if not self.files:
                raise InputError("force_field: no file given; give names such as 'tip3p.xml'")

    # No validator of the model itself, because an input whose class has one takes outputs of every type.
    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate names as the force field that they stand for."""
        model, name = handler(source), core_schema.str_schema()
        described = core_schema.union_schema([name, core_schema.list_schema(name, min_length=1), model])
        return core_schema.no_info_before_validator_function(
            cls._from_names, model, json_schema_input_schema=described
        )

    @classmethod
    def _from_names(cls, value: Any) -> Any:
        """Return the force field of a name or of several; other values are for the fields to judge."""
        if isinstance(value, dict | OpenMMForceField):
            return value
        names = value if isinstance(value, list | tuple) else [value]
        if not all(isinstance(name, str | Path) for name in names):
            raise InputError(
                f"force_field: {value!r:.60} is not allowed; give a name such as 'tip3p.xml', a list of "
                "names, or an OpenMMForceField"
            )
        return cls(*names)

    def load(self) -> Any:
        """Return OpenMM's ForceField."""
        return _load(self)

    def check_covers(self, smiles: str) -> None:
        """Raise InputError unless the force field has parameters for this molecule."""
        problem = _problem_with(self, smiles)
        if problem is not None:
            raise InputError(
                f"force_field: {self} does not cover {smiles} ({problem}); add a file with its residue, "
                "or take GaffForceField or SmirnoffForceField, which need its SMILES only"
            )

    def parameterised(
        self, topology: Any, positions: Any, interactions: InteractionSettings, *, periodic: bool
    ) -> Parameterised:
        """Return an OpenMM System of molecules, with the virtual sites of the force field."""
        modeller = app.Modeller(topology, positions)
        modeller.addExtraParticles(self.load())
        system = self.load().createSystem(
            modeller.topology,
            nonbondedMethod=app.PME if periodic else app.NoCutoff,
            nonbondedCutoff=md_value(interactions.cutoff, "nm"),
            constraints=CONSTRAINTS[interactions.constraints],
            rigidWater=interactions.rigid_water,
            hydrogenMass=md_value(interactions.hydrogen_mass, "dalton"),
        )
        _refuse_polarisable(self, system)
        set_interactions(system, interactions, periodic=periodic)
        return Parameterised(system, modeller.topology, modeller.positions)

    def __str__(self) -> str:
        return " + ".join(dict.fromkeys(file.name for file in self.files))


@cache
def _load(force_field: OpenMMForceField) -> Any:
    _check_types(force_field)
    return app.ForceField(*(io.StringIO(file.xml) for file in force_field.files))


def _check_types(force_field: OpenMMForceField) -> None:
    """Raise InputError for an atom of a residue whose type no file defines; OpenMM names the type alone."""
    roots = [ET.fromstring(file.xml) for file in force_field.files]
    known = {each.get("name") for root in roots for each in root.findall("AtomTypes/Type")}
    for file, root in zip(force_field.files, roots, strict=True):
        for residue in root.findall("Residues/Residue"):
            for atom in residue.findall("Atom"):
                if atom.get("type") not in known:
                    raise InputError(
                        f"force_field: {file.name}: atom {atom.get('name')} of residue {residue.get('name')} "
                        f"has the type {atom.get('type')!r}, which no <AtomTypes> defines"
                    )


@cache
def _problem_with(force_field: OpenMMForceField, smiles: str) -> str | None:
    molecule = Molecule.from_smiles(smiles)
    modeller = app.Modeller(box_topology([(molecule, 1)]), molecule.positions * unit.nanometer)
    try:
        modeller.addExtraParticles(force_field.load())
        _refuse_polarisable(force_field, force_field.load().createSystem(modeller.topology))
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001  # OpenMM raises whatever its generators raise
        said = " ".join(str(error).split()).split(". ")[0]
        return said + _atoms_of_type(force_field, said.rpartition("atom type ")[2])
    return None


def _refuse_polarisable(force_field: OpenMMForceField, system: Any) -> None:
    """Raise InputError for induced dipoles, which the simulations here have no integrator for."""
    kind = next(
        (name for name in (type(force).__name__ for force in system.getForces()) if name in _INDUCED), None
    )
    if kind is not None:
        raise InputError(
            f"force_field: {force_field} has a {kind}; polarisable force fields are not supported"
        )


def _atoms_of_type(force_field: OpenMMForceField, kind: str) -> str:
    """Return which atoms have a type, for a message that names the type alone."""
    found = [
        f"{atom.get('name')} of {residue.get('name')}"
        for file in force_field.files
        for residue in ET.fromstring(file.xml).findall("Residues/Residue")
        for atom in residue.findall("Atom")
        if atom.get("type") == kind
    ]
    return f", which is that of atom {', '.join(found)}" if found else ""


def _read(name: str) -> list[ForceFieldFile]:
    """Read one file and those that it includes, each once."""
    pending, found = [_find(name, [])], {}
    while pending:
        path = pending.pop(0)
        if path in found:
            continue
        root = _parse(name, path)
        for include in root.findall("Include"):
            pending.append(_find(include.attrib["file"], [path.parent]))
            root.remove(include)
        found[path] = ForceFieldFile(name=name, xml=ET.tostring(root, encoding="unicode"))
    return list(found.values())


def _find(name: str, first: list[Path]) -> Path:
    ours = Path(str(resources.files("protocols") / "data"))
    places = [*first, located(".").absolute(), ours, *(Path(place) for place in _getDataDirectories())]
    for place in places:
        if (place / Path(name).expanduser()).is_file():
            return (place / Path(name).expanduser()).resolve()
    looked = ", ".join(str(place) for place in places) if not Path(name).is_absolute() else "that path"
    stems = sorted({file.stem for place in places if place.is_dir() for file in place.glob("*.xml")})
    hint = (
        did_you_mean(name.removesuffix(".xml"), stems).replace("' or '", ".xml' or '").replace("'?", ".xml'?")
    )
    raise InputError(f"force_field: no file {name!r}{hint}; looked in {looked}")


def _parse(name: str, path: Path) -> ET.Element:
    try:
        root = ET.parse(path).getroot()
    except ET.ParseError as error:
        raise InputError(f"force_field: {name!r} is not XML: {error}") from None
    if root.tag != "ForceField":
        raise InputError(f"force_field: {name!r} is not an OpenMM force field; its root is <{root.tag}>")
    return root
