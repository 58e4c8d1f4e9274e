"""The water example on other engines of this machine: one line changes."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

import pytest
from real_redis import Redis, missing
from water_example import run_water_example


@pytest.mark.parametrize("kind", ["MultiprocessingBackend", "DaskLocalBackend", "CeleryBackend"])
def test_the_water_example_needs_another_backend_only(kind: str, tmp_path: Path) -> None:
    if kind == "CeleryBackend" and (reason := missing()):
        (pytest.fail if os.environ.get("REQUIRE_REDIS") else pytest.skip)(reason)
    with Redis() if kind == "CeleryBackend" else nullcontext() as server:
        address = {} if server is None else {"WORKFLOW_BACKENDS_BROKER": server.url}
        run_water_example(tmp_path, "01_water_density.py", {"ParslLocalBackend": kind}, **address)
