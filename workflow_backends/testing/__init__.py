"""The conformance suite that any backend, ours or a third party's, runs with pytest.

from workflow_backends import ComputeResources
from workflow_backends.testing import BackendConformance

class TestMine(BackendConformance):
    def make_backend(self, workers=2, **resources):
        return MyBackend(workers, ComputeResources(**resources))
"""

import pytest

pytest.register_assert_rewrite(f"{__name__}.contract", f"{__name__}.faults", f"{__name__}.lifecycle")

from workflow_backends.testing.suite import BackendConformance  # noqa: E402  # after the rewriting is set up

__all__ = ["BackendConformance"]
