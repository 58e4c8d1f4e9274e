"""Real short runs, each watched in another place."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

from rich.cells import cell_len

_ROOT = Path(__file__).parents[3]
_RUN = """
from protocols import *
settings = SimulationSettings(
    number_of_molecules=100, initial_density="1.3 g/mL", cutoff="0.8 nm", timestep="5 fs",
    equilibration_time="10 ps", production_time="20 ps", output_interval="0.1 ps", replicas=1,
)
state = ThermodynamicState(temperature="90 K", pressure="1 bar")
[result] = estimate(
    [Density(Substance.pure("[Ar]"), state, "0.01 %")], OpenMMForceField("argon.xml"), directory="run",
    settings=settings, limits=Limits(rounds=3), progress=PROGRESS,
)
print(result.status)
"""
_ENVIRONMENT = os.environ | {"PYTHONPATH": str(_ROOT), "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"}


def code(progress):
    return _RUN.replace("PROGRESS", repr(progress))


def test_on_a_terminal_it_is_drawn_in_place_and_never_wraps(tmp_path):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 40, 0, 0))
    environment = {name: value for name, value in _ENVIRONMENT.items() if name not in {"COLUMNS", "LINES"}}
    line = [sys.executable, "-c", code(None)]
    with subprocess.Popen(
        line, stdin=theirs, stdout=theirs, stderr=theirs, cwd=tmp_path, env=environment
    ) as run:
        os.close(theirs)
        written = b""
        while True:
            try:
                block = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not block:
                break
            written += block
    os.close(ours)
    assert run.returncode == 0
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", written.decode())
    assert "protocols" in text
    frames = text.partition("not converged")[0]
    assert max(cell_len(line) for line in re.split(r"[\r\n]+", frames)) <= 40
    assert written.count(b"\x1b[?25l") == written.count(b"\x1b[?25h") == 1  # the cursor comes back


def test_elsewhere_there_are_plain_lines_about_what_is_new(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", code(True)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=_ENVIRONMENT,
        check=True,
    )
    assert run.stdout == "not converged\n"
    lines = [line.split(" ", 1)[1] for line in run.stderr.splitlines()]
    assert lines[1] == "Density of [Ar] at 90 K, 1 bar: round 1, running"
    assert re.fullmatch(
        r"Density of \[Ar\] at 90 K, 1 bar: 1\.\d+ \+/- .* g/mL, target .* \(round 3, not converged\)",
        lines[-1],
    )
    told = [line for line in lines if line.startswith("Density")]
    assert len(told) == len(set(told))


def test_in_a_notebook_it_is_one_small_output_that_is_replaced(tmp_path):
    import nbclient
    import nbformat

    cell = f"import sys; sys.path.insert(0, {str(_ROOT)!r})\n{code(None)}"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": tmp_path}}
    )
    client.execute()
    shown, printed = notebook.cells[0].outputs
    assert printed["text"] == "not converged\n"
    assert "not converged" in shown["data"]["text/plain"]
    assert "Density of [Ar]" in shown["data"]["text/html"]
    assert len(nbformat.writes(notebook)) < 20_000
