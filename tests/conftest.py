"""What all tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from workflow_backends import ParslLocalBackend


@pytest.fixture(scope="session")
def backend() -> Iterator[ParslLocalBackend]:
    """A real local backend with two workers, for tests that leave it as they found it."""
    with ParslLocalBackend(number_of_workers=2) as started:
        yield started
