import numpy as np
import pytest
from scipy.signal import lfilter

from protocols.analysis import autocorrelation
from protocols.analysis.autocorrelation import block_means, long_run_variance, standard_error_factor


def ar1(seed, count, length, tau):
    rho = np.exp(-1 / tau)
    noise = np.random.default_rng(seed).normal(size=(count, length))
    noise[:, 1:] *= np.sqrt(1 - rho**2)
    return list(lfilter([1], [1, -rho], noise, axis=1))


def exact(tau):
    rho = np.exp(-1 / tau)
    return (1 + rho) / (1 - rho)


@pytest.mark.parametrize("tau", [2, 10])
def test_the_long_run_variance_and_its_own_uncertainty(tau):
    found = [long_run_variance(ar1([tau, seed], 2, 150 * tau, tau)) for seed in range(200)]
    values = np.array([each.value for each in found])
    assert values.mean() == pytest.approx(exact(tau), rel=0.08)
    expected = np.sqrt(2 / np.mean([each.degrees_of_freedom for each in found]))
    assert values.std() / values.mean() == pytest.approx(expected, rel=0.2)


def test_a_long_series_is_averaged_in_blocks_without_loss(monkeypatch):
    series = ar1(1, 1, 40_000, tau=50)
    whole = long_run_variance(series).value
    monkeypatch.setattr(autocorrelation, "_MOST_FRAMES", 4000)
    assert long_run_variance(series).value == pytest.approx(whole, rel=0.05)


def test_replicas_with_means_of_their_own_have_a_large_one():
    first, second = ar1(2, 2, 2000, tau=2)
    together = long_run_variance([first, second]).value
    assert long_run_variance([first + 1, second - 1]).value > 10 * together


def test_a_series_that_alternates_is_taken_as_uncorrelated():
    series = (-1.0) ** np.arange(1000)
    assert long_run_variance([series]).value == pytest.approx(1.0)


def test_blocks_end_with_the_series():
    assert list(block_means(np.arange(7.0), 3)) == [2.0, 5.0]


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(2, 4.303), (4, 2.776), (9, 2.262), (49, 2.010), (1000, 1.962)]
)
def test_an_error_is_widened_by_students_t(freedom, quantile):
    assert standard_error_factor(freedom) == pytest.approx(quantile / 1.95996, rel=0.02)
