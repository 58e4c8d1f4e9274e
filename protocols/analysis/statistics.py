"""From correlated series of several replicas to a mean with a standard error that can be trusted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from protocols.analysis.autocorrelation import is_constant, long_run_variance, standard_error_factor
from protocols.analysis.equilibration import equilibration
from protocols.errors import InputError

__all__ = [
    "SeriesEstimate",
    "Status",
    "check_replicas",
    "flagged",
    "pooled_mean",
    "scatter_of_replicas",
    "variance_within",
    "why_too_short",
]

MINIMUM_EFFECTIVE_SAMPLES = 50.0
MINIMUM_EFFECTIVE_SAMPLES_A_REPLICA = 20.0
MINIMUM_DISCARD = 0.05
DISAGREEMENT = 3.0  # standard errors between replicas


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

    The squared standard error is the long-run variance, from the autocovariances of all replicas about their
    common mean, divided by the kept frames. It is widened by Student's t for the degrees of freedom of that
    variance, so that 1.96 standard errors are an honest 95 % interval, and never smaller than the scatter
    between replicas shows where these disagree.

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
    discarded = equilibration(replicas, minimum_discard)
    kept = [series[start:] for series, start in zip(replicas, discarded, strict=True)]
    pooled = np.concatenate(kept)
    mean, frames = float(pooled.mean()), len(pooled)
    if is_constant(pooled):
        return SeriesEstimate(
            mean, None, float(frames), 1.0, discarded, Status.too_short, "the series is constant"
        )
    long_run = long_run_variance(kept)
    g = long_run.value / float(pooled.var())
    error = math.sqrt(long_run.value / frames) * standard_error_factor(long_run.degrees_of_freedom)
    scatter, disagreement = scatter_of_replicas(kept, variance_within(kept))
    reason = why_too_short(frames / g, min(map(len, kept)) / g, disagreement)
    if disagreement > DISAGREEMENT:
        error = max(error, scatter)
    status = Status.too_short if reason else Status.converged
    return SeriesEstimate(mean, error, g, frames / g, discarded, status, reason)


def flagged(estimate: SeriesEstimate, reason: str) -> SeriesEstimate:
    """Return the estimate, as too short if there is a reason, which is told beside its own."""
    if not reason:
        return estimate
    reasons = "; ".join(filter(None, (estimate.reason, reason)))
    return replace(estimate, status=Status.too_short, reason=reasons)


def check_replicas(replicas: Sequence[NDArray[np.float64]]) -> None:
    """Raise InputError if there is no replica, an empty one, or a value that is not finite."""
    if not replicas or any(len(series) == 0 for series in replicas):
        raise InputError("replicas: a series is empty; give at least one value each")
    if not all(np.isfinite(series).all() for series in replicas):
        raise InputError("replicas: a value is not finite")


def variance_within(kept: Sequence[NDArray[np.float64]]) -> float:
    """Return the long-run variance about each replica's own mean, averaged; 0 if all are constant."""
    moving = [series for series in kept if not is_constant(series)]
    if not moving:
        return 0.0
    values = [long_run_variance([series]).value for series in moving]
    return float(np.average(values, weights=[len(series) for series in moving]))


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
    differences = np.abs(means - np.average(means, weights=lengths))
    deviations = np.divide(differences, expected, out=np.full(len(means), np.inf), where=expected > 0)
    return float(means.std(ddof=1) / math.sqrt(len(means))), float(deviations.max())


def why_too_short(
    n_effective: float, n_shortest: float, disagreement: float, enough: float = MINIMUM_EFFECTIVE_SAMPLES
) -> str:
    """Say why replicas are too short, from their effective samples and disagreement; empty if not."""
    reasons = []
    if n_effective < enough:
        reasons.append(f"{n_effective:.0f} of at least {enough:.0f} effective samples")
    elif n_shortest < MINIMUM_EFFECTIVE_SAMPLES_A_REPLICA:
        least = MINIMUM_EFFECTIVE_SAMPLES_A_REPLICA
        reasons.append(f"a replica has {n_shortest:.0f} of at least {least:.0f} effective samples")
    if disagreement > DISAGREEMENT:
        reasons.append(f"replicas differ by {disagreement:.1f} standard errors")
    return ", ".join(reasons)
