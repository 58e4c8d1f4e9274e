"""Parameters from the files of Amber, GROMACS and CHARMM, and from Systems that OpenMM has written."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
import openmm
from openmm import app
from pydantic import BeforeValidator, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from protocols.errors import InputError
from protocols.paths import located
from protocols.systems.filesource import (
    FileSource,
    Loaded,
    SourceFile,
    box_of,
    flexible,
    nanometres,
    read_file,
)

__all__ = ["AmberFiles", "CharmmFiles", "GromacsFiles", "SystemFiles"]

_INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]')


def _listed(given: Any) -> Any:
    return [given] if isinstance(given, str | Path | SourceFile) else given


class AmberFiles(FileSource):
    """An Amber topology with coordinates, of one molecule or of a whole box.

    Parameters
    ----------
    prmtop
        File with the parameters.
    inpcrd
        File with the coordinates, and the box where there is one; text, not NetCDF.

    Raises
    ------
    InputError
        A file cannot be loaded, or the coordinates are not those of the parameters' atoms.
    """

    type: Literal["AmberFiles"] = "AmberFiles"
    prmtop: SourceFile
    inpcrd: SourceFile

    if TYPE_CHECKING:

        def __init__(self, prmtop: Path | str | SourceFile, inpcrd: Path | str | SourceFile) -> None: ...

    else:

        def __init__(self, prmtop: Any, inpcrd: Any, **inputs: Any) -> None:
            super().__init__(prmtop=prmtop, inpcrd=inpcrd, **inputs)

    def files(self) -> tuple[SourceFile, ...]:
        """Return both files."""
        return self.prmtop, self.inpcrd

    def load_from(self, paths: Sequence[Path]) -> Loaded:
        """Load them with OpenMM's AmberPrmtopFile and AmberInpcrdFile."""
        prmtop, inpcrd = app.AmberPrmtopFile(str(paths[0])), app.AmberInpcrdFile(str(paths[1]))
        box = box_of(inpcrd.boxVectors)
        return Loaded(flexible(prmtop), prmtop.topology, nanometres(inpcrd.positions), box)


class GromacsFiles(FileSource):
    """A GROMACS topology with coordinates, of one molecule or of a whole box.

    Parameters
    ----------
    top
        File with the topology. Files that it includes are read at once, wherever they are found: beside the
        file that includes them, or in `include`.
    gro
        File with coordinates and box.
    include
        The folder of force fields, such as /usr/share/gromacs/top; None where nothing is included from there.
    defines
        Names that stand as if the topology defined them, with their values.

    Raises
    ------
    InputError
        A file cannot be loaded, or the coordinates are not those of the topology's atoms.
    """

    type: Literal["GromacsFiles"] = "GromacsFiles"
    top: SourceFile
    gro: SourceFile
    defines: dict[str, str] = Field(default_factory=dict)

    if TYPE_CHECKING:

        def __init__(
            self,
            top: Path | str | SourceFile,
            gro: Path | str | SourceFile,
            include: Path | str | None = None,
            defines: dict[str, str] | None = None,
        ) -> None: ...

    else:

        def __init__(
            self, top: Any, gro: Any, include: Any = None, defines: Any = None, **inputs: Any
        ) -> None:
            whole = _with_includes(Path(top), include) if isinstance(top, str | Path) else top
            super().__init__(top=whole, gro=gro, defines=defines or {}, **inputs)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe the folder, which is an input and not kept."""
        found = handler(schema)
        handler.resolve_ref_schema(found)["properties"]["include"] = {"type": "string"}
        return found

    def files(self) -> tuple[SourceFile, ...]:
        """Return both files."""
        return self.top, self.gro

    def load_from(self, paths: Sequence[Path]) -> Loaded:
        """Load them with OpenMM's GromacsTopFile and GromacsGroFile."""
        gro = app.GromacsGroFile(str(paths[1]))
        vectors = gro.getPeriodicBoxVectors()
        top = app.GromacsTopFile(str(paths[0]), defines=dict(self.defines), includeDir=str(paths[0].parent))
        return Loaded(flexible(top), top.topology, nanometres(gro.positions), box_of(vectors))


class CharmmFiles(FileSource):
    """A CHARMM PSF with coordinates and parameter files, of one molecule or of a whole box.

    Parameters
    ----------
    psf
        File with atoms, bonds and charges.
    coordinates
        CRD or PDB file; a PDB file may have the box.
    parameters
        Parameter, topology and stream files (.prm, .par, .rtf, .str, .inp), in the order in which CHARMM
        reads them.
    box
        Edges of a rectangular box in nanometres, where the coordinates have none.

    Raises
    ------
    InputError
        A file cannot be loaded, an atom type has no parameters, or the coordinates are not those of the PSF's
        atoms.
    """

    type: Literal["CharmmFiles"] = "CharmmFiles"
    psf: SourceFile
    coordinates: SourceFile
    parameters: Annotated[tuple[SourceFile, ...], BeforeValidator(_listed, SourceFile | list[SourceFile])]
    box: tuple[float, float, float] | None = None

    if TYPE_CHECKING:

        def __init__(
            self,
            psf: Path | str | SourceFile,
            coordinates: Path | str | SourceFile,
            parameters: Sequence[Path | str | SourceFile],
            box: tuple[float, float, float] | None = None,
        ) -> None: ...

    else:

        def __init__(
            self, psf: Any, coordinates: Any, parameters: Any, box: Any = None, **inputs: Any
        ) -> None:
            super().__init__(psf=psf, coordinates=coordinates, parameters=parameters, box=box, **inputs)

    def files(self) -> tuple[SourceFile, ...]:
        """Return all files."""
        return self.psf, self.coordinates, *self.parameters

    def load_from(self, paths: Sequence[Path]) -> Loaded:
        """Load them with OpenMM's CharmmPsfFile and CharmmParameterSet."""
        psf = app.CharmmPsfFile(str(paths[0]))
        parameters = app.CharmmParameterSet(*map(str, paths[2:]))
        self._check_types(psf, parameters)
        if paths[1].suffix.lower() == ".pdb":
            pdb = app.PDBFile(str(paths[1]))
            positions, box = pdb.positions, box_of(pdb.topology.getPeriodicBoxVectors())
        else:
            positions, box = app.CharmmCrdFile(str(paths[1])).positions, None
        if self.box is not None:
            box = np.diag(self.box)
        return Loaded(flexible(psf, parameters), psf.topology, nanometres(positions), box)

    def _check_types(self, psf: Any, parameters: Any) -> None:
        """Raise InputError for an atom whose type has no parameters; the loader names neither."""
        known = parameters.atom_types_str | parameters.atom_types_int
        for atom in psf.atom_list:
            kind = known.get(atom.attype)
            if kind is None or kind.epsilon is None:
                names = ", ".join(file.name for file in self.parameters)
                problem = "is not" if kind is None else "has no Lennard-Jones parameters"
                raise InputError(
                    f"force_field: {self.psf.name}: atom {atom.name} of {atom.residue.resname} has the type "
                    f"{atom.attype}, which {problem} in {names}"
                )


class SystemFiles(FileSource):
    """A System that OpenMM has written, with a topology and coordinates, of one molecule or of a whole box.

    Parameters
    ----------
    system
        Serialised OpenMM System. Its cutoffs are replaced by those of the settings; distances that it fixes
        stay fixed.
    topology
        PDB or PDBx/mmCIF file with the atoms in the order of the System, bonds, coordinates, and the box
        where there is one.

    Raises
    ------
    InputError
        A file cannot be loaded, or the coordinates are not those of the System's particles.
    """

    type: Literal["SystemFiles"] = "SystemFiles"
    system: SourceFile
    topology: SourceFile

    if TYPE_CHECKING:

        def __init__(self, system: Path | str | SourceFile, topology: Path | str | SourceFile) -> None: ...

    else:

        def __init__(self, system: Any, topology: Any, **inputs: Any) -> None:
            super().__init__(system=system, topology=topology, **inputs)

    def files(self) -> tuple[SourceFile, ...]:
        """Return both files."""
        return self.system, self.topology

    def load_from(self, paths: Sequence[Path]) -> Loaded:
        """Deserialise the System, and read the topology with OpenMM."""
        system = openmm.XmlSerializer.deserialize(paths[0].read_text(encoding="utf-8"))
        if not isinstance(system, openmm.System):
            raise InputError(f"force_field: {self.system.name} is no System; it is a {type(system).__name__}")
        reader = app.PDBxFile if paths[1].suffix.lower() in {".cif", ".mmcif"} else app.PDBFile
        file = reader(str(paths[1]))
        box = box_of(file.topology.getPeriodicBoxVectors())
        return Loaded(system, file.topology, nanometres(file.positions), box)


def _with_includes(top: Path, include: Path | str | None) -> SourceFile:
    """Return a topology in which the files that it includes stand in place of the lines that include them."""
    folders = [] if include is None else [Path(include)]
    return SourceFile(name=top.name, text=_expanded(top, folders, ()))


def _expanded(path: Path, folders: Sequence[Path], within: tuple[Path, ...]) -> str:
    resolved = located(path).resolve()
    if resolved in within:
        raise InputError(f"force_field: {path.name} includes itself")
    lines = io.StringIO()
    for line in read_file(path).text.splitlines(keepends=True):
        match = _INCLUDE.match(line)
        places = [folder / match[1] for folder in (path.parent, *folders)] if match else []
        found = next((place for place in places if located(place).is_file()), None)
        # What is not found may stand where it is never read; the loader tells if it does not.
        expanded = line if found is None else _expanded(found, folders, (*within, resolved)) + "\n"
        lines.write(expanded)
    return lines.getvalue()
