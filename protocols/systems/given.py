"""TakeCoordinates: a box that somebody else has made, with its molecules in the order of the substance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from openmm import app
from openmm.unit import nanometer
from pydantic import Field, model_validator

from protocols.errors import InputError
from protocols.graphs.protocol import Protocol
from protocols.quantities import MassDensity, Quantity
from protocols.settings import density_of
from protocols.substance import Substance
from protocols.systems.molecules import Graph, copy_atoms, formula, graph_of_smiles, graphs_of
from protocols.systems.sources import GivenBox, ParameterSource
from protocols.systems.topology import Molecule
from workflow_backends.resources import ComputeResources

__all__ = ["TakeCoordinates", "density_in", "in_order_of", "read_box"]


class TakeCoordinates(Protocol):
    """Take the box of a file, or that which comes with a force field, as it is.

    Its molecules are put in the order of the substance's components; they and their number must be those of
    the substance. Virtual sites are left out; a force field adds its own.

    Parameters
    ----------
    substance
        What is in the box.
    number_of_molecules
        In total.
    coordinates_file
        PDB or PDBx/mmCIF, with bonds and box; or
    force_field
        A source that has a whole box, such as `AmberFiles`.

    Raises
    ------
    InputError
        Neither is given or both are, there is no box in it, or it has other molecules.
    """

    substance: Substance
    number_of_molecules: Annotated[int, Field(ge=1)]
    coordinates_file: Path | None = None
    force_field: ParameterSource | None = None

    class Outputs(Protocol.Outputs):
        """The box.

        Parameters
        ----------
        coordinates_file
            PDBx/mmCIF with topology, positions and box.
        density
            Of the box.
        counts
            Molecules of each component, in the order of the substance.
        """

        coordinates_file: Path
        density: MassDensity
        counts: tuple[int, ...]

    @model_validator(mode="after")
    def _one_origin(self) -> TakeCoordinates:
        if (self.coordinates_file is None) == (self.force_field is None):
            raise InputError("coordinates_file: give either a file or a force_field that has a box")
        return self

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:  # noqa: ARG002
        """Write ``coordinates.cif``."""
        box = (
            self.force_field.given_box() if self.force_field is not None else read_box(self.coordinates_file)
        )
        if box is None:
            raise InputError(f"force_field: {self.force_field} has no box")
        counts = self.substance.counts(self.number_of_molecules)
        topology, positions = in_order_of(box, self.substance, counts)
        file = Path(directory) / "coordinates.cif"
        with file.open("w", encoding="utf-8") as stream:
            app.PDBxFile.writeFile(topology, positions * nanometer, stream)
        return self.Outputs(
            coordinates_file=file, density=density_in(box, self.substance, counts), counts=counts
        )


def read_box(path: Path | None) -> GivenBox:
    """Return the box of a PDB or PDBx/mmCIF file.

    Raises
    ------
    InputError
        It cannot be read, or has no box.
    """
    file = Path(path or "")
    try:
        reader = app.PDBxFile if file.suffix.lower() in {".cif", ".mmcif"} else app.PDBFile
        read = reader(str(file))
    except Exception as error:  # noqa: BLE001  # readers raise whatever they stumble over
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"initial_coordinates: {file.name!r} cannot be read: {said:.200}") from None
    vectors = read.topology.getPeriodicBoxVectors()
    if vectors is None:
        raise InputError(f"initial_coordinates: {file.name} has no box; add a CRYST1 record or a cell")
    modeller = app.Modeller(read.topology, read.positions)
    modeller.delete([atom for atom in modeller.topology.atoms() if atom.element is None])
    return GivenBox(
        file.name,
        modeller.topology,
        np.array(modeller.positions.value_in_unit(nanometer)).reshape(-1, 3),
        np.array(vectors.value_in_unit(nanometer)),
    )


def in_order_of(
    box: GivenBox, substance: Substance, counts: tuple[int, ...]
) -> tuple[Any, NDArray[np.float64]]:
    """Return topology and positions in nanometres of a box, with molecules in the order of components.

    Raises
    ------
    InputError
        The box has other molecules than the substance, or another number of them.
    """
    unused = graphs_of(box.topology)
    taken: list[tuple[int, ...]] = []
    for component, count in zip(substance.components, counts, strict=True):
        wanted = graph_of_smiles(component.smiles)
        alike = {own for own in {own for own, _ in unused} if own.matched(wanted) is not None}
        found = [number for number, (own, _) in enumerate(unused) if own in alike]
        if len(found) < count:
            _refuse(box, component.smiles, count, len(found))
        taken += [unused[number][1] for number in found[:count]]
        used = set(found[:count])
        unused = [each for number, each in enumerate(unused) if number not in used]
    if unused:
        _refuse_rest(box, substance, unused[0][0], len(unused))
    return _reordered(box, taken)


def _refuse(box: GivenBox, smiles: str, wanted: int, found: int) -> None:
    raise InputError(
        f"number_of_molecules: {wanted} of {smiles} are asked for, and the box of {box.name} has {found}; "
        "a box is taken as it is"
    )


def _refuse_rest(box: GivenBox, substance: Substance, graph: Graph, number: int) -> None:
    raise InputError(
        f"number_of_molecules: the box of {box.name} has {number} molecules more than are asked for of "
        f"{substance}, the first of them {formula(graph)}; a box is taken as it is"
    )


def _reordered(box: GivenBox, molecules: list[tuple[int, ...]]) -> tuple[Any, NDArray[np.float64]]:
    atoms, topology = list(box.topology.atoms()), app.Topology()
    bonds: dict[int, list[tuple[int, int]]] = {}
    for one, two in box.topology.bonds():
        bonds.setdefault(one.index, []).append((one.index, two.index))
    for molecule in molecules:
        own = [bond for index in molecule for bond in bonds.get(index, [])]
        copy_atoms(atoms, molecule, own, topology)
    topology.setPeriodicBoxVectors(box.vectors * nanometer)
    return topology, box.positions[[index for molecule in molecules for index in molecule]]


def density_in(box: GivenBox, substance: Substance, counts: Sequence[int]) -> Quantity:
    """Return the density of these molecules in the box."""
    masses = [Molecule.from_smiles(component.smiles).mass for component in substance.components]
    mass = sum(each * count for each, count in zip(masses, counts, strict=True))
    return density_of(mass, float(np.linalg.det(box.vectors)))
