import numpy as np
import pytest

from protocols.analysis.neighbours import centroids, like_neighbours, median_displacement

BOX = np.diag([4.0, 3.0, 2.0])


def points(seed, number=400):
    return np.random.default_rng(seed).uniform(size=(number, 3)) @ BOX


def test_centroids_are_those_of_molecules():
    positions = np.arange(15.0).reshape(5, 3)
    assert centroids(positions, [[0, 1, 2], [3, 4]]).tolist() == [[3, 4, 5], [10.5, 11.5, 12.5]]


def test_a_displacement_is_the_shortest_and_not_that_of_the_box():
    first = points(1)
    moved = first + np.array([0.3, 0, 0])
    moved[:150] += [4.0, -3.0, 2.0]  # whole boxes
    assert median_displacement(first, moved, BOX, BOX) == pytest.approx(0.3)
    assert median_displacement(first, 1.1 * first, BOX, 1.1 * BOX) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("share", [0.5, 0.3])
def test_neighbours_in_a_mixture_and_in_two_layers(share):
    where, kinds = points(2), np.arange(400) < 400 * share
    mixed = kinds.astype(np.int64)
    layers = (where[:, 0] < 4.0 * share).astype(np.int64)
    assert abs(like_neighbours(where, BOX, mixed)) < 0.1
    assert like_neighbours(where, BOX, layers) > 0.6


def test_nothing_is_said_of_a_few_molecules():
    kinds = (np.arange(400) < 9).astype(np.int64)
    assert like_neighbours(points(3), BOX, kinds) is None
    assert like_neighbours(points(3), BOX, np.zeros(400, dtype=np.int64)) is None
