import numpy as np
import pytest
from scipy.signal import lfilter

from protocols.analysis.equilibration import equilibration


def ar1(seed, length, tau=5):
    rho = np.exp(-1 / tau)
    noise = np.random.default_rng(seed).normal(size=length) * np.sqrt(1 - rho**2)
    return lfilter([1], [1, -rho], noise)


def test_a_series_without_a_transient_is_kept_but_for_the_minimum():
    starts = [equilibration(ar1(seed, 1000), 0.05) for seed in range(200)]
    assert np.mean([start == 50 for start in starts]) > 0.95


@pytest.mark.parametrize("length", [1500, 9001])
def test_a_transient_is_found(length):
    transient = 8 * np.exp(-np.arange(length) / (0.08 * length))
    starts = np.array([equilibration(ar1(seed, length) + transient, 0.05) for seed in range(20)])
    assert (starts > 0.2 * length).all()
    assert (starts <= 0.5 * length).all()


def test_twice_as_much_as_a_jump_is_cut():
    series = ar1(1, 4000)
    series[:600] += 5
    assert 1200 <= equilibration(series, 0.05) <= 1800


@pytest.mark.parametrize("series", [np.ones(500), np.r_[np.arange(250.0), np.full(250, 3.0)], np.arange(3.0)])
def test_what_cannot_be_told_loses_no_more_than_half(series):
    assert 0 < equilibration(series, 0.05) <= max(1, len(series) // 2)
