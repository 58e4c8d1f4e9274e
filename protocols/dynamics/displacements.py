"""Mean squared displacements of molecules, and the diffusion coefficient that they grow with.

A. Einstein, Ann. Phys. 17, 549 (1905): for long times, <|r(t) - r(0)|^2> = 6 D t.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["FIT_WINDOW", "CentresOfMass", "einstein_diffusion", "mean_squared_displacements"]

FIT_WINDOW = (0.1, 0.5)
"""The lags that are fitted, as parts of the segment.

A tenth is past the ballistic motion and the rattling in a cage; beyond a half there are few time origins.
"""


class CentresOfMass:
    """The centres of mass of molecules, and their paths through periodic boundaries.

    Parameters
    ----------
    weights
        The masses of all particles, shape (particles,).
    molecules
        The particles of each molecule.
    """

    def __init__(self, weights: NDArray[np.float64], molecules: Sequence[Sequence[int]]) -> None:
        ordered = sorted(molecules, key=min)
        self._owner = np.empty(len(weights), dtype=np.intp)
        for number, molecule in enumerate(ordered):
            self._owner[list(molecule)] = number
        self._weights = weights
        self._masses = np.bincount(self._owner, weights)

    def of(self, positions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the centres of molecules, which are whole, by their first particle; shape (molecules, 3)."""
        sums = [np.bincount(self._owner, self._weights * positions[:, axis]) for axis in range(3)]
        return np.stack([total / self._masses for total in sums], axis=1)

    def unwrapped(
        self, centres: Sequence[NDArray[np.float64]], edges: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return paths that do not jump at boundaries, as the centre of mass of all sees them.

        Parameters
        ----------
        centres
            Of each frame; between two, no molecule moves by half an edge.
        edges
            Of the rectangular box, shape (3,).

        Returns
        -------
        numpy.ndarray
            Shape (frames, molecules, 3).
        """
        steps = np.diff(np.stack(centres), axis=0)
        steps -= edges * np.round(steps / edges)
        steps -= np.average(steps, axis=1, weights=self._masses)[:, np.newaxis]
        return np.concatenate([centres[0][np.newaxis], centres[0] + np.cumsum(steps, axis=0)])


def mean_squared_displacements(positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return <|r(t + lag) - r(t)|^2> over all molecules and all time origins.

    Computed with Fourier transforms: V. Calandrini et al., Collection SFN 12, 201 (2011).

    Parameters
    ----------
    positions
        Unwrapped, at equal intervals, shape (frames, molecules, 3).

    Returns
    -------
    numpy.ndarray
        For each lag from 0, in frames, shape (frames,); in the squared unit of the positions.
    """
    frames, number, _ = positions.shape
    moved = positions - positions[0]
    squares = np.concatenate([[0.0], np.cumsum(np.sum(moved**2, axis=(1, 2)))])
    products = np.zeros(frames)
    for axis in range(3):
        transform = np.fft.rfft(moved[:, :, axis], n=2 * frames, axis=0)
        products += np.fft.irfft((np.abs(transform) ** 2).sum(axis=1), n=2 * frames)[:frames]
    lags = np.arange(frames)
    sums = squares[frames - lags] + squares[frames] - squares[lags] - 2 * products
    result: NDArray[np.float64] = np.maximum(sums, 0.0) / (number * (frames - lags))
    result[0] = 0.0
    return result


def einstein_diffusion(lags: NDArray[np.float64], displacements: NDArray[np.float64]) -> float:
    """Return a sixth of the slope of mean squared displacements in the `FIT_WINDOW`.

    Parameters
    ----------
    lags
        Times from 0 to that of the segment, shape (lags,).
    displacements
        Mean squared displacements, shape (lags,).
    """
    first, last = (part * lags[-1] for part in FIT_WINDOW)
    window = (lags >= first) & (lags <= last)
    slope, _ = np.polyfit(lags[window], displacements[window], 1)
    return float(slope / 6)
