"""Functions of means and covariances of correlated series, with the error of a block jackknife.

Blocks of unequal length, as replicas of unequal length have them, are weighted by F. M. T. A. Busing,
E. Meijer and R. van der Leeden, Stat. Comput. 9, 3 (1999), which for equal lengths is the jackknife of
H. R. Kuensch, Ann. Stat. 17, 1217 (1989), with blocks that do not overlap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from protocols.analysis.autocorrelation import is_constant, long_run_variance, standard_error_factor
from protocols.analysis.equilibration import equilibration
from protocols.analysis.statistics import (
    DISAGREEMENT,
    MINIMUM_DISCARD,
    SeriesEstimate,
    Status,
    check_replicas,
    scatter_of_replicas,
    variance_within,
    why_too_short,
)

__all__ = ["Blocks", "FunctionOfMoments", "pooled_function"]

_Array: TypeAlias = NDArray[np.float64]

FunctionOfMoments: TypeAlias = Callable[[_Array, _Array], float]
"""Of the means, shape (series,), and the covariances, shape (series, series)."""

_ENOUGH_SAMPLES = (
    200.0  # a variance that comes out low has a low error: with fewer, intervals hold too rarely
)
_BLOCK_IN_INEFFICIENCIES = 5  # shorter blocks know of each other: at 1 the error is a quarter too small
_LEAST_BLOCKS, _MOST_BLOCKS = 4, 200  # of a replica; more would cost time and tell little


def pooled_function(
    replicas: Sequence[_Array],
    pairs: Sequence[tuple[int, int]],
    function: FunctionOfMoments,
    minimum_discard: float = MINIMUM_DISCARD,
) -> SeriesEstimate:
    """Estimate a function of the means and covariances of stationary series from independent replicas.

    Covariances are those about the means of all replicas together. A replica is kept from where all its
    series have equilibrated. The standard error is that of a jackknife over blocks of five statistical
    inefficiencies of the slowest series or product, at least four blocks a replica, widened by Student's t
    for the number of blocks; where replicas disagree it is never smaller than their scatter shows. Fewer than
    200 effective samples are too short.

    Parameters
    ----------
    replicas
        One array each, shape (frames, series), in time order, at equal intervals.
    pairs
        The columns whose products the function is about.
    function
        Of means and covariances.
    minimum_discard
        Fraction left out at the start whatever is detected.

    Returns
    -------
    SeriesEstimate
        Its mean is the value of the function, its inefficiency that of the slowest series or product.

    Raises
    ------
    InputError
        No replica, an empty one, or values that are not finite.
    """
    check_replicas(replicas)
    columns = zip(*(series.T for series in replicas), strict=True)
    starts = [equilibration(column, minimum_discard) for column in columns]
    discarded = tuple(map(max, zip(*starts, strict=True)))
    kept = [series[start:] for series, start in zip(replicas, discarded, strict=True)]
    pooled = np.concatenate(kept)
    centre, frames = pooled.mean(axis=0), len(pooled)
    # Variances of numbers that are large beside their spread would lose digits.
    around = [series - centre for series in kept]
    moving = [i for i in range(len(centre)) if not is_constant(pooled[:, i])]
    pairs = [pair for pair in pairs if set(pair) <= set(moving)]
    if not pairs:
        value = Blocks.of(around, frames).value(function, centre)
        reason = "the series is constant"
        return SeriesEstimate(value, None, float(frames), 1.0, discarded, Status.too_short, reason)
    singles = [[x[:, i] for x in around] for i in moving]
    products = [[x[:, i] * x[:, j] for x in around] for i, j in pairs]
    varying = [series for series in products if not is_constant(np.concatenate(series))]  # two frames do not
    g = max(_inefficiency(series) for series in (*singles, *varying))
    blocks = Blocks.of(around, math.ceil(_BLOCK_IN_INEFFICIENCIES * g))
    error, pseudo_values = blocks.jackknife(function, centre)
    # A variance alone would not tell replicas that differ in their means, which make it large in both.
    scatter, *disagreements = scatter_of_replicas(pseudo_values, error**2 * blocks.number)
    disagreements += [scatter_of_replicas(series, variance_within(series))[1] for series in singles]
    error *= standard_error_factor(blocks.number - 1) * _skewness_factor(frames / g)
    if max(disagreements) > DISAGREEMENT:
        error = max(error, scatter)
    shortest = min(map(len, kept)) / g
    reason = why_too_short(frames / g, shortest, max(disagreements), _ENOUGH_SAMPLES)
    status = Status.too_short if reason else Status.converged
    return SeriesEstimate(blocks.value(function, centre), error, g, frames / g, discarded, status, reason)


def _skewness_factor(n_effective: float) -> float:
    """Return by how much the error of a variance is widened, since one that comes out low has a low error.

    The logarithm of a variance is nearly symmetric, and its standard error about 1 / sqrt(n); the upper end
    of its interval is taken as that of both sides.
    """
    end = 1.96 / math.sqrt(n_effective)
    return math.expm1(end) / end


def _inefficiency(replicas: Sequence[_Array]) -> float:
    return long_run_variance(replicas).value / float(np.concatenate(replicas).var())


@dataclass(frozen=True, eq=False)
class Blocks:
    """Sums over blocks of frames, from which moments without any one block follow.

    Parameters
    ----------
    counts
        Frames in each block, shape (blocks,).
    first, second
        Sums of the series, shape (blocks, series), and of their products, shape (blocks, series, series).
    replicas
        The number of the replica that each block is of, shape (blocks,).
    """

    counts: _Array
    first: _Array
    second: _Array
    replicas: NDArray[np.int64]

    @classmethod
    def of(cls, replicas: Sequence[_Array], length: int) -> Blocks:
        """Cut replicas, shape (frames, series) each, into blocks of this length or a little more."""
        longest = max(map(len, replicas))
        length = max(length, math.ceil(longest / _MOST_BLOCKS))
        counts, first, second, numbers = [], [], [], []
        for number, series in enumerate(replicas):
            blocks = min(max(_LEAST_BLOCKS, len(series) // length), len(series))
            edges = np.linspace(0, len(series), blocks + 1).astype(np.int64)
            parts = [series[start:end] for start, end in pairwise(edges)]
            counts.append(np.diff(edges))
            first.append(np.array([part.sum(axis=0) for part in parts]))
            second.append(np.array([part.T @ part for part in parts]))
            numbers.append(np.full(blocks, number))
        return cls(
            np.concatenate(counts).astype(np.float64),
            np.concatenate(first),
            np.concatenate(second),
            np.concatenate(numbers),
        )

    @property
    def number(self) -> int:
        """How many there are."""
        return len(self.counts)

    def value(self, function: FunctionOfMoments, centre: _Array) -> float:
        """Return the function of the moments of all frames, whose means are about `centre`."""
        return _of_sums(function, centre, self.counts.sum(), self.first.sum(axis=0), self.second.sum(axis=0))

    def jackknife(self, function: FunctionOfMoments, centre: _Array) -> tuple[float, list[_Array]]:
        """Return the standard error, and the pseudo-values of the blocks of each replica."""
        frames, first, second = self.counts.sum(), self.first.sum(axis=0), self.second.sum(axis=0)
        without = np.array(
            [
                _of_sums(function, centre, frames - count, first - one, second - two)
                for count, one, two in zip(self.counts, self.first, self.second, strict=True)
            ]
        )
        h = frames / self.counts
        pseudo_values = h * self.value(function, centre) - (h - 1) * without
        mean = (pseudo_values / h).sum()
        error = math.sqrt(np.mean((pseudo_values - mean) ** 2 / (h - 1)))
        return error, [pseudo_values[self.replicas == number] for number in np.unique(self.replicas)]


def _of_sums(
    function: FunctionOfMoments, centre: _Array, frames: float, first: _Array, second: _Array
) -> float:
    mean = first / frames
    return function(centre + mean, second / frames - np.outer(mean, mean))
