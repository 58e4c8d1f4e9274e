"""The water example on other engines: one line changes."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import pytest
from real_redis import Redis, missing

_ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", ["DaskLocalBackend", "CeleryBackend"])
def test_the_water_example_needs_another_backend_only(kind: str, tmp_path: Path) -> None:
    if kind == "CeleryBackend" and (reason := missing()):
        (pytest.fail if os.environ.get("REQUIRE_REDIS") else pytest.skip)(reason)
    text = (_ROOT / "examples" / "01_water_density.py").read_text(encoding="utf-8")
    script = tmp_path / "water.py"
    script.write_text(text.replace("ParslLocalBackend", kind))
    with Redis() if kind == "CeleryBackend" else nullcontext() as server:
        address = {} if server is None else {"WORKFLOW_BACKENDS_BROKER": server.url}
        run = subprocess.run(
            [sys.executable, script, "--fast", "--directory", "water"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(_ROOT)} | address,
            capture_output=True,
            text=True,
            check=False,
        )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("Density of O at 298.15 K, 1 atm: ")
    assert run.stderr == ""
