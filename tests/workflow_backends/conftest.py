from __future__ import annotations

import pytest
from machines import Machine, Use

from workflow_backends import assignment, doctor, platforms, unmasked


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Use:
    """Make select_platform see another machine."""

    def pretend(machine: Machine) -> Machine:
        machine.tried.clear()
        for module in (platforms, doctor):
            monkeypatch.setattr(module, "try_platform", machine.try_platform)
        monkeypatch.setattr(platforms, "find_plugins", machine.find_plugins)
        for module in (platforms, assignment, doctor, unmasked):
            monkeypatch.setattr(module, "find_devices", machine.find_devices)
        return machine

    return pretend
