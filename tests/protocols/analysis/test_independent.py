import re

import numpy as np
import pytest
from scipy.signal import lfilter

from protocols.analysis.independent import independent_mean
from protocols.analysis.statistics import Status
from protocols.errors import InputError


@pytest.mark.parametrize("segments", [3, 10, 20])
def test_the_interval_holds_the_mean_as_often_as_it_says(segments):
    rng, held = np.random.default_rng(segments), 0
    for _ in range(4000):
        estimate = independent_mean(list(rng.normal(5, 2, size=(2, segments))))
        held += abs(estimate.mean - 5) < 1.96 * estimate.standard_error
    assert 0.94 < held / 4000 < 0.975


@pytest.mark.parametrize("correlation", [0.3, 0.5, 0.8])
def test_the_interval_of_segments_that_resemble_each_other_is_wider(correlation):
    rng, held = np.random.default_rng(1), 0
    for _ in range(1000):
        noise = rng.normal(size=(2, 70)) * np.sqrt(1 - correlation**2)
        series = lfilter([1], [1, -correlation], noise)[:, 50:]
        estimate = independent_mean(list(series))
        held += abs(estimate.mean) < 1.96 * estimate.standard_error
    assert 0.9 < held / 1000 < 0.975  # 50 to 84 if they were taken as independent


def test_segments_that_are_worth_too_few_independent_ones_say_so():
    slow = np.sin(np.linspace(0, 3, 20))
    estimate = independent_mean([slow, slow[::-1]])
    assert estimate.status is Status.too_short
    assert re.match(r"40 segments are worth \d\.\d independent ones of at least 10; take", estimate.reason)
    assert estimate.n_effective < 10


def test_segments_that_give_the_same_have_no_error():
    estimate = independent_mean([np.full(20, 3.0)])
    assert (estimate.mean, estimate.standard_error, estimate.status) == (3.0, None, Status.too_short)


def test_few_segments_are_too_few():
    estimate = independent_mean([np.arange(4.0), np.arange(5.0)])
    assert (estimate.status, estimate.reason) == (Status.too_short, "9 segments of at least 10")
    assert estimate.n_effective == 9
    single = independent_mean([np.array([1.0])])
    assert (single.standard_error, single.reason) == (None, "1 segment of at least 10")


def test_replicas_that_disagree_are_told_and_widen_the_error():
    noise = np.random.default_rng(1).normal(size=(2, 40))
    same, apart = independent_mean(list(noise)), independent_mean([noise[0], noise[1] + 20])
    assert same.status is Status.converged
    assert "replicas differ by" in apart.reason
    assert apart.standard_error == pytest.approx(10, rel=0.05)


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match="not finite"):
        independent_mean([np.array([1.0, np.nan])])
