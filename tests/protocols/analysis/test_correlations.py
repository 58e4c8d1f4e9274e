import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.spatial.transform import Rotation

from protocols.analysis.correlations import autocorrelation, running_integral, shear_components


def ornstein_uhlenbeck(frames, columns, tau, seed=1):
    """Return series of variance 1 with correlations exp(-t / tau), t in frames."""
    rho, rng = np.exp(-1 / tau), np.random.default_rng(seed)
    noise = rng.normal(scale=np.sqrt(1 - rho**2), size=(frames + 1000, columns))
    return lfilter([1], [1, -rho], noise, axis=0)[1000:]


def test_components_have_the_invariant_of_the_tensor_whatever_the_axes():
    tensor = np.random.default_rng(1).normal(size=(3, 3))
    tensor += tensor.T

    def invariant(matrix):
        return float(
            (shear_components(matrix[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]][np.newaxis]) ** 2).sum()
        )

    rotated = [r.as_matrix() @ tensor @ r.as_matrix().T for r in Rotation.random(5, rng=2)]
    traceless = tensor - np.eye(3) * np.trace(tensor) / 3
    assert np.allclose([invariant(each) for each in [tensor, *rotated]], (traceless**2).sum() / 2)


def test_a_pressure_that_is_isotropic_has_no_shear():
    assert np.allclose(shear_components(np.array([[7.0, 7.0, 7.0, 0.0, 0.0, 0.0]])), 0)


def test_all_origins_and_columns_are_averaged_over():
    series = np.random.default_rng(3).normal(size=(40, 3)) + 1
    expected = [np.mean(series**2)] + [np.mean(series[lag:] * series[:-lag]) for lag in range(1, 7)]
    assert np.allclose(autocorrelation(series, 7), expected)


def test_the_integral_of_an_exponential_is_its_correlation_time():
    correlation = autocorrelation(ornstein_uhlenbeck(200_000, 5, 10.0), 101)
    integral = running_integral(correlation, 0.5)
    assert integral[0] == 0
    assert integral[20] == pytest.approx(5 * (1 - np.exp(-2)), rel=0.03)
    assert integral[-1] == pytest.approx(5.0, rel=0.04)
