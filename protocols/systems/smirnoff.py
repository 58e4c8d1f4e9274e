"""SmirnoffForceField: parameters from the OpenFF toolkit, where it is installed."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from protocols.errors import InputError, ParameterError
from protocols.graphs.protocol import Protocol
from protocols.late import import_late
from protocols.paths import located
from protocols.running.storage import write_atomically
from protocols.substance import canonical_smiles
from protocols.systems.computed import ComputedForceField
from protocols.systems.forcefield import ForceFieldFile, OpenMMForceField
from protocols.systems.residue_xml import residue_xml
from protocols.systems.topology import Molecule
from workflow_backends.resources import ComputeResources

__all__ = ["AssignSmirnoffParameters", "SmirnoffForceField"]


class AssignSmirnoffParameters(Protocol):
    """Assign the parameters and charges of a SMIRNOFF force field to a molecule, with the OpenFF toolkit.

    Parameters
    ----------
    smiles
        Of the molecule.
    file
        The force field.

    Raises
    ------
    InputError
        The OpenFF toolkit is not installed.
    ParameterError
        The toolkit failed; the message names the molecule.
    """

    durable: ClassVar[bool] = True

    smiles: Annotated[str, AfterValidator(canonical_smiles)]
    file: ForceFieldFile

    class Outputs(Protocol.Outputs):
        """The parameters, and where they come from.

        Parameters
        ----------
        parameters
            The molecule's residue, types and parameters, for any OpenMM program.
        parameters_file
            The same, as an OpenMM force-field file.
        programs
            The versions of the OpenFF toolkit and of OpenFF Interchange.
        """

        parameters: OpenMMForceField
        parameters_file: Path
        programs: str

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:  # noqa: ARG002
        """Write ``parameters.xml``."""
        programs = f"OpenFF toolkit {load_toolkit().__version__}, Interchange {_interchange_version()}"
        try:
            system = _system(self.file, self.smiles, charges=True)
            name = f"smirnoff-{hashlib.sha256((self.smiles + self.file.xml).encode()).hexdigest()[:12]}"
            remark = f"{programs}, {self.file.name}, of {self.smiles}"
            xml = residue_xml(system, Molecule.from_smiles(self.smiles), name, remark)
        except Exception as error:
            raise ParameterError(f"{self.smiles}: {self.file.name}: {_one_line(error)}") from error
        written = Path(directory) / "parameters.xml"
        write_atomically(written, xml)
        named = ForceFieldFile(name=f"{self.file.name} of {self.smiles}", xml=xml)
        return self.Outputs(
            parameters=OpenMMForceField(files=(named,)), parameters_file=written, programs=programs
        )


class SmirnoffForceField(ComputedForceField):
    """A SMIRNOFF force field: parameters and charges of each molecule by the OpenFF toolkit, as a task.

    The toolkit comes from conda: ``conda install -c conda-forge openff-toolkit openff-interchange``. Cutoffs
    and constraints are those of the settings, as for any source.

    Parameters
    ----------
    name
        Of a force field that the toolkit finds, such as "openff-2.2.0.offxml", or a path.

    Raises
    ------
    InputError
        The toolkit is not installed, or does not find the force field.
    """

    type: Literal["SmirnoffForceField"] = "SmirnoffForceField"
    file: ForceFieldFile

    if TYPE_CHECKING:

        def __init__(self, name: str | Path) -> None: ...

    else:

        def __init__(self, name: str | Path | None = None, **inputs: Any) -> None:
            super().__init__(**({} if name is None else {"file": _read(str(name))}), **inputs)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Describe the name, which may be given in place of the file that is kept."""
        found = handler(schema)
        described = handler.resolve_ref_schema(found)
        described["properties"]["name"] = {"type": "string", "examples": ["openff-2.2.0.offxml"]}
        described["oneOf"] = [{"required": [described["required"].pop()]}, {"required": ["name"]}]
        return found

    def check_covers(self, smiles: str) -> None:
        """Raise InputError if the force field lacks a parameter of the molecule."""
        problem = _problem_with(self.file, smiles)
        if problem is not None:
            raise InputError(f"force_field: {self} does not cover {smiles} ({problem})")

    def preparations(self, smiles: str) -> tuple[Any, ...]:
        """Return the molecule's parameters, which the toolkit finds as a task."""
        return (AssignSmirnoffParameters(smiles=smiles, file=self.file).output.parameters,)

    def __str__(self) -> str:
        return self.file.name


def load_toolkit() -> Any:
    """Import and return ``openff.toolkit``, late, since it takes seconds and is optional.

    Raises
    ------
    InputError
        It is not installed.
    """
    try:
        import_late("openff.interchange")
        return import_late("openff.toolkit")
    except ImportError as error:
        raise InputError(
            f"OpenFF toolkit: not installed, and SmirnoffForceField needs it ({error}); "
            "conda install -c conda-forge openff-toolkit openff-interchange"
        ) from None


def _interchange_version() -> str:
    return str(import_late("openff.interchange").__version__)


def _read(name: str) -> ForceFieldFile:
    path = located(name)
    try:
        read = load_toolkit().ForceField(str(path) if path.is_file() else name)
        return ForceFieldFile(name=path.name, xml=read.to_string())
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001  # whatever the toolkit raises
        raise InputError(f"force_field: {name!r} is no SMIRNOFF force field: {_one_line(error)}") from None


@cache
def _problem_with(file: ForceFieldFile, smiles: str) -> str | None:
    load_toolkit()
    try:
        _system(file, smiles, charges=False)
    except Exception as error:  # noqa: BLE001  # whatever the toolkit raises
        return _one_line(error)
    return None


def _system(file: ForceFieldFile, smiles: str, *, charges: bool) -> Any:
    """Return the OpenMM System of a molecule alone; without charges, which take long, they are 0."""
    from rdkit import Chem  # noqa: PLC0415

    toolkit = load_toolkit()
    molecule = toolkit.Molecule.from_rdkit(
        Chem.AddHs(Chem.MolFromSmiles(smiles)), allow_undefined_stereo=True, hydrogens_are_explicit=True
    )
    given: dict[str, Any] = {}
    if not charges:
        molecule.partial_charges = toolkit.Quantity([0.0] * molecule.n_atoms, "elementary_charge")
        given["charge_from_molecules"] = [molecule]
    made = _force_field(file).create_interchange(molecule.to_topology(), **given)
    system = made.to_openmm(combine_nonbonded_forces=True, add_constrained_forces=True)
    for index in reversed(range(system.getNumConstraints())):
        system.removeConstraint(index)  # the settings say what is constrained
    return system


@cache
def _force_field(file: ForceFieldFile) -> Any:
    return load_toolkit().ForceField(file.xml)


def _one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:400]
