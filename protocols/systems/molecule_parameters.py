"""AssignGaffParameters: charges and GAFF parameters of one molecule, from AmberTools."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from openmm import app
from pydantic import AfterValidator

from protocols.errors import ParameterError
from protocols.graphs.protocol import Protocol
from protocols.identity import digest
from protocols.running.storage import write_atomically
from protocols.substance import canonical_smiles
from protocols.systems.ambertools import AmberTools
from protocols.systems.forcefield import ForceFieldFile, OpenMMForceField
from protocols.systems.gaff_programs import molecule_sdf, run_ambertools
from protocols.systems.parameter_cache import keep, recall
from protocols.systems.residue_xml import residue_xml
from protocols.systems.topology import Molecule
from workflow_backends.resources import ComputeResources

__all__ = ["AssignGaffParameters"]

_FILES = ("parameters.xml", "molecule.mol2", "molecule.frcmod", "molecule.prmtop")


class AssignGaffParameters(Protocol):
    """Compute AM1-BCC charges of a molecule and assign its GAFF parameters, with the programs of AmberTools.

    A. Jakalian, D. B. Jack, C. I. Bayly, J. Comput. Chem. 23, 1623 (2002); J. Wang, R. M. Wolf,
    J. W. Caldwell, P. A. Kollman, D. A. Case, J. Comput. Chem. 25, 1157 (2004). One conformer, the one that
    boxes are packed with, is relaxed by AM1 and charged; what rounding leaves is spread evenly, so that
    charges sum to the net charge. Programs run on one thread. What they made is kept for other runs too, see
    `protocols.systems.parameter_cache`.

    Parameters
    ----------
    smiles
        Of the molecule.
    parameter_set
        "gaff" (GAFF 1.x) or "gaff2", in the version that the installed AmberTools has.
    charge_method
        How partial charges are computed.

    Raises
    ------
    InputError
        AmberTools is not installed.
    ParameterError
        A program failed, or parameters are missing; the message names the molecule and ends its log.
    """

    durable: ClassVar[bool] = True

    smiles: Annotated[str, AfterValidator(canonical_smiles)]
    parameter_set: Literal["gaff", "gaff2"] = "gaff2"
    charge_method: Literal["am1-bcc"] = "am1-bcc"

    class Outputs(Protocol.Outputs):
        """The parameters, and where they come from.

        Parameters
        ----------
        parameters
            The molecule's residue, types and parameters, for any OpenMM program.
        parameters_file
            The same, as an OpenMM force-field file.
        mol2_file
            Atom types and charges.
        frcmod_file
            Parameters that the set lacks, taken from similar ones.
        prmtop_file
            The molecule as tleap wrote it.
        programs
            The version of AmberTools.
        parameter_set
            The title of the parameter set, with its version.
        charge_program
            What computed the charges.
        """

        parameters: OpenMMForceField
        parameters_file: Path
        mol2_file: Path
        frcmod_file: Path
        prmtop_file: Path
        programs: str
        parameter_set: str
        charge_program: str

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:  # noqa: ARG002
        """Run the programs in ``ambertools``, where their logs stay, and write their results."""
        tools, molecule = AmberTools.find(), Molecule.from_smiles(self.smiles)
        title = tools.parameter_set(self.parameter_set)
        sdf = molecule_sdf(molecule)
        depends_on = [self.version, self.charge_method, self.parameter_set, title, tools.version, sdf]
        key = digest(depends_on)
        made = recall(key)
        if made is None:
            made = self._make(
                tools, molecule, sdf, Path(directory) / "ambertools", f"{tools.version}, {title}"
            )
            keep(key, made)
        files = {name: Path(directory) / name for name in _FILES}
        for name, file in files.items():
            write_atomically(file, made[name])
        named = ForceFieldFile(name=f"{self.parameter_set} of {self.smiles}", xml=made["parameters.xml"])
        return self.Outputs(
            parameters=OpenMMForceField(files=(named,)),
            parameters_file=files["parameters.xml"],
            mol2_file=files["molecule.mol2"],
            frcmod_file=files["molecule.frcmod"],
            prmtop_file=files["molecule.prmtop"],
            programs=tools.version,
            parameter_set=title,
            charge_program=made["charge_program"],
        )

    def _make(
        self, tools: AmberTools, molecule: Molecule, sdf: str, directory: Path, source: str
    ) -> dict[str, str]:
        """Return the texts of the files by name, and the program of the charges."""
        shutil.rmtree(directory, ignore_errors=True)  # of an interrupted run
        directory.mkdir()
        files = run_ambertools(tools, molecule, sdf, self.parameter_set, directory)
        loaded = app.AmberPrmtopFile(str(files.prmtop))
        if tuple(atom.element.atomic_number for atom in loaded.topology.atoms()) != molecule.elements:
            raise ParameterError(f"{self.smiles}: tleap changed the order of the atoms; see {files.prmtop}")
        system = loaded.createSystem(
            nonbondedMethod=app.NoCutoff, constraints=None, rigidWater=False, removeCMMotion=False
        )
        name = f"{self.parameter_set}-{hashlib.sha256(self.smiles.encode()).hexdigest()[:12]}"
        program = _sqm_version(directory / "sqm.out")
        remark = f"{source}, {program}, of {self.smiles}"
        return {
            "parameters.xml": residue_xml(system, molecule, name, remark),
            **{file.name: file.read_text(encoding="utf-8") for file in files},
            "charge_program": program,
        }


def _sqm_version(log: Path) -> str:
    found = re.search(r"SQM VERSION (\S+)", log.read_text(encoding="utf-8", errors="replace"))
    return f"sqm {found[1] if found else 'of unknown version'}, AM1-BCC"
