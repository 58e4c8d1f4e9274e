"""From correlated series of several replicas to a mean with a standard error that can be trusted.

Equilibration and statistical inefficiency are pymbar's: J. D. Chodera, J. Chem. Theory Comput. 12, 1799
(2016); J. D. Chodera et al., J. Chem. Theory Comput. 3, 26 (2007).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protocols.errors import InputError
from protocols.late import import_late

__all__ = [
    "SeriesEstimate",
    "Status",
    "check_replicas",
    "equilibration",
    "inefficiency",
    "is_constant",
    "pooled_mean",
    "scatter_of_replicas",
    "standard_error_factor",
    "why_too_short",
]

MINIMUM_EFFECTIVE_SAMPLES = 50.0
MINIMUM_EFFECTIVE_SAMPLES_A_REPLICA = 20.0
MINIMUM_DISCARD = 0.05
DISAGREEMENT = 3.0  # standard errors between replicas

_LARGEST_DISCARD = 0.5
_DETECTION_POINTS = 2000  # pymbar's detection looks at every start that it is given
_DETECTION_STARTS = 50
_EXACT_UP_TO = 200_000  # frames; beyond, pymbar looks at ever fewer lags


class Status(StrEnum):
    """How far a result can be trusted."""

    converged = "converged"
    too_short = "too short"
    unconverged = "not converged"
    failed = "failed"


@dataclass(frozen=True)
class SeriesEstimate:
    """The mean of a quantity over pooled replicas, or a function of several means.

    Parameters
    ----------
    mean
        Over the kept part of all replicas.
    standard_error
        Of the mean; None for a constant, whose error cannot be known.
    statistical_inefficiency
        In frames, g = 1 + 2 tau.
    n_effective
        Uncorrelated samples, pooled.
    discarded
        Frames left out at the start of each replica.
    status, reason
        Whether the series are long enough, and if not, why not.
    """

    mean: float
    standard_error: float | None
    statistical_inefficiency: float
    n_effective: float
    discarded: tuple[int, ...]
    status: Status
    reason: str = ""


def pooled_mean(
    replicas: Sequence[NDArray[np.float64]], minimum_discard: float = MINIMUM_DISCARD
) -> SeriesEstimate:
    """Estimate the mean of a stationary series from independent replicas.

    The standard error is sqrt(g s^2 / n) with g averaged over replicas, s^2 the variance about the pooled
    mean and n the kept frames; it is widened by Student's t for few effective samples, so that 1.96
    standard errors are an honest 95 % interval, and never smaller than the scatter between replicas shows
    where these disagree.

    Parameters
    ----------
    replicas
        One series each, in time order, at equal intervals.
    minimum_discard
        Fraction left out at the start whatever is detected.

    Raises
    ------
    InputError
        No replica, an empty one, or values that are not finite.
    """
    check_replicas(replicas)
    discarded = tuple(equilibration(series, minimum_discard) for series in replicas)
    kept = [series[start:] for series, start in zip(replicas, discarded, strict=True)]
    pooled = np.concatenate(kept)
    mean, variance = float(pooled.mean()), float(pooled.var())
    if is_constant(pooled):
        return SeriesEstimate(
            mean, None, float(len(pooled)), 1.0, discarded, Status.too_short, "the series is constant"
        )
    inefficiencies = [inefficiency(series) for series in kept]
    g = float(np.average(inefficiencies, weights=[len(series) for series in kept]))
    n_effective = len(pooled) / g
    error = math.sqrt(variance / n_effective) * standard_error_factor(n_effective - 1)
    scatter, disagreement = scatter_of_replicas(kept, variance * g)
    reason = why_too_short(n_effective, min(len(series) for series in kept) / g, disagreement)
    if disagreement > DISAGREEMENT:
        error = max(error, scatter)
    status = Status.too_short if reason else Status.converged
    return SeriesEstimate(mean, error, g, n_effective, discarded, status, reason)


def check_replicas(replicas: Sequence[NDArray[np.float64]]) -> None:
    """Raise InputError if there is no replica, an empty one, or a value that is not finite."""
    if not replicas or any(len(series) == 0 for series in replicas):
        raise InputError("replicas: a series is empty; give at least one value each")
    if not all(np.isfinite(series).all() for series in replicas):
        raise InputError("replicas: a value is not finite")


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


def is_constant(series: NDArray[np.float64]) -> bool:
    """Return whether the values differ by no more than rounding."""
    return bool(np.ptp(series) <= 1e-12 * max(1e-300, float(np.abs(series).max())))


def equilibration(series: NDArray[np.float64], minimum_discard: float) -> int:
    """Return the first frame to keep: what is detected, at least the minimum, at most half."""
    least = min(math.ceil(minimum_discard * len(series)), len(series) - 1)
    most = int(_LARGEST_DISCARD * len(series))
    stride = max(1, len(series) // _DETECTION_POINTS)
    thinned = series[::stride]
    if len(thinned) < 10 or is_constant(thinned):
        return least
    skip = max(1, len(thinned) // _DETECTION_STARTS)
    start, _, _ = _timeseries().detect_equilibration(thinned, fast=True, nskip=skip)
    return max(least, min(int(start) * stride, most))


def inefficiency(series: NDArray[np.float64]) -> float:
    """Return g in frames; a constant or tiny series is one sample."""
    if len(series) < 4 or is_constant(series):
        return float(len(series))
    return min(
        float(_timeseries().statistical_inefficiency(series, fast=len(series) > _EXACT_UP_TO)), len(series)
    )


def scatter_of_replicas(
    kept: Sequence[NDArray[np.float64]], variance_of_a_frame: float
) -> tuple[float, float]:
    """Return the error from the scatter of replica means, and how far replicas disagree.

    Parameters
    ----------
    kept
        One series a replica.
    variance_of_a_frame
        The squared standard error of a mean, times the number of frames.

    Returns
    -------
    tuple
        The standard error of the mean of all, and the largest difference of a replica's mean from it, in
        expected standard errors of that difference.
    """
    if len(kept) < 2:
        return 0.0, 0.0
    means = np.array([series.mean() for series in kept])
    lengths = np.array([len(series) for series in kept], dtype=np.float64)
    expected = np.sqrt(variance_of_a_frame * (1 / lengths - 1 / lengths.sum()))
    deviations = np.abs(means - np.average(means, weights=lengths)) / expected
    return float(means.std(ddof=1) / math.sqrt(len(means))), float(deviations.max())


def why_too_short(
    n_effective: float, n_shortest: float, disagreement: float, enough: float = MINIMUM_EFFECTIVE_SAMPLES
) -> str:
    """Say why replicas are too short, from their effective samples and disagreement; empty if not."""
    if n_effective < enough:
        return f"{n_effective:.0f} effective samples of at least {enough:.0f}"
    if n_shortest < MINIMUM_EFFECTIVE_SAMPLES_A_REPLICA:
        least = MINIMUM_EFFECTIVE_SAMPLES_A_REPLICA
        return f"a replica of {n_shortest:.0f} effective samples of at least {least:.0f}"
    if disagreement > DISAGREEMENT:
        return f"replicas differ by {disagreement:.1f} standard errors"
    return ""


def _timeseries() -> Any:
    return import_late("pymbar.timeseries")
