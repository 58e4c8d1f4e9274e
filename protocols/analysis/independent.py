"""The mean of values that should be independent of each other, one from each segment of constant energy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from protocols.analysis.autocorrelation import (
    autocovariance,
    is_constant,
    long_run_variance,
    standard_error_factor,
)
from protocols.analysis.statistics import (
    DISAGREEMENT,
    SeriesEstimate,
    Status,
    check_replicas,
    scatter_of_replicas,
    variance_within,
)

__all__ = ["MINIMUM_SEGMENTS", "independent_mean"]

MINIMUM_SEGMENTS = 10


def independent_mean(replicas: Sequence[NDArray[np.float64]]) -> SeriesEstimate:
    """Estimate a mean from values that should be independent.

    The standard error is that of their scatter, widened by Student's t, so that 1.96 standard errors are an
    honest 95 % interval, and never smaller than the scatter between replicas shows where these disagree.
    Where each resembles the one before it more than chance explains, the error is that of a correlated
    series, and n_effective is less than their number.

    Parameters
    ----------
    replicas
        The values of each, in time order.

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
    if is_constant(pooled):
        reason = "all segments give the same"
        return SeriesEstimate(mean, None, float(number), 1.0, nothing, Status.too_short, reason)
    variance = float(pooled.var(ddof=1))
    error = math.sqrt(variance / number) * standard_error_factor(number - 1)
    g, variance_of_one = 1.0, variance
    if number >= MINIMUM_SEGMENTS and _resemble_their_neighbours(replicas):
        long_run = long_run_variance(replicas)
        correlated = math.sqrt(long_run.value / number) * standard_error_factor(long_run.degrees_of_freedom)
        error, g = max(error, correlated), long_run.value / float(pooled.var())
        variance_of_one = max(variance, variance_within(replicas))
    scatter, disagreement = scatter_of_replicas(replicas, variance_of_one)
    reason = ""
    if number < MINIMUM_SEGMENTS:
        reason = f"{number} segments of at least {MINIMUM_SEGMENTS}"
    elif disagreement > DISAGREEMENT:
        reason, error = f"replicas differ by {disagreement:.1f} standard errors", max(error, scatter)
    elif number / g < MINIMUM_SEGMENTS:
        reason = (
            f"{number} segments are worth {number / g:.1f} independent ones of at least {MINIMUM_SEGMENTS}; "
            "take a longer nve_spacing or more"
        )
    status = Status.too_short if reason else Status.converged
    return SeriesEstimate(mean, error, g, number / g, nothing, status, reason)


def _resemble_their_neighbours(replicas: Sequence[NDArray[np.float64]]) -> bool:
    """Tell whether values and those before them correlate by more than one standard error.

    A stricter test would miss what makes errors a third too small.
    """
    number = sum(map(len, replicas))
    covariance = autocovariance([series - series.mean() for series in replicas])
    if len(covariance) < 2 or covariance[0] == 0:
        return False
    # About the mean of the data correlations are too low by one over their number.
    return float(covariance[1] / covariance[0]) + len(replicas) / number > 1 / math.sqrt(number)
