"""Correlations of the pressure tensor in time, and the shear viscosity that they integrate to.

M. S. Green, J. Chem. Phys. 22, 398 (1954); R. Kubo, J. Phys. Soc. Jpn. 12, 570 (1957).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["CUTOFF", "autocorrelation", "running_integral", "shear_components"]

CUTOFF = 0.1
"""The lag up to which correlations are integrated, as a part of the segment.

It is fixed beforehand, since a cutoff that looks at the noise is biased; the noise of the integral grows with
the square root of the lag, to 28 % of the value of a segment here.
"""


def shear_components(tensors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the five independent elements of the traceless symmetric tensor, all with one autocorrelation.

    In an isotropic liquid xy, xz, yz, (xx - yy) / 2 and (xx + yy - 2 zz) / (2 sqrt 3) are uncorrelated and
    equivalent: P. J. Daivis and D. J. Evans, J. Chem. Phys. 100, 541 (1994).

    Parameters
    ----------
    tensors
        Elements xx, yy, zz, xy, xz, yz, shape (frames, 6).

    Returns
    -------
    numpy.ndarray
        Shape (frames, 5).
    """
    xx, yy, zz, xy, xz, yz = tensors.T
    return np.stack([xy, xz, yz, (xx - yy) / 2, (xx + yy - 2 * zz) / math.sqrt(12)], axis=1)


def autocorrelation(series: NDArray[np.float64], lags: int) -> NDArray[np.float64]:
    """Return <x(t) x(t + lag)> over all time origins and all columns; no mean is subtracted.

    Parameters
    ----------
    series
        At equal intervals, shape (frames, columns).
    lags
        How many, from 0.
    """
    frames, columns = series.shape
    transform = np.fft.rfft(series, n=2 * frames, axis=0)
    products = np.fft.irfft((np.abs(transform) ** 2).sum(axis=1), n=2 * frames)[:lags]
    result: NDArray[np.float64] = products / (columns * (frames - np.arange(lags)))
    return result


def running_integral(correlation: NDArray[np.float64], interval: float) -> NDArray[np.float64]:
    """Return the integral from 0 to each lag, by the trapezoidal rule."""
    sums = np.cumsum(correlation) - (correlation[0] + correlation) / 2
    result: NDArray[np.float64] = interval * sums
    return result
