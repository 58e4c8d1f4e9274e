import numpy as np
import pytest

from protocols.analysis.statistics import Status, pooled_mean
from protocols.errors import InputError


def white(seed, length=2000, mean=1.0):
    return np.random.default_rng(seed).normal(mean, 0.5, length)


def test_white_noise_has_the_textbook_error():
    estimate = pooled_mean([white(1), white(2)])
    assert estimate.status is Status.converged
    assert estimate.standard_error == pytest.approx(0.5 / np.sqrt(estimate.n_effective), rel=0.05)
    assert estimate.statistical_inefficiency == pytest.approx(1.0, abs=0.2)
    assert abs(estimate.mean - 1.0) < 4 * estimate.standard_error


def test_repeated_values_count_once():
    estimate = pooled_mean([np.repeat(white(3), 3)])
    assert estimate.statistical_inefficiency == pytest.approx(3.0, rel=0.15)


def test_a_stated_minimum_is_always_discarded():
    assert pooled_mean([white(4)], minimum_discard=0.2).discarded[0] >= 400


@pytest.mark.parametrize("length", [1, 20, 1000])
def test_something_is_always_kept(length):
    assert pooled_mean([white(4, length)], minimum_discard=0.9999).discarded == (length - 1,)


def test_a_transient_is_found_and_left_out():
    series = white(5)
    series[:400] += 10 * np.exp(-np.arange(400) / 100)
    estimate = pooled_mean([series])
    assert estimate.discarded[0] > 200
    assert estimate.mean == pytest.approx(1.0, abs=0.1)


def test_a_constant_has_no_standard_error():
    estimate = pooled_mean([np.full(100, 0.3), np.full(100, 0.3)])
    assert estimate.standard_error is None
    assert estimate.mean == pytest.approx(0.3)
    assert estimate.status is Status.too_short


@pytest.mark.parametrize("length", [1, 2, 5, 30])
def test_a_short_series_says_so(length):
    estimate = pooled_mean([white(6, length)])
    assert estimate.status is Status.too_short
    assert "effective samples" in estimate.reason or "constant" in estimate.reason


def test_replicas_that_disagree_are_too_short_and_have_the_error_of_their_scatter():
    estimate = pooled_mean([white(7), white(8, mean=2.0)])
    assert estimate.status is Status.too_short
    assert "replicas differ" in estimate.reason
    assert estimate.standard_error >= 0.45


@pytest.mark.parametrize("replicas", [[], [np.array([])], [np.array([1.0, np.nan])]])
def test_what_has_no_mean_is_refused(replicas):
    with pytest.raises(InputError, match="replicas: "):
        pooled_mean(replicas)
