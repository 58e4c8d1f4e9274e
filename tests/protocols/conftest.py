from pathlib import Path

import pytest

from protocols.running.execution import execute_in
from protocols.settings import InteractionSettings
from protocols.substance import Substance
from protocols.systems.coordinates import BuildCoordinatesPackmol
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.parameterise import BuildOpenMMSystem
from workflow_backends.resources import ComputeResources


@pytest.fixture
def resources() -> ComputeResources:
    return ComputeResources(number_of_threads=1)


@pytest.fixture(scope="session")
def argon_box(tmp_path_factory: pytest.TempPathFactory) -> BuildOpenMMSystem.Outputs:
    """A hundred argon atoms, packed and given parameters."""
    home: Path = tmp_path_factory.mktemp("argon")
    packed = execute_in(
        BuildCoordinatesPackmol(
            substance=Substance.pure("[Ar]"), number_of_molecules=100, density="1.18 g/mL", seed=1
        ),
        home / "packed",
        ComputeResources(),
    )
    return execute_in(
        BuildOpenMMSystem(
            coordinates_file=packed.coordinates_file,
            force_field=OpenMMForceField("argon.xml"),
            interactions=InteractionSettings(cutoff="0.85 nm"),
        ),
        home / "built",
        ComputeResources(),
    )
