"""How estimates compare with measured values: deviations and rank, each with an interval."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from protocols.data_sets.measurement import Measurement
from protocols.late import import_late
from protocols.result import PropertyResult

__all__ = ["Comparison", "Score", "compare"]

_Array: TypeAlias = NDArray[np.float64]
_RESAMPLES, _SEED = 2000, 1
_LEAST = 3  # fewer pairs have no interval


class Score(NamedTuple):
    """A number over all pairs, and its 95 % interval from bootstrap samples of the pairs.

    Parameters
    ----------
    value
        None where it is not defined, as the rank correlation of one pair is.
    low, high
        None for fewer than three pairs.
    """

    value: float | None
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.value is None:
            return "-"
        interval = "" if self.low is None or self.high is None else f" [{self.low:.3g}, {self.high:.3g}]"
        return f"{self.value:.3g}{interval}"


class Comparison(NamedTuple):
    """Estimates of one property beside measured values.

    Parameters
    ----------
    property, unit
        Its name, and the unit of the deviations.
    number
        Of pairs.
    missing
        How many measured values have no estimate.
    rmse
        Root of the mean squared deviation.
    bias
        Mean of estimate minus measured value.
    kendall_tau
        Rank correlation, tau-b.
    """

    property: str
    unit: str
    number: int
    missing: int
    rmse: Score
    bias: Score
    kendall_tau: Score

    def as_data(self) -> dict[str, object]:
        """Return it as plain data."""
        scores = {name: getattr(self, name)._asdict() for name in ("rmse", "bias", "kendall_tau")}
        return self._asdict() | scores

    def __str__(self) -> str:
        text = (
            f"{self.property}: {self.number} values, RMSE {self.rmse} {self.unit}, "
            f"bias {self.bias} {self.unit}, Kendall tau {self.kendall_tau}"
        )
        return text if not self.missing else f"{text}; {self.missing} without an estimate"


def compare(measurements: Sequence[Measurement], results: Sequence[PropertyResult]) -> tuple[Comparison, ...]:
    """Compare estimates with measured values, property by property.

    Intervals are the 2.5th to 97.5th percentiles over 2000 bootstrap samples of the pairs: B. Efron and R. J.
    Tibshirani, An Introduction to the Bootstrap (1993), chapter 13. They hold the choice of the pairs, not
    the error of each, and mean little for fewer than ten.

    Parameters
    ----------
    measurements, results
        Pair by pair; an estimate without a value is counted as missing.
    """
    pairs: dict[str, list[tuple[Measurement, PropertyResult]]] = {}
    for measured, result in zip(measurements, results, strict=True):
        pairs.setdefault(measured.property, []).append((measured, result))
    return tuple(_compared(name, of_it) for name, of_it in pairs.items())


def _compared(name: str, pairs: Sequence[tuple[Measurement, PropertyResult]]) -> Comparison:
    unit = pairs[0][1].property.unit
    both = np.array(
        [
            (measured.value.to(unit).magnitude, result.value.to(unit).magnitude)
            for measured, result in pairs
            if result.value is not None
        ],
        dtype=np.float64,
    ).reshape(-1, 2)
    scores = [_score(function, both) for function in (_rmse, _bias, _tau)]
    symbol = unit.replace("dimensionless", "").strip()
    return Comparison(name, symbol, len(both), len(pairs) - len(both), *scores)


def _score(function: Callable[[_Array], float], pairs: _Array) -> Score:
    value = function(pairs) if len(pairs) else math.nan
    if math.isnan(value):
        return Score(None, None, None)
    if len(pairs) < _LEAST:
        return Score(value, None, None)
    random = np.random.default_rng(_SEED)
    drawn = random.integers(len(pairs), size=(_RESAMPLES, len(pairs)))
    low, high = np.nanpercentile([function(pairs[rows]) for rows in drawn], [2.5, 97.5])
    return Score(value, float(low), float(high))


def _rmse(pairs: _Array) -> float:
    return float(np.sqrt(np.mean((pairs[:, 1] - pairs[:, 0]) ** 2)))


def _bias(pairs: _Array) -> float:
    return float(np.mean(pairs[:, 1] - pairs[:, 0]))


def _tau(pairs: _Array) -> float:
    if len(pairs) < 2 or np.ptp(pairs[:, 0]) == 0 or np.ptp(pairs[:, 1]) == 0:
        return math.nan
    return float(import_late("scipy.stats").kendalltau(*pairs.T).statistic)
