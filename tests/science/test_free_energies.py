"""Free energies against exact values."""

import numpy as np
import pytest

from protocols import (
    Status,
)
from protocols.analysis.mbar import free_energy_difference

CONSTANTS = np.array([1.0, 2.0, 4.0, 8.0, 16.0])  # of harmonic oscillators, in kT


def oscillators(rng, frames, replicas, constants=CONSTANTS, tau=0.0):
    """Reduced energies of samples of each oscillator in all, which are correlated over tau frames."""
    rho = np.exp(-1 / tau) if tau else 0.0
    windows = []
    for constant in constants:
        window = []
        for _ in range(replicas):
            x = rng.normal(size=frames)
            for i in range(1, frames):
                x[i] = rho * x[i - 1] + np.sqrt(1 - rho**2) * x[i]
            window.append(constants / 2 * (x[:, np.newaxis] ** 2 / constant))
        windows.append(window)
    return windows


def names(number):
    return [f"state {k}" for k in range(number)]


@pytest.mark.parametrize(("last", "exact"), [(2, 0.34657), (3, 0.69315), (4, 1.03972), (5, 1.38629)])
def test_the_free_energy_between_harmonic_oscillators(last, exact):
    """1/2 ln K above that of K = 1; the first state is counted less the last."""
    windows = oscillators(np.random.default_rng(last), 4000, 2, CONSTANTS[:last])
    found = free_energy_difference(windows, names(last))
    assert found.status is Status.converged
    assert found.standard_error < 0.02
    assert abs(found.value + exact) < 3.5 * found.standard_error
    assert all(0.2 < overlap < 0.5 for overlap in found.overlaps)


def test_the_standard_error_is_that_of_many_runs_of_correlated_samples():
    rng = np.random.default_rng(7)
    found = [free_energy_difference(oscillators(rng, 1500, 2, tau=4), names(5)) for _ in range(40)]
    z = np.array([(each.value + 0.5 * np.log(16)) / each.standard_error for each in found])
    assert 0.75 < np.sqrt((z**2).mean()) < 1.25
    assert sum(each.status is Status.converged for each in found) >= 38  # replicas differ by chance too
