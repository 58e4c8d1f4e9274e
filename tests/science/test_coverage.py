"""How often 95 % intervals hold the truth; benchmarks/coverage.py does the same with many more runs."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from protocols import AverageObservable, Density, Limits, Status, Substance, ThermodynamicState
from protocols.analysis.jackknife import pooled_function
from protocols.analysis.statistics import pooled_mean
from protocols.convergence import Convergence

TAU = 5
ROOT = Path(__file__).parents[2]


def ar1(rng, count, length_in_tau):
    """Return first-order processes of mean 0 and variance 1."""
    rho = np.exp(-1 / TAU)
    noise = rng.normal(size=(count, length_in_tau * TAU))
    noise[:, 1:] *= np.sqrt(1 - rho**2)
    return list(lfilter([1], [1, -rho], noise, axis=1))


def estimates(runs, replicas, length_in_tau):
    rng = np.random.default_rng([replicas, length_in_tau])
    return [pooled_mean(ar1(rng, replicas, length_in_tau)) for _ in range(runs)]


def held(found, truth=0.0):
    return np.array([abs(each.mean - truth) < 1.96 * each.standard_error for each in found])


@pytest.mark.parametrize(("replicas", "length_in_tau"), [(1, 200), (2, 200), (4, 100)])
def test_intervals_of_a_mean(replicas, length_in_tau):
    """93 to 97 %, and a percent for the scatter of 800 runs."""
    found = estimates(800, replicas, length_in_tau)
    assert 0.92 <= held(found).mean() <= 0.98
    assert np.mean([each.status is Status.converged for each in found]) > 0.9


@pytest.mark.parametrize("replicas", [1, 2, 4])
def test_intervals_of_a_mean_from_few_samples_are_wide_and_marked(replicas):
    found = estimates(400, replicas, 20)
    assert held(found).mean() >= 0.9
    assert np.mean([each.status is Status.too_short for each in found]) > 0.9


@pytest.mark.parametrize("length_in_tau", [200, 1000])
def test_intervals_after_a_slow_start(length_in_tau):
    """From 3 sigma, decaying in a twentieth of the run; looked for in each replica alone, 83 % hold."""
    rng, found = np.random.default_rng(length_in_tau), []
    transient = 3 * np.exp(-20 * np.linspace(0, 1, length_in_tau * TAU))
    for _ in range(200):
        found.append(pooled_mean([one + transient for one in ar1(rng, 4, length_in_tau)]))
    assert held(found).mean() >= 0.9


def test_intervals_of_a_variance():
    rng = np.random.default_rng(1)
    found = [
        pooled_function(
            [series[:, np.newaxis] for series in ar1(rng, 2, 400)], [(0, 0)], lambda _mean, cov: cov[0, 0]
        )
        for _ in range(400)
    ]
    assert 0.9 <= held(found, truth=1.0).mean() <= 0.98


def test_intervals_where_a_target_is_met():
    state = ThermodynamicState(temperature="90 K", pressure="1 bar")
    item, rng = Density(Substance.pure("[Ar]"), state, "0.07 g/mL"), np.random.default_rng(2)
    found = []
    for _ in range(250):
        judge, series, finished, rounds = Convergence(item, Limits(rounds=100)), ar1(rng, 2, 2500), False, 0
        while not finished:
            rounds += 1
            made = pooled_mean([one[: rounds * 25 * TAU] for one in series])
            outputs = AverageObservable.Outputs.of(made, "g/mL", 1.0)
            finished = judge.judge(outputs, rounds, 0).finished
        assert made.standard_error <= 0.07
        found.append(made)
    assert 0.91 <= held(found).mean() <= 0.985


def test_the_page_shows_what_was_counted():
    spec = importlib.util.spec_from_file_location("coverage_benchmark", ROOT / "benchmarks" / "coverage.py")
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    rows = json.loads((ROOT / "docs" / "coverage.json").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    for line in benchmark.table(rows).splitlines():
        assert line in page
