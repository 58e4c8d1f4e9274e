"""All parts of the conformance suite in one class."""

from __future__ import annotations

from workflow_backends.testing.contract import ContractTests
from workflow_backends.testing.faults import FaultTests
from workflow_backends.testing.lifecycle import LifecycleTests

__all__ = ["BackendConformance"]


class BackendConformance(ContractTests, FaultTests, LifecycleTests):
    """What every backend keeps, as tests for pytest; derive a class ``Test...`` that says `make_backend`.

    What the backend's engine truly lacks stands in its `CalculationBackend.cannot`; the suite then asks for
    a clear error instead, or that things are as that says.
    """
