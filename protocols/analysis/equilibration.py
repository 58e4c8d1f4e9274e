"""Where a series has equilibrated.

The start that leaves the most effective samples is that of J. D. Chodera, J. Chem. Theory Comput. 12, 1799
(2016).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from protocols.analysis.autocorrelation import (
    block_means,
    is_constant,
    long_run_variance,
    standard_error_factor,
)

__all__ = ["equilibration"]

_LARGEST_DISCARD = 0.5
_DIFFERENCE = 3.0  # standard errors between what is left out and what is kept
_MOST_BLOCKS, _LEAST_BLOCKS = 2000, 10
_STARTS = 19


def equilibration(replicas: Sequence[NDArray[np.float64]], minimum_discard: float) -> tuple[int, ...]:
    """Return the first frame to keep of each replica: twice what is detected, at least the minimum.

    The start that leaves the most effective samples is taken if what it leaves out differs from the rest by
    more than three standard errors. Without this test, series without any transient are cut to where they
    look calmest, and their errors come out too small. A transient is detected as far as it stands out; what
    is left of it would still shift the mean, so that as much again is left out, half of a replica at most.

    It is looked for in each replica and, since replicas begin alike, in their mean, where noise hides less.

    Parameters
    ----------
    replicas
        One series each, in time order, at equal intervals.
    minimum_discard
        Fraction left out at the start whatever is detected.
    """
    common = 0
    if len(replicas) > 1:
        shortest = min(map(len, replicas))
        common = _detected(np.mean([series[:shortest] for series in replicas], axis=0))
    return tuple(_first_kept(series, max(common, _detected(series)), minimum_discard) for series in replicas)


def _first_kept(series: NDArray[np.float64], detected: int, minimum_discard: float) -> int:
    least = min(math.ceil(minimum_discard * len(series)), len(series) - 1)
    return max(least, min(2 * detected, int(_LARGEST_DISCARD * len(series))))


def _detected(series: NDArray[np.float64]) -> int:
    """Return the number of frames at the start that are not like the rest."""
    length = math.ceil(len(series) / _MOST_BLOCKS)
    blocks = block_means(series, length)
    most = int(_LARGEST_DISCARD * len(blocks))
    starts = np.unique(np.linspace(0, most, _STARTS).astype(int))
    if len(blocks) < _LEAST_BLOCKS or not _stands_out(blocks, starts[1:]):
        return 0
    best, most_effective, error = 0, 0.0, math.inf
    for start in starts:
        tail = blocks[start:]
        if is_constant(tail):
            break
        long_run = long_run_variance([tail])
        n_effective = len(tail) * float(tail.var()) / long_run.value
        if n_effective > most_effective:
            best, most_effective = int(start), n_effective
            error = math.sqrt(long_run.value) * standard_error_factor(long_run.degrees_of_freedom)
    head, tail = blocks[:best], blocks[best:]
    if best == 0 or abs(head.mean() - tail.mean()) <= _DIFFERENCE * error * math.hypot(
        len(head) ** -0.5, len(tail) ** -0.5
    ):
        return 0
    return len(series) % length + best * length


def _stands_out(blocks: NDArray[np.float64], starts: NDArray[np.int64]) -> bool:
    """Return whether what any start leaves out may differ from the rest, going by the second half's noise.

    It takes a tenth of the time of the search, which most series do without.
    """
    half = blocks[len(blocks) // 2 :]
    noise = 0.0 if is_constant(half) else long_run_variance([half]).value
    rests = len(blocks) - starts
    sums = np.cumsum(blocks - blocks.mean())[starts - 1]
    errors = np.sqrt(noise * (1 / starts + 1 / rests))
    return bool((np.abs(sums * (1 / starts + 1 / rests)) > _DIFFERENCE * errors).any())
