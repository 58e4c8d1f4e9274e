"""What MultiprocessingBackend promises beside the conformance suite: no engine, and no escape."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from processes import descendants

from workflow_backends.testing.base import is_running, wait_until

_SCRIPT = """
import os, subprocess, sys, time
from pathlib import Path
from workflow_backends import MultiprocessingBackend

def escape(place):
    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    (place / "new").write_text(f"{os.getpid()} {child.pid}")
    (place / "new").rename(place / "pids")
    import re
    re.match(r"(a+)+$", "a" * 60 + "b")  # holds the interpreter, so that no thread of the worker's runs

with MultiprocessingBackend() as backend:
    assert backend.submit_task(pow, 2, 5).result(60) == 32
    future = backend.submit_task(escape, Path(sys.argv[1]))
    while not Path(sys.argv[1], "pids").exists():
        time.sleep(0.05)
    print([name for name in ("parsl", "numpy", "pydantic") if name in sys.modules], flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize(
    "end", [None, signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda end: end.name if end else "end"
)
def test_nothing_outlives_its_script(tmp_path: Path, end: signal.Signals | None) -> None:
    script = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "TMPDIR": str(tmp_path)},
    )
    assert script.stdout is not None
    assert script.stdout.readline() == "[]\n"  # nothing but the standard library was needed
    family = [child.pid for child in descendants(script.pid)]
    pids = [*family, *map(int, (tmp_path / "pids").read_text(encoding="utf-8").split())]
    assert len(set(pids)) == 3  # the reaper, the worker and its child
    if end is not None:
        script.send_signal(end)
    began = time.monotonic()
    script.communicate(timeout=60)  # which closes its standard input
    assert time.monotonic() - began < 20
    assert wait_until(lambda: not any(map(is_running, pids)), 30)
    if end in (None, signal.SIGINT):
        assert not list(tmp_path.glob("workflow-backends-*"))
