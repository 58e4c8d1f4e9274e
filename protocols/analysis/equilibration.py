"""Where a series has equilibrated.

The start that leaves the most effective samples is that of J. D. Chodera, J. Chem. Theory Comput. 12, 1799
(2016).
"""

from __future__ import annotations

import math

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


def equilibration(series: NDArray[np.float64], minimum_discard: float) -> int:
    """Return the first frame to keep: twice what is detected, at least the minimum, at most half.

    The start that leaves the most effective samples is taken if what it leaves out differs from the rest by
    more than three standard errors. Without this test, series without any transient are cut to where they
    look calmest, and their errors come out too small. A transient is detected as far as it stands out; what
    is left of it would still shift the mean, so that as much again is left out.

    Parameters
    ----------
    series
        In time order, at equal intervals.
    minimum_discard
        Fraction left out at the start whatever is detected.
    """
    least = min(math.ceil(minimum_discard * len(series)), len(series) - 1)
    rest = series[least:]
    length = math.ceil(len(rest) / _MOST_BLOCKS)
    blocks = block_means(rest, length)
    most = int(_LARGEST_DISCARD * len(series) - least) // length
    if len(blocks) < _LEAST_BLOCKS or most < 1:
        return least
    best, most_effective, error = 0, 0.0, math.inf
    for start in np.unique(np.linspace(0, most, _STARTS).astype(int)):
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
        return least
    detected = least + len(rest) % length + best * length
    return min(2 * detected, int(_LARGEST_DISCARD * len(series)))
