from itertools import pairwise

import numpy as np
import pytest

from protocols.analysis.jackknife import Blocks, pooled_function
from protocols.analysis.statistics import Status
from protocols.errors import InputError


def ar1(rng, count, length, tau):
    """Return first-order processes of unit variance, shape (count, length)."""
    rho = np.exp(-1 / tau)
    series = rng.normal(size=(count, length))
    series[:, 1:] *= np.sqrt(1 - rho**2)
    for i in range(1, length):
        series[:, i] += rho * series[:, i - 1]
    return series


def variance(_mean, covariance):
    return covariance[0, 0]


def covariance_ratio(mean, covariance):
    return covariance[0, 1] / mean[0]


def test_the_standard_errors_of_a_variance_and_of_a_covariance_ratio_are_their_scatter():
    runs, rng = 300, np.random.default_rng(1)
    first = ar1(rng, 2 * runs, 1500, tau=5)
    second = 0.6 * first + 0.8 * ar1(rng, 2 * runs, 1500, tau=5)
    pairs = np.stack([first + 10, second], axis=2).reshape(runs, 2, 1500, 2)
    for expected, series, function, products in (
        (1.0, pairs[..., :1], variance, [(0, 0)]),
        (0.06, pairs, covariance_ratio, [(0, 1)]),
    ):
        estimates = [pooled_function(list(replicas), products, function) for replicas in series]
        values = np.array([estimate.mean for estimate in estimates])
        errors = np.array([estimate.standard_error for estimate in estimates])
        assert errors.mean() == pytest.approx(values.std(), rel=0.15)
        assert values.mean() == pytest.approx(expected, rel=0.02)
        assert np.mean(np.abs(values - expected) < 1.96 * errors) >= 0.9
        assert np.mean([estimate.status is Status.converged for estimate in estimates]) >= 0.8


def test_the_jackknife_of_blocks_agrees_with_their_bootstrap():
    rng = np.random.default_rng(6)
    first = ar1(rng, 2, 4000, tau=5)
    second = 0.6 * first + 0.8 * ar1(rng, 2, 4000, tau=5)
    replicas, centre = list(np.stack([first, second], axis=2)), np.array([10.0, 0.0])
    blocks = Blocks.of(replicas, 50)
    error, _ = blocks.jackknife(covariance_ratio, centre)
    values = []
    for _ in range(2000):
        drawn = rng.integers(blocks.number, size=blocks.number)
        parts = (each[drawn] for each in (blocks.counts, blocks.first, blocks.second, blocks.replicas))
        values.append(Blocks(*parts).value(covariance_ratio, centre))
    assert error == pytest.approx(np.std(values), rel=0.08)


def test_the_variance_is_that_about_the_mean_of_all_replicas():
    rng = np.random.default_rng(2)
    replicas = [rng.normal(mean, 1.0, (2000, 1)) for mean in (-2.0, 2.0)]
    estimate = pooled_function(replicas, [(0, 0)], variance)
    assert estimate.mean == pytest.approx(5.0, rel=0.05)
    assert estimate.status is Status.too_short
    assert "replicas differ" in estimate.reason


def test_replicas_whose_fluctuations_differ_are_too_short():
    rng = np.random.default_rng(3)
    replicas = [rng.normal(0.0, deviation, (2000, 1)) for deviation in (1.0, 2.0)]
    estimate = pooled_function(replicas, [(0, 0)], variance)
    assert "replicas differ" in estimate.reason
    assert estimate.standard_error > 1.0


def test_the_slowest_series_counts():
    rng = np.random.default_rng(4)
    replicas = [np.stack([rng.normal(size=5000), ar1(rng, 1, 5000, tau=10)[0]], axis=1) for _ in range(2)]
    fast = pooled_function([series[:, :1] for series in replicas], [(0, 0)], variance)
    both = pooled_function(replicas, [(0, 0)], variance)
    assert fast.statistical_inefficiency == pytest.approx(1.0, abs=0.2)
    assert both.statistical_inefficiency == pytest.approx(20.0, rel=0.3)
    assert both.n_effective == pytest.approx(fast.n_effective / 20, rel=0.4)


def test_a_transient_of_any_series_is_left_out_of_all():
    rng = np.random.default_rng(5)
    series = rng.normal(size=(2000, 2))
    series[:400, 1] += 10 * np.exp(-np.arange(400) / 100)
    estimate = pooled_function([series], [(0, 0)], variance)
    assert estimate.discarded[0] > 200
    assert estimate.n_effective <= 1800


def test_small_fluctuations_of_large_numbers_keep_their_digits():
    rng = np.random.default_rng(6)
    series = rng.normal(size=(2000, 1))
    assert pooled_function([series + 1e8], [(0, 0)], variance).mean == pytest.approx(
        pooled_function([series], [(0, 0)], variance).mean, rel=1e-6
    )


def test_replicas_of_unequal_length_are_weighted_by_it():
    rng = np.random.default_rng(7)
    long, short = rng.normal(size=(9000, 1)), rng.normal(size=(1000, 1))
    estimate = pooled_function([long, short], [(0, 0)], variance, minimum_discard=0)
    kept = np.concatenate([s[d:] for s, d in zip((long, short), estimate.discarded, strict=True)])
    assert estimate.mean == pytest.approx(kept.var())
    assert estimate.standard_error == pytest.approx(np.sqrt(2 / len(kept)), rel=0.15)


def test_the_jackknife_leaves_out_one_block_after_the_other():
    series = np.random.default_rng(9).normal(3.0, 2.0, (50, 2)) + np.linspace(0, 4, 50)[:, np.newaxis]
    around_one = [series[:30] - 1, series[30:] - 1]
    error, pseudo_values = Blocks.of(around_one, 10).jackknife(covariance_ratio, np.ones(2))
    ends = [0, 7, 15, 22, 30, 35, 40, 45, 50]  # at least four blocks a replica
    whole, expected, shares = by_hand(series), [], []
    for start, end in pairwise(ends):
        share = 50 / (end - start)
        rest = np.delete(series, np.s_[start:end], axis=0)
        expected.append(share * whole - (share - 1) * by_hand(rest))
        shares.append(share)
    values, shares = np.array(expected), np.array(shares)
    assert np.concatenate(pseudo_values) == pytest.approx(values)
    variances = (values - (values / shares).sum()) ** 2 / (shares - 1)
    assert error == pytest.approx(np.sqrt(variances.mean()))


def by_hand(series):
    return np.cov(series.T, bias=True)[0, 1] / series[:, 0].mean()


def test_a_constant_has_no_standard_error():
    estimate = pooled_function([np.full((100, 1), 0.3)] * 2, [(0, 0)], variance)
    assert estimate.mean == pytest.approx(0, abs=1e-30)
    assert estimate.standard_error is None
    assert estimate.status is Status.too_short


@pytest.mark.parametrize("length", [1, 2, 3, 5, 30])
@pytest.mark.parametrize("seed", range(5))
def test_a_short_series_says_so(length, seed):
    series = np.random.default_rng(seed).normal(5, size=(length, 1))
    estimate = pooled_function([series], [(0, 0)], variance)
    assert estimate.status is Status.too_short
    assert "effective samples" in estimate.reason or "constant" in estimate.reason


@pytest.mark.parametrize("replicas", [[], [np.empty((0, 1))], [np.array([[1.0], [np.nan]])]])
def test_values_that_cannot_be_averaged_are_refused(replicas):
    with pytest.raises(InputError, match="replicas: a"):
        pooled_function(replicas, [(0, 0)], variance)
