from __future__ import annotations

import pytest
from machines import Machine, Use

from workflow_backends import assignment, platforms


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Make select_platform see another machine."""

    def pretend(machine: Machine) -> Machine:
        machine.tried.clear()
        monkeypatch.setattr(platforms, "try_platform", machine.try_platform)
        for module in (platforms, assignment):
            monkeypatch.setattr(module, "find_devices", machine.find_devices)
        return machine

    return pretend
