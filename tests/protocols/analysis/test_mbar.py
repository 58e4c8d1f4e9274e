import numpy as np
import pytest

from protocols.analysis.mbar import free_energy_difference
from protocols.analysis.statistics import Status
from protocols.errors import InputError


def shifted(rng, centres, frames=400, replicas=2):
    """Reduced energies of samples of harmonic oscillators around each of these centres."""
    centres = np.array(centres)
    return [
        [(rng.normal(centre, 1, (frames, 1)) - centres) ** 2 / 2 for _ in range(replicas)]
        for centre in centres
    ]


def test_states_that_do_not_overlap_are_refused_and_named(rng):
    found = free_energy_difference(shifted(rng, [0, 1, 7]), ["a", "b", "c"])
    assert found.status is Status.unconverged
    assert found.reason.startswith("b and c overlap by ")
    assert "of at least 0.03; give lambdas between them" in found.reason
    assert found.overlaps[0] > 0.2
    assert found.overlaps[1] < 0.03
    assert np.isfinite(found.value)


def test_states_that_do_not_overlap_at_all_keep_a_value_of_some_sort(rng):
    found = free_energy_difference(shifted(rng, [0, 90], frames=6), ["a", "b"])
    assert found.status is Status.unconverged
    assert np.isfinite(found.value)
    assert found.standard_error is None or found.standard_error > 10


def test_states_that_overlap_are_fine(rng):
    found = free_energy_difference(shifted(rng, [0, 1, 2]), ["a", "b", "c"])
    assert (found.status, found.reason) == (Status.converged, "")
    assert abs(found.value) < 3.5 * found.standard_error


def test_states_that_differ_by_a_constant_have_no_error(rng):
    energies = rng.normal(size=(100, 1)) ** 2 + [0.0, 2.5]
    found = free_energy_difference([[energies], [energies]], ["a", "b"])
    assert found.value == pytest.approx(-2.5)
    assert (found.standard_error, found.status) == (None, Status.converged)
    assert found.reason == "known exactly: the energies of states differ by a constant"


def test_correlated_samples_count_less(rng):
    once = shifted(rng, [0, 1])
    repeated = [[np.repeat(energies, 3, axis=0) for energies in window] for window in once]
    first, second = (free_energy_difference(windows, ["a", "b"]) for windows in (once, repeated))
    assert second.statistical_inefficiency == pytest.approx(3, abs=1)
    assert second.n_effective == pytest.approx(first.n_effective, rel=0.25)
    assert second.standard_error == pytest.approx(first.standard_error, rel=0.15)


def test_what_is_left_out_at_the_start_is_left_out(rng):
    windows = shifted(rng, [0, 1], replicas=1)
    for [energies] in windows:
        energies[:40] = [0, 40]  # as far from equilibrium as can be
    found = free_energy_difference(windows, ["a", "b"])
    assert all(discarded >= 39 for [discarded] in found.discarded)
    assert abs(found.value) < 0.5


def test_few_samples_are_too_short(rng):
    found = free_energy_difference(shifted(rng, [0, 1], frames=20), ["a", "b"])
    assert found.status is Status.too_short
    assert "of at least 50 effective samples" in found.reason


def test_replicas_that_differ_are_told_and_widen_the_error(rng):
    """One replica of the second state is stuck: its free energy is off by 2."""
    windows = shifted(rng, [0, 1], frames=2000)
    agreed = free_energy_difference(windows, ["a", "b"])
    for window in windows:
        window[1] = window[1] + np.array([0, 2])
    found = free_energy_difference(windows, ["a", "b"])
    assert found.status is Status.too_short
    assert "replicas differ by" in found.reason
    assert found.standard_error > 5 * agreed.standard_error


def test_with_four_replicas_their_scatter_is_an_error(rng):
    windows = shifted(rng, [0, 1], frames=2000, replicas=4)
    shifts = (-0.09, 0.09, -0.09, 0.09)
    for window in windows:
        window[:] = [energies + np.array([0, shift]) for energies, shift in zip(window, shifts, strict=True)]
    found = free_energy_difference(windows, ["a", "b"])
    assert found.standard_error > 0.04


@pytest.mark.parametrize(
    ("windows", "message"),
    [
        ([[np.zeros((9, 2))]], "windows: 1 given for 2 states"),
        ([[np.zeros((9, 2))], [np.zeros((9, 3))]], "windows: window 1 has energies in 3 states of 2"),
        ([[np.zeros((9, 2))], [np.zeros((9, 2))] * 2], "windows: 2 replicas of window 1, 1 of the first"),
        ([[np.zeros((9, 2))], [np.full((9, 2), np.nan)]], "replicas: a value is not finite"),
    ],
)
def test_what_is_missing_is_named(windows, message):
    with pytest.raises(InputError, match=message):
        free_energy_difference(windows, ["a", "b"])


@pytest.fixture
def rng():
    return np.random.default_rng(11)
