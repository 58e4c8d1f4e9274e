"""What a trajectory shows of a liquid's structure, as a check by eye."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protocols.errors import InputError
from protocols.quantities import Length, Quantity, describe_quantity, quantity

__all__ = ["radial_distribution"]

_FRAMES_AT_A_TIME = 20


def radial_distribution(
    trajectory_files: Path | Sequence[Path],
    topology_file: Path,
    selection: str = "all",
    other: str | None = None,
    *,
    largest_distance: Length | str = "0.9 nm",
    bin_width: Length | str = "0.005 nm",
) -> NDArray[np.float64]:
    """Return the radial distribution function between the atoms of different molecules.

    MDTraj's ``compute_rdf``, averaged over frames; it is installed with the extra ``trajectories``.

    Parameters
    ----------
    trajectory_files
        Of `OpenMMSimulation`: one, or those of several replicas.
    topology_file
        The PDB beside them.
    selection, other
        The two kinds of atoms in MDTraj's selection language, such as "name O"; None takes the first twice.
    largest_distance, bin_width
        Of the table.

    Returns
    -------
    numpy.ndarray
        Shape (bins, 2): the distance at the middle of the bin in nm, and g.

    Raises
    ------
    InputError
        MDTraj is not installed, a selection is not one or finds no pairs, or the largest distance is beyond
        half the box.
    """
    mdtraj = _mdtraj()
    largest, width = _nanometres(largest_distance), _nanometres(bin_width)
    topology = mdtraj.load_topology(str(topology_file))
    pairs = _pairs(topology, selection, other or selection)
    files = [trajectory_files] if isinstance(trajectory_files, Path | str) else trajectory_files
    centres, total, weight = np.empty(0), 0.0, 0.0
    for file in files:
        for frames in mdtraj.iterload(str(file), top=topology, chunk=_FRAMES_AT_A_TIME):
            if largest > frames.unitcell_lengths.min() / 2:
                raise InputError(
                    f"largest_distance: {describe_quantity(quantity(largest_distance))} is not allowed; it "
                    f"must be at most half the box edge, {frames.unitcell_lengths.min() / 2:.3f} nm"
                )
            centres, g = mdtraj.compute_rdf(frames, pairs, r_range=(0, largest), bin_width=width)
            densities = float((1 / frames.unitcell_volumes).sum())  # what one chunk's g is divided by
            total, weight = total + g * densities, weight + densities
    if weight == 0:
        raise InputError("trajectory_files: there is no frame in them")
    return np.stack([centres, total / weight], axis=1)


def _nanometres(value: Quantity | str) -> float:
    return float(quantity(value).to("nm").magnitude)


def _pairs(topology: Any, first: str, second: str) -> NDArray[np.int64]:
    """Return the pairs of atoms of different molecules, shape (pairs, 2)."""
    pairs = topology.select_pairs(_atoms(topology, first), _atoms(topology, second))
    molecule = np.array([atom.residue.index for atom in topology.atoms])
    pairs = pairs[molecule[pairs[:, 0]] != molecule[pairs[:, 1]]]
    if len(pairs) == 0:
        raise InputError(f"selection: {first!r} and {second!r} have no pairs of atoms of different molecules")
    return np.asarray(pairs)


def _atoms(topology: Any, selection: str) -> NDArray[np.int64]:
    try:
        return np.asarray(topology.select(selection))
    except ValueError as error:
        problem = " ".join(str(error).split())
        raise InputError(f"selection: {selection!r} is not one of MDTraj's: {problem}") from None


def _mdtraj() -> Any:
    try:
        import mdtraj  # noqa: PLC0415
    except ImportError:
        raise InputError(
            "radial_distribution: MDTraj is not installed; pip install 'estimate-properties[trajectories]'"
        ) from None
    return mdtraj
