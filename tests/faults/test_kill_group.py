"""kill -9 in the third iteration of a group, then the same command again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

_SCRIPT = Path(__file__).with_name("group_to_kill.py")


def _run(directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(_SCRIPT), str(directory)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(_SCRIPT.parents[2])},
    )


def test_a_killed_group_executes_nothing_again_that_was_finished(tmp_path: Path) -> None:
    assert _run(tmp_path).returncode == -signal.SIGKILL
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/iteration-*/*/result.json")}
    assert len(before) == 5
    again = _run(tmp_path)
    assert again.stdout == "4 True 10\n", again.stderr
    done = (tmp_path / "log.txt").read_text(encoding="utf-8").splitlines()
    first = ["add 0", "sum 1", "add 1", "sum 1 2", "add 2", "sum 1 2 3"]
    assert done == [*first, "sum 1 2 3", "add 3", "sum 1 2 3 4"]
    assert {path: path.stat().st_mtime_ns for path in before} == before
