import numpy as np
import openmm
import pytest

from protocols.errors import InputError
from protocols.running.execution import execute_in
from protocols.settings import InteractionSettings
from protocols.substance import Substance
from protocols.systems.coordinates import BuildCoordinatesPackmol
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.parameterise import BuildOpenMMSystem
from protocols.systems.rescaling import ScaleToDensity
from workflow_backends.resources import ComputeResources


@pytest.fixture(scope="module")
def water(tmp_path_factory):
    home = tmp_path_factory.mktemp("water")
    packed = execute_in(
        BuildCoordinatesPackmol(substance=Substance.pure("O"), number_of_molecules=20, density="0.8 g/mL"),
        home / "packed",
        ComputeResources(),
    )
    interactions = InteractionSettings(cutoff="0.4 nm")
    built = BuildOpenMMSystem(
        coordinates_file=packed.coordinates_file,
        force_field=OpenMMForceField("tip4pew.xml"),
        interactions=interactions,
    )
    return execute_in(built, home / "built", ComputeResources())


def scaled(water, directory, density):
    protocol = ScaleToDensity(system_file=water.system_file, state_file=water.state_file, density=density)
    return execute_in(protocol, directory, ComputeResources()).state_file


def read(file):
    state = openmm.XmlSerializer.deserialize(file.read_text(encoding="utf-8"))
    box = state.getPeriodicBoxVectors(asNumpy=True)._value
    return np.array(state.getPositions(asNumpy=True)._value).reshape(-1, 4, 3), np.array(box)


def test_the_box_gets_the_density_and_molecules_keep_their_shape(water, tmp_path):
    before, box = read(water.state_file)
    after, new_box = read(scaled(water, tmp_path, "1.0 g/mL"))
    assert 20 * 18.015 / np.linalg.det(new_box) * 1.66053906660e-3 == pytest.approx(1.0, rel=1e-3)
    shift = after - before
    assert np.allclose(shift, shift[:, :1], atol=1e-6)
    factor = (np.linalg.det(new_box) / np.linalg.det(box)) ** (1 / 3)
    assert factor < 0.95
    assert np.allclose(after.mean(axis=1), factor * before.mean(axis=1), atol=1e-6)


def test_a_box_that_becomes_too_small_for_the_cutoff_is_refused(water, tmp_path):
    with pytest.raises(InputError, match=r"cutoff: 0\.4 nm is not allowed for the box at its mean density"):
        scaled(water, tmp_path, "1.3 g/mL")
