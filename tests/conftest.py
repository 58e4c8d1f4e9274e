"""What all tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from workflow_backends import ParslLocalBackend


@pytest.fixture(scope="session")
def backend() -> Iterator[ParslLocalBackend]:
    """A real local backend with two workers, for tests that leave it as they found it."""
    with ParslLocalBackend(number_of_workers=2) as started:
        yield started


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep parameters of molecules out of the folder of who runs the tests."""
    os.environ["ESTIMATE_PROPERTIES_CACHE"] = str(tmp_path_factory.mktemp("cache"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--repeat", type=int, default=1, help="run each fault test so many times")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    rounds = metafunc.config.getoption("--repeat")
    if rounds > 1 and "faults" in metafunc.module.__file__:
        metafunc.fixturenames.append("_round")
        metafunc.parametrize("_round", range(rounds))
