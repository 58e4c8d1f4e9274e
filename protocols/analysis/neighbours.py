"""What positions in a periodic box say: how far molecules moved, and who their neighbours are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

__all__ = ["centroids", "emptiest_eighth", "like_neighbours", "median_displacement"]

_Array = NDArray[np.float64]

_NEIGHBOURS = 8  # of some 12 in the first shell of a simple liquid, so that none of the second counts
_FEW = 10  # molecules of a component, of which nothing can be said


def centroids(positions: _Array, molecules: Sequence[Sequence[int]]) -> _Array:
    """Return the mean position of each molecule's particles, shape (molecules, 3)."""
    return np.array([positions[list(molecule)].mean(axis=0) for molecule in molecules])


def emptiest_eighth(points: _Array, box: _Array) -> float:
    """Return how many points the emptiest eighth of the box has, in eighths of all points.

    Boxes of half the edges are looked at, a quarter of an edge apart.

    Parameters
    ----------
    points
        Positions, shape (molecules, 3).
    box
        Box vectors, shape (3, 3), in the unit of the positions.
    """
    quarters = np.floor(4 * (points @ np.linalg.inv(box))).astype(int) % 4
    counts = np.bincount(quarters @ (16, 4, 1), minlength=64).reshape(4, 4, 4)
    eighths = sum(np.roll(counts, shift, axis=(0, 1, 2)) for shift in product((0, 1), repeat=3))
    return float(np.min(eighths)) / (len(points) / 8)


def median_displacement(first: _Array, last: _Array, first_box: _Array, last_box: _Array) -> float:
    """Return how far half of the molecules moved at least, by the shortest way, whatever the box did.

    Parameters
    ----------
    first, last
        Positions, shape (molecules, 3).
    first_box, last_box
        Box vectors, shape (3, 3), in the unit of the positions.
    """
    moved = last @ np.linalg.inv(last_box) - first @ np.linalg.inv(first_box)
    moved -= np.round(moved)
    return float(np.median(np.linalg.norm(moved @ last_box, axis=1)))


def like_neighbours(points: _Array, box: _Array, kinds: NDArray[np.int64]) -> float | None:
    """Return by how much nearest neighbours are of a molecule's own kind: 0 at random, 1 always.

    Parameters
    ----------
    points
        Positions, shape (molecules, 3).
    box
        Box vectors, shape (3, 3), in the unit of the positions.
    kinds
        The number of each molecule's component, shape (molecules,).

    Returns
    -------
    float or None
        The most of all components of ten molecules and more; None if fewer than two have as many.
    """
    number = len(points)
    counts = np.bincount(kinds)
    if np.count_nonzero(counts >= _FEW) < 2:
        return None
    fractional = points @ np.linalg.inv(box)
    alike = np.empty(number)
    for i in range(number):
        away = fractional - fractional[i]
        distances = np.linalg.norm((away - np.round(away)) @ box, axis=1)
        nearest = np.argpartition(distances, _NEIGHBOURS)[: _NEIGHBOURS + 1]  # the molecule itself included
        alike[i] = (np.count_nonzero(kinds[nearest] == kinds[i]) - 1) / _NEIGHBOURS
    found = []
    for kind in np.flatnonzero(counts >= _FEW):
        random = (counts[kind] - 1) / (number - 1)
        found.append((alike[kinds == kind].mean() - random) / (1 - random))
    return float(max(found))
