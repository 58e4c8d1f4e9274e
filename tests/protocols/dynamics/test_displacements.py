import numpy as np
import pytest

from protocols.dynamics.displacements import CentresOfMass, einstein_diffusion, mean_squared_displacements


def walk(frames, molecules, step, seed=1):
    steps = np.random.default_rng(seed).normal(scale=step, size=(frames, molecules, 3))
    return np.cumsum(steps, axis=0)


def test_all_origins_and_molecules_are_averaged_over():
    positions = walk(30, 4, 0.1) + 50
    expected = [0.0] + [
        np.mean(np.sum((positions[lag:] - positions[:-lag]) ** 2, axis=2)) for lag in range(1, 30)
    ]
    assert np.allclose(mean_squared_displacements(positions), expected, rtol=1e-10)


def test_free_flight_goes_with_the_square_of_time():
    velocities = np.random.default_rng(2).normal(size=(5, 3))
    positions = velocities * np.arange(100)[:, np.newaxis, np.newaxis]
    expected = np.mean(np.sum(velocities**2, axis=1)) * np.arange(100) ** 2
    assert np.allclose(mean_squared_displacements(positions), expected, rtol=1e-9, atol=1e-6)


def test_a_random_walk_has_its_diffusion_coefficient():
    interval, step = 0.2, 0.1  # D = step^2 / (2 interval)
    displacements = mean_squared_displacements(walk(400, 2000, step))
    found = einstein_diffusion(interval * np.arange(400), displacements)
    assert found == pytest.approx(step**2 / (2 * interval), rel=0.03)


def test_only_lags_from_a_tenth_to_a_half_are_fitted():
    lags = np.arange(101.0)
    displacements = np.where(lags < 10, 1e3, np.where(lags > 50, -1e3, 7 + 6 * 0.3 * lags))
    assert einstein_diffusion(lags, displacements) == pytest.approx(0.3)


def test_centres_of_mass_are_those_of_molecules_in_order_of_their_first_particle():
    centres = CentresOfMass(np.array([1.0, 16.0, 1.0, 3.0]), [[3], [1, 0, 2]])
    found = centres.of(np.array([[0.0, 0, 0], [1, 0, 0], [2, 3, 0], [7, 8, 9]]))
    assert np.allclose(found, [[1, 3 / 18, 0], [7, 8, 9]])


def test_paths_go_through_boundaries_and_not_with_the_box():
    centres = CentresOfMass(np.array([1.0, 1.0, 2.0]), [[0], [1], [2]])
    paths = walk(50, 3, 0.2, seed=3)
    edges = np.array([2.0, 3.0, 2.5])
    drift = np.linspace(0, 5, 50)[:, np.newaxis, np.newaxis]
    found = centres.unwrapped(list((paths + drift) % edges), edges)
    own = np.average(paths, axis=1, weights=[1, 1, 2])[:, np.newaxis]
    assert np.allclose(np.diff(found, axis=0), np.diff(paths - own, axis=0))
