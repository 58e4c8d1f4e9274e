"""How far the mean of a correlated series can be off: its long-run variance, from autocovariances.

The window and the bias correction are those of U. Wolff, Comput. Phys. Commun. 156, 143 (2004), who pools
replicas in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LongRunVariance",
    "autocovariance",
    "block_means",
    "is_constant",
    "long_run_variance",
    "standard_error_factor",
]

_MOST_FRAMES = 2**15  # of all replicas; longer series are averaged in blocks, which keeps their mean
_WINDOW_FACTOR = 2.5  # Wolff's S; at his 1.5, processes with two time scales have errors 10 % too small


@dataclass(frozen=True)
class LongRunVariance:
    """The variance of a mean, times the number of frames, in the limit of many frames.

    Parameters
    ----------
    value
        The sum of all autocovariances; g times the variance of one frame.
    degrees_of_freedom
        Of this estimate: its relative variance is 2 / degrees_of_freedom.
    """

    value: float
    degrees_of_freedom: float


def long_run_variance(replicas: Sequence[NDArray[np.float64]]) -> LongRunVariance:
    """Sum the autocovariances of replicas of one process about the mean of all, up to a window.

    Parameters
    ----------
    replicas
        One series each, in time order, at equal intervals; together they are not constant.
    """
    length = max(1, math.ceil(sum(map(len, replicas)) / _MOST_FRAMES))
    blocks = [block_means(series, length) for series in replicas]
    covariance = autocovariance(blocks)
    number = sum(map(len, blocks))
    sums = 2 * np.cumsum(covariance) - covariance[0]
    window = _window(sums / covariance[0], number)
    # About the mean of the data every autocovariance is too low by the variance of that mean.
    value = float(sums[window]) * (1 + (2 * window + 1) / number)
    value = max(value, float(covariance[0]))  # one that alternates is taken as uncorrelated
    return LongRunVariance(length * value, number / (2 * window + 1))


def autocovariance(replicas: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the autocovariance about the mean of all, by lag, up to half of the longest replica.

    Parameters
    ----------
    replicas
        One series each, in time order, at equal intervals.
    """
    mean = np.concatenate(replicas).mean()
    lags = max(1, max(map(len, replicas)) // 2)
    sums, pairs = np.zeros(lags), np.zeros(lags)
    for series in replicas:
        size = 1 << (2 * len(series) - 1).bit_length()
        transform = np.fft.rfft(series - mean, size)
        products = np.fft.irfft(transform.real**2 + transform.imag**2, size)
        known = min(lags, len(series))
        sums[:known] += products[:known]
        pairs[:known] += len(series) - np.arange(known)
    return sums / pairs


def standard_error_factor(degrees_of_freedom: float) -> float:
    """Return by how much a standard error is widened so that 1.96 of it cover 95 %.

    The ratio of the 97.5 % quantiles of Student's t and of the normal distribution, from M. Abramowitz and
    I. A. Stegun, Handbook of Mathematical Functions, 26.7.5, good to 1 % from 2 degrees of freedom on, which
    is the least that is used.
    """
    z, nu = 1.959963985, max(degrees_of_freedom, 2.0)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return 1 + sum(term / nu**power for power, term in enumerate(terms, start=1)) / z


def block_means(series: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Return the means of whole blocks of this length; what is too little for one at the start goes."""
    if length == 1:
        return series
    return np.asarray(series[len(series) % length :].reshape(-1, length).mean(axis=1))


def is_constant(series: NDArray[np.float64]) -> bool:
    """Return whether the values differ by no more than rounding."""
    return bool(np.ptp(series) <= 1e-12 * max(1e-300, float(np.abs(series).max())))


def _window(inefficiencies: NDArray[np.float64], frames: int) -> int:
    """Return the lag at which what is left out and what noise adds are least together."""
    lags = np.arange(1, len(inefficiencies))
    times = _WINDOW_FACTOR / np.log1p(2 / np.maximum(inefficiencies[1:] - 1, 1e-9))
    past = np.flatnonzero(np.exp(-lags / times) < times / np.sqrt(lags * frames))
    return int(lags[past[0]]) if len(past) else len(inefficiencies) - 1
