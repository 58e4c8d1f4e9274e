import numpy as np
import pytest
from scipy.signal import lfilter

from protocols.analysis.equilibration import equilibration


def ar1(seed, length, tau=5):
    rho = np.exp(-1 / tau)
    noise = np.random.default_rng(seed).normal(size=length) * np.sqrt(1 - rho**2)
    return lfilter([1], [1, -rho], noise)


def start(series):
    [found] = equilibration([series], 0.05)
    return found


def test_a_series_without_a_transient_is_kept_but_for_the_minimum():
    starts = [start(ar1(seed, 1000)) for seed in range(200)]
    assert np.mean([start == 50 for start in starts]) > 0.95
    replicas = [equilibration([ar1((seed, i), 1000) for i in range(4)], 0.05) for seed in range(50)]
    assert np.mean(np.array(replicas) == 50) > 0.9


@pytest.mark.parametrize("length", [1500, 9001])
def test_a_transient_is_found(length):
    transient = 8 * np.exp(-np.arange(length) / (0.08 * length))
    starts = np.array([start(ar1(seed, length) + transient) for seed in range(20)])
    assert (starts > 0.2 * length).all()
    assert (starts <= 0.5 * length).all()


def test_twice_as_much_as_a_jump_is_cut():
    series = ar1(1, 4000)
    series[:600] += 5
    assert 1200 <= start(series) <= 1800


def test_what_the_minimum_leaves_out_helps_to_see_what_it_does_not():
    """A start that has mostly decayed when the minimum ends, but not all of it."""
    transient = 3 * np.exp(-20 * np.linspace(0, 1, 2000))
    starts = np.array([start(ar1(seed, 2000) + transient) for seed in range(50)])
    assert np.mean(starts > 200) > 0.8


def test_replicas_show_together_what_noise_hides_in_each():
    transient = 1.2 * np.exp(-np.arange(3000) / 160)
    alone, together = [], []
    for seed in range(20):
        replicas = [ar1((seed, number), length) for number, length in enumerate([3200, 3000, 3000, 4000])]
        replicas = [series + np.pad(transient, (0, len(series) - 3000)) for series in replicas]
        alone += [start(series) > 0.06 * len(series) for series in replicas]
        together.append(min(equilibration(replicas, 0.05)) > 240)
    assert np.mean(alone) < 0.6
    assert np.mean(together) > 0.9


@pytest.mark.parametrize("series", [np.ones(500), np.r_[np.arange(250.0), np.full(250, 3.0)], np.arange(3.0)])
def test_what_cannot_be_told_loses_no_more_than_half(series):
    assert 0 < start(series) <= max(1, len(series) // 2)
    assert len(equilibration([series, series[:2]], 0.05)) == 2
