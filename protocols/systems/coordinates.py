"""BuildCoordinatesPackmol: molecules packed into a periodic box."""

from __future__ import annotations

import shutil
import subprocess
from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from openmm import app
from openmm.unit import nanometer
from pydantic import Field

from protocols.errors import PackingError
from protocols.graphs.protocol import Protocol
from protocols.quantities import MassDensity, Quantity, quantity
from protocols.settings import box_edge
from protocols.substance import Substance
from protocols.systems.topology import Molecule, box_topology
from workflow_backends.resources import ComputeResources

__all__ = ["BuildCoordinatesPackmol"]

_TOLERANCES_ANGSTROM = (2.0, 1.7)  # the second lets molecules touch, which minimisation mends
_DENSITIES = 8
_LIGHTER = 0.92
_PACKMOL_LIMIT_S = 600


class BuildCoordinatesPackmol(Protocol):
    """Pack the molecules of a substance into a cubic periodic box, with the packmol program.

    L. Martinez, R. Andrade, E. G. Birgin, J. M. Martinez, J. Comput. Chem. 30, 2157 (2009).

    Parameters
    ----------
    substance
        What to pack.
    number_of_molecules
        In total.
    density
        To start with. When packmol fails, molecules may come closer, and then the density is lowered by a
        step of 8 %, and so on.
    seed
        Another seed gives another packing.

    Raises
    ------
    PackingError
        Packmol is missing, or fails at half the density too.
    """

    substance: Substance
    number_of_molecules: Annotated[int, Field(ge=1)]
    density: MassDensity = quantity("0.95 g/mL")
    seed: Annotated[int, Field(ge=1, lt=2**31)] = 1

    class Outputs(Protocol.Outputs):
        """What was packed.

        Parameters
        ----------
        coordinates_file
            PDBx/mmCIF with topology, positions and box.
        density
            That was reached.
        counts
            Molecules of each component, in the order of the substance.
        attempts
            What was tried: density, least distance between molecules, and what packmol said.
        """

        coordinates_file: Path
        density: MassDensity
        counts: tuple[int, ...]
        attempts: tuple[str, ...] = ()

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:  # noqa: ARG002
        """Pack, and write ``coordinates.cif``."""
        counts = self.substance.counts(self.number_of_molecules)
        molecules = [Molecule.from_smiles(component.smiles) for component in self.substance.components]
        contents = list(zip(molecules, counts, strict=True))
        positions, density, edge, attempts = self._pack(Path(directory), contents)
        file = Path(directory) / "coordinates.cif"
        with file.open("w", encoding="utf-8") as stream:
            app.PDBxFile.writeFile(box_topology(contents, edge), positions * nanometer, stream)
        return self.Outputs(coordinates_file=file, density=density, counts=counts, attempts=attempts)

    def _pack(
        self, directory: Path, contents: list[tuple[Molecule, int]]
    ) -> tuple[NDArray[np.float64], Quantity, float, tuple[str, ...]]:
        """Return positions in nanometres, the density, the box edge in nanometres, and what was tried."""
        total_mass = sum(molecule.mass * count for molecule, count in contents)
        attempts: list[str] = []
        for step, tolerance in product(range(_DENSITIES), _TOLERANCES_ANGSTROM):
            density = self.density * _LIGHTER**step
            edge = box_edge(total_mass, density)
            problem = _run_packmol(directory, contents, edge, self.seed, tolerance)
            attempts.append(f"{density:.4g~P}, {tolerance} angstrom: {problem or 'packed'}")
            if problem is None:
                return _read_xyz(directory / "packed.xyz"), density, edge, tuple(attempts)
        raise PackingError(
            f"density: packmol found no packing from {self.density:~P} down to {density:~P}: {problem}"
        )


def _run_packmol(
    directory: Path, contents: list[tuple[Molecule, int]], edge: float, seed: int, tolerance: float
) -> str | None:
    """Write ``packed.xyz``; return None, or what packmol said when it failed."""
    side = edge * 10
    lines = [f"tolerance {tolerance}", "filetype xyz", "output packed.xyz", f"seed {seed}"]
    lines.append(f"pbc 0. 0. 0. {side:.6f} {side:.6f} {side:.6f}")
    for number, (molecule, count) in enumerate(contents):
        _write_xyz(directory / f"molecule-{number}.xyz", molecule)
        lines += [f"structure molecule-{number}.xyz", f"  number {count}", "end structure"]
    script = directory / "packmol.inp"
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with script.open(encoding="utf-8") as stream:
        try:
            run = subprocess.run(
                [_packmol()], stdin=stream, cwd=directory, capture_output=True, text=True,
                timeout=_PACKMOL_LIMIT_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return f"no answer within {_PACKMOL_LIMIT_S} s"
    (directory / "packmol.log").write_text(run.stdout + run.stderr, encoding="utf-8")
    if run.returncode == 0 and "Success!" in run.stdout:
        return None
    said = [line.strip() for line in run.stdout.splitlines() if "ERROR" in line or "STOP" in line]
    return said[0] if said else f"exit status {run.returncode}; see packmol.log"


def _packmol() -> str:
    """Return the path of the program that the PyPI package brings, or of the one on PATH (conda)."""
    try:
        from packmol.cli import get_binary_path  # noqa: PLC0415

        return str(get_binary_path())
    except (ImportError, FileNotFoundError):
        found = shutil.which("packmol")
    if found is None:
        raise PackingError("packmol: not found; pip install packmol, or conda install -c conda-forge packmol")
    return found


def _write_xyz(file: Path, molecule: Molecule) -> None:
    symbols = [app.Element.getByAtomicNumber(number).symbol for number in molecule.elements]
    rows = [
        f"{symbol} {x:.6f} {y:.6f} {z:.6f}"
        for symbol, (x, y, z) in zip(symbols, molecule.positions * 10, strict=True)
    ]
    file.write_text("\n".join([str(len(rows)), molecule.smiles, *rows]) + "\n", encoding="utf-8")


def _read_xyz(file: Path) -> NDArray[np.float64]:
    rows = [line.split()[1:4] for line in file.read_text(encoding="utf-8").splitlines()[2:] if line.strip()]
    return np.array(rows, dtype=np.float64) / 10
