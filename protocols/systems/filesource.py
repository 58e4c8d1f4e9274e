"""FileSource: what sources have in common that are files of another program."""

from __future__ import annotations

import tempfile
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import openmm
from numpy.typing import NDArray
from openmm import app, unit
from pydantic import GetCoreSchemaHandler, model_validator
from pydantic_core import CoreSchema, core_schema

from protocols.errors import InputError
from protocols.model import Model
from protocols.paths import located
from protocols.settings import InteractionSettings
from protocols.systems.merging import check_forces
from protocols.systems.molecules import (
    Graph,
    ParameterisedMolecules,
    Pick,
    assembled,
    copy_atoms,
    formula,
    graph_of_smiles,
    graphs_of,
)
from protocols.systems.sources import GivenBox, Parameterised, ParameterSource

__all__ = ["FileSource", "Loaded", "SourceFile", "read_file"]

_LONGEST = 1.6  # times its length at rest, beyond which a bond joins atoms that are not neighbours


class SourceFile(Model):
    """One file of another program; an input of this type takes a path too, whose file is read at once.

    Parameters
    ----------
    name
        Its name, without folders.
    text
        Its content.
    """

    name: str
    text: str

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Validate a path as the file that lies there."""
        model = handler(source)
        described = core_schema.union_schema([core_schema.str_schema(), model])
        return core_schema.no_info_before_validator_function(
            cls._from_path, model, json_schema_input_schema=described
        )

    @classmethod
    def _from_path(cls, given: Any) -> Any:
        """Return a file with its content; what is no path is for the fields to judge."""
        return read_file(given) if isinstance(given, str | Path) else given

    def identity_content(self) -> Any:
        """Return the content; the name does not matter."""
        return {"text": self.text}


class Loaded(NamedTuple):
    """What the loader of a program makes of its files.

    Parameters
    ----------
    system
        OpenMM's, with no cutoff, flexible, and without constraints other than those of the files.
    topology
        Of its particles.
    positions
        In nanometres, shape (particles, 3).
    box
        Vectors in nanometres, shape (3, 3); None without a box.
    """

    system: Any
    topology: Any
    positions: NDArray[np.float64]
    box: NDArray[np.float64] | None


class FileSource(ParameterSource, ABC):
    """Files with the parameters and the coordinates of one molecule of each kind, or of a whole box.

    From single molecules, boxes are packed. A whole box, which has several molecules and a size, is
    simulated as it is: the substance must have the molecules that are in the box, and as many.
    """

    @abstractmethod
    def files(self) -> tuple[SourceFile, ...]:
        """Return the files, those that are loaded by name first."""

    @abstractmethod
    def load_from(self, paths: Sequence[Path]) -> Loaded:
        """Return what the program's own loader makes of the files, which lie in a folder of their own."""

    @model_validator(mode="after")
    def _loads(self) -> FileSource:
        _loaded(self)
        return self

    def molecules(self) -> ParameterisedMolecules:
        """Return the molecules that the files have."""
        return _molecules(self)

    def given_box(self) -> GivenBox | None:
        """Return the box of the files, None where they are single molecules."""
        return _box(self)

    def check_covers(self, smiles: str) -> None:
        """Raise InputError unless the files have a molecule with these atoms and bonds."""
        graph = graph_of_smiles(smiles)
        if not self.molecules().find(graph):
            have = ", ".join(dict.fromkeys(formula(own) for own in self.molecules().graphs))
            same = any(formula(own) == formula(graph) for own in self.molecules().graphs)
            why = "with other bonds" if same else f"and {smiles} is {formula(graph)}"
            raise InputError(f"force_field: {self} does not cover {smiles}; it has {have}, {why}")

    def parameterised(
        self, topology: Any, positions: Any, interactions: InteractionSettings, *, periodic: bool
    ) -> Parameterised:
        """Return the System of molecules; the first of a kind is the first of it in the files, and so on."""
        source = self.molecules()
        found: dict[Graph, list[tuple[int, tuple[int, ...]]]] = {}
        seen: dict[Graph, int] = {}
        picks = []
        for graph, atoms in graphs_of(topology):
            if graph not in found:
                found[graph] = source.find(graph)
                if not found[graph]:
                    raise InputError(
                        f"force_field: {self} has no molecule {formula(graph)} with the bonds of this one"
                    )
            seen[graph] = seen.get(graph, -1) + 1
            number, match = found[graph][seen[graph] % len(found[graph])]
            picks.append(Pick(source, number, tuple(atoms[place] for place in match)))
        return assembled(picks, topology, positions, interactions, periodic=periodic, name=str(self))

    def __str__(self) -> str:
        return self.files()[0].name


def read_file(name: str | Path) -> SourceFile:
    """Return a file with its content.

    Raises
    ------
    InputError
        It cannot be read, or is no text.
    """
    path = located(name)
    try:
        return SourceFile(name=path.name, text=path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"force_field: {str(name)!r} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"force_field: {str(name)!r} is not a text file") from None


@lru_cache(maxsize=50)
def _loaded(source: FileSource) -> Loaded:
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for file in source.files():
            paths.append(Path(folder) / file.name)
            paths[-1].write_text(file.text, encoding="utf-8")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                loaded = source.load_from(paths)
        except InputError:
            raise
        except Exception as error:  # noqa: BLE001  # loaders raise whatever they stumble over
            said = " ".join(f"{type(error).__name__}: {error}".split()).replace(f"{folder}/", "")
            raise InputError(f"force_field: {source} cannot be loaded: {said:.300}") from None
    _check(source, loaded)
    return loaded


@lru_cache(maxsize=50)
def _molecules(source: FileSource) -> ParameterisedMolecules:
    loaded = _loaded(source)
    return ParameterisedMolecules(loaded.system, loaded.topology)


@lru_cache(maxsize=50)
def _box(files: FileSource) -> GivenBox | None:
    source, loaded = files.molecules(), _loaded(files)
    if loaded.box is None or len(source.molecules) == len(set(source.graphs)):
        return None
    topology = app.Topology()
    for real in source.real:
        copy_atoms(source.atoms, real, source.bonds_among(real), topology)
    order = [index for real in source.real for index in real]
    return GivenBox(str(files), topology, loaded.positions[order], loaded.box)


def _check(source: FileSource, loaded: Loaded) -> None:
    """Raise InputError where parameters and coordinates are not of the same atoms in the same order.

    Forces that no box can be made with are refused too.
    """
    check_forces(loaded.system, str(source))
    parameters, coordinates = source.files()[:2]
    atoms = list(loaded.topology.atoms())
    if len(loaded.positions) != len(atoms):
        raise InputError(
            f"force_field: {coordinates.name} has {len(loaded.positions)} atoms and {parameters.name} has "
            f"{len(atoms)}"
        )
    if loaded.system.getNumParticles() != len(atoms):
        raise InputError(
            f"force_field: {parameters.name} has {loaded.system.getNumParticles()} particles and "
            f"{coordinates.name} has {len(atoms)}"
        )
    for force in loaded.system.getForces():
        if not isinstance(force, openmm.HarmonicBondForce):
            continue
        for number in range(force.getNumBonds()):
            one, two, length, _ = force.getBondParameters(number)
            found = _distance(loaded, one, two)
            if not found < _LONGEST * length._value:
                first, second = atoms[one], atoms[two]
                raise InputError(
                    f"force_field: {coordinates.name} does not match {parameters.name}: the bond of atoms "
                    f"{one + 1} ({first.name}) and {two + 1} ({second.name}) in {first.residue.name} is "
                    f"{found:.2f} nm long instead of {length._value:.2f} nm; are the atoms in the same order?"
                )


def _distance(loaded: Loaded, one: int, two: int) -> float:
    difference = loaded.positions[one] - loaded.positions[two]
    if loaded.box is not None:
        for vector, axis in ((loaded.box[axis], axis) for axis in (2, 1, 0)):
            difference = difference - vector * np.round(difference[axis] / vector[axis])
    return float(np.linalg.norm(difference))


def nanometres(positions: Any) -> NDArray[np.float64]:
    """Return openmm positions, or box vectors, as an array in nanometres."""
    return np.array(positions.value_in_unit(unit.nanometer), dtype=np.float64).reshape(-1, 3)


def box_of(vectors: Any) -> NDArray[np.float64] | None:
    """Return box vectors as an array in nanometres, None where there are none or they are of no length."""
    if vectors is None:
        return None
    box = nanometres(vectors)
    return box if np.diag(box).min() > 0 else None


def flexible(loader: Any, *arguments: Any) -> Any:
    """Return the System that a loader makes without cutoff and without constraints."""
    return loader.createSystem(
        *arguments, nonbondedMethod=app.NoCutoff, constraints=None, rigidWater=False, removeCMMotion=False
    )
