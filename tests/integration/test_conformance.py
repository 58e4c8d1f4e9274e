"""The conformance suite on each backend of this package that needs nothing but this machine."""

from __future__ import annotations

from typing import Any

from workflow_backends import ComputeResources, MultiprocessingBackend, ParslLocalBackend
from workflow_backends.testing import BackendConformance


class TestMultiprocessing(BackendConformance):
    def make_backend(self, workers: int = 2, **resources: Any) -> MultiprocessingBackend:
        return MultiprocessingBackend(workers, ComputeResources(**resources))


class TestParslLocal(BackendConformance):
    def make_backend(self, workers: int = 2, **resources: Any) -> ParslLocalBackend:
        return ParslLocalBackend(workers, ComputeResources(**resources))
