"""The mean of values that are independent of each other, one from each segment of constant energy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from protocols.analysis.autocorrelation import standard_error_factor
from protocols.analysis.statistics import (
    DISAGREEMENT,
    SeriesEstimate,
    Status,
    check_replicas,
    scatter_of_replicas,
)

__all__ = ["MINIMUM_SEGMENTS", "independent_mean"]

MINIMUM_SEGMENTS = 10


def independent_mean(replicas: Sequence[NDArray[np.float64]]) -> SeriesEstimate:
    """Estimate a mean from independent values.

    The standard error is that of their scatter, widened by Student's t, so that 1.96 standard errors are an
    honest 95 % interval, and never smaller than the scatter between replicas shows where these disagree.

    Parameters
    ----------
    replicas
        The values of each.

    Raises
    ------
    InputError
        No replica, an empty one, or values that are not finite.
    """
    check_replicas(replicas)
    pooled = np.concatenate(replicas)
    number, mean = len(pooled), float(pooled.mean())
    nothing = (0,) * len(replicas)
    if number < 2:
        reason = f"{number} segment of at least {MINIMUM_SEGMENTS}"
        return SeriesEstimate(mean, None, 1.0, 1.0, nothing, Status.too_short, reason)
    variance = float(pooled.var(ddof=1))
    error = math.sqrt(variance / number) * standard_error_factor(number - 1)
    scatter, disagreement = scatter_of_replicas(replicas, variance) if variance > 0 else (0.0, 0.0)
    reason = ""
    if number < MINIMUM_SEGMENTS:
        reason = f"{number} segments of at least {MINIMUM_SEGMENTS}"
    elif disagreement > DISAGREEMENT:
        reason, error = f"replicas differ by {disagreement:.1f} standard errors", max(error, scatter)
    status = Status.too_short if reason else Status.converged
    return SeriesEstimate(mean, error, 1.0, float(number), nothing, status, reason)
