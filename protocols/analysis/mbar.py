"""Free energies between states that were simulated one by one: the multistate Bennett acceptance ratio.

M. R. Shirts and J. D. Chodera, J. Chem. Phys. 129, 124105 (2008), by pymbar.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from protocols.analysis.autocorrelation import is_constant, long_run_variance, standard_error_factor
from protocols.analysis.equilibration import equilibration
from protocols.analysis.statistics import DISAGREEMENT, MINIMUM_DISCARD, Status, check_replicas, why_too_short
from protocols.errors import InputError
from protocols.late import import_late

__all__ = ["LEAST_OVERLAP", "FreeEnergyEstimate", "free_energy_difference"]

LEAST_OVERLAP = 0.03
"""Of neighbouring states; P. V. Klimovich, M. R. Shirts and D. L. Mobley, J. Comput. Aided Mol. Des. 29, 397
(2015)."""

_MOST_ITERATIONS = 300
_ENOUGH_REPLICAS = 4  # whose scatter is an error by itself

_Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class FreeEnergyEstimate:
    """The reduced free energy of the first state less that of the last.

    Parameters
    ----------
    value, standard_error
        In units of kT; None where states overlap so little that pymbar finds no error, or where energies
        differ by a constant.
    overlaps
        Of each state with the next: the chance that a sample of one is ascribed to the other.
    statistical_inefficiency
        The largest of all windows, in frames.
    n_effective
        Uncorrelated samples of the window that has fewest, pooled over replicas.
    discarded
        Frames left out at the start of each replica, for each window.
    status, reason
        Whether the simulations are long enough and overlap, and if not, why not.
    """

    value: float
    standard_error: float | None
    overlaps: tuple[float, ...]
    statistical_inefficiency: float
    n_effective: float
    discarded: tuple[tuple[int, ...], ...]
    status: Status
    reason: str = ""


@dataclass(frozen=True)
class _Window:
    """The uncorrelated samples of one state: for each replica the reduced energies, shape (n, states)."""

    samples: list[_Array]
    inefficiency: float
    discarded: tuple[int, ...]


def free_energy_difference(
    windows: Sequence[Sequence[_Array]], names: Sequence[str], minimum_discard: float = MINIMUM_DISCARD
) -> FreeEnergyEstimate:
    """Estimate the reduced free energy of the first state less that of the last.

    Of each window those samples are taken that are past equilibration and uncorrelated, as told by the
    differences between its energy and those of its neighbours. The standard error is that of MBAR, widened
    by what correlation is left between such samples, and by Student's t for the window with fewest samples;
    where replicas, each analysed by itself, disagree, or there are four and more, it is no smaller than their
    scatter shows.

    Parameters
    ----------
    windows
        For each state, in order, the reduced energies of samples of that state: one array a replica, in time
        order, shape (frames, states).
    names
        Of the states, for messages.
    minimum_discard
        Fraction of each replica left out at the start whatever is detected.

    Raises
    ------
    InputError
        There are not as many windows as states, or energies are missing or not finite.
    """
    _check(windows, names)
    taken = [_uncorrelated(replicas, k, minimum_discard) for k, replicas in enumerate(windows)]
    value, error, overlaps = _mbar([np.concatenate(window.samples) for window in taken])
    effective = [sum(map(len, window.samples)) for window in taken]
    scatter, disagreement = _scatter(taken, value, error)
    residual = max(_residual(window.inefficiency) for window in taken)
    disagreement /= residual
    error *= residual * standard_error_factor(min(effective) - 1)
    replicas = len(windows[0])
    if disagreement > DISAGREEMENT or replicas >= _ENOUGH_REPLICAS:
        error = max(error, scatter)
    shortest = min(len(samples) for window in taken for samples in window.samples)
    reason = _no_overlap(overlaps, names)
    status = Status.unconverged if reason else Status.converged
    if not reason:
        reason = why_too_short(min(effective), shortest, disagreement)
        status = Status.too_short if reason else status
    if error == 0:
        status, reason = Status.converged, "known exactly: the energies of states differ by a constant"
    return FreeEnergyEstimate(
        value=value,
        standard_error=error if math.isfinite(error) and error > 0 else None,
        overlaps=overlaps,
        statistical_inefficiency=max(window.inefficiency for window in taken),
        n_effective=float(min(effective)),
        discarded=tuple(window.discarded for window in taken),
        status=status,
        reason=reason,
    )


def _check(windows: Sequence[Sequence[_Array]], names: Sequence[str]) -> None:
    if len(windows) != len(names) or len(names) < 2:
        raise InputError(
            f"windows: {len(windows)} given for {len(names)} states; give one each, two at least"
        )
    for k, replicas in enumerate(windows):
        check_replicas(replicas)
        if len(replicas) != len(windows[0]):
            raise InputError(
                f"windows: {len(replicas)} replicas of window {k}, {len(windows[0])} of the first"
            )
        if any(energies.shape[1] != len(windows) for energies in replicas):
            raise InputError(
                f"windows: window {k} has energies in {replicas[0].shape[1]} states of {len(names)}"
            )


def _uncorrelated(replicas: Sequence[_Array], k: int, minimum_discard: float) -> _Window:
    """Return the samples of window k to take."""
    neighbours = [j for j in (k - 1, k + 1) if 0 <= j < replicas[0].shape[1]]
    differences = [
        [energies[:, j] - energies[:, k] for energies in replicas] for j in neighbours
    ]  # by neighbour, by replica
    starts = [equilibration(each, minimum_discard) for each in differences]
    discarded = tuple(map(max, zip(*starts, strict=True)))
    g = max(
        _inefficiency([series[start:] for series, start in zip(each, discarded, strict=True)])
        for each in differences
    )
    samples = []
    for energies, start in zip(replicas, discarded, strict=True):
        kept = energies[start:]
        samples.append(kept[np.arange(0, len(kept), g).astype(int)])
    return _Window(samples, g, discarded)


def _inefficiency(replicas: Sequence[_Array]) -> float:
    """Return how many frames there are to one that is uncorrelated."""
    pooled = np.concatenate(replicas)
    return 1.0 if is_constant(pooled) else long_run_variance(replicas).value / float(pooled.var())


def _residual(inefficiency: float) -> float:
    """Return by how much an error is larger because samples g frames apart are still correlated a little.

    As in a first-order process, whose correlation from frame to frame is (g - 1) / (g + 1): 1.14 at most.
    """
    correlation = (max(inefficiency, 1.0) - 1) / (inefficiency + 1)
    left = correlation**inefficiency
    return math.sqrt((1 + left) / (1 - left))


def _mbar(windows: Sequence[_Array]) -> tuple[float, float, tuple[float, ...]]:
    """Return the free energy of the first state less that of the last, its error, and the overlaps."""
    # pymbar's own, but for the number of iterations: where states do not overlap it would take half a minute
    # to find what no one needs.
    solvers = (
        {"method": "hybr"},
        {"method": "adaptive", "options": {"min_sc_iter": 0, "maxiter": _MOST_ITERATIONS}},
    )
    counts = np.array([len(samples) for samples in windows])
    with np.errstate(invalid="ignore"):  # the error is not a number then, which is dealt with
        estimator = import_late("pymbar").MBAR(np.concatenate(windows).T, counts, solver_protocol=solvers)
        differences = estimator.compute_free_energy_differences()
    overlap = estimator.compute_overlap()["matrix"]
    # Rounding may leave an overlap of states a little above 1 or below 0.
    overlaps = tuple(float(np.clip(overlap[k, k + 1], 0, 1)) for k in range(len(windows) - 1))
    return float(differences["Delta_f"][-1, 0]), float(differences["dDelta_f"][-1, 0]), overlaps


def _scatter(windows: Sequence[_Window], value: float, error: float) -> tuple[float, float]:
    """Return the error from the scatter of replicas, and how far the worst is off, in its expected errors."""
    replicas = len(windows[0].samples)
    if replicas < 2:
        return 0.0, 0.0
    alone = [_mbar([window.samples[r] for window in windows])[:2] for r in range(replicas)]
    values = np.array([each for each, _ in alone])
    # A replica is part of the whole, which is therefore a little nearer to it than to another.
    expected = [math.sqrt(max(own**2 - error**2, own**2 / (10 * replicas))) for _, own in alone]
    disagreement = float(np.max(np.abs(values - value) / np.maximum(expected, 1e-300)))
    return float(values.std(ddof=1) / math.sqrt(replicas)), disagreement


def _no_overlap(overlaps: Sequence[float], names: Sequence[str]) -> str:
    """Say which states overlap least if that is too little; empty if it is enough."""
    worst = int(np.argmin(overlaps))
    if overlaps[worst] >= LEAST_OVERLAP:
        return ""
    return (
        f"{names[worst]} and {names[worst + 1]} overlap by {overlaps[worst]:.2g} of at least "
        f"{LEAST_OVERLAP}; give lambdas between them"
    )
