"""A real run that is watched, killed and taken up again, seen from other processes."""

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import threading

import pytest
from waiting import wait_until

from protocols import write_report
from protocols.status import run_status

_ARGON = """\
force_field: argon.xml
substances: {{argon: "[Ar]"}}
states: {{cold: {{temperature: 90 K, pressure: 1 bar}}}}
properties: [{{property: Density, substance: argon, state: cold}}]
settings:
  number_of_molecules: 100
  initial_density: 1.3 g/mL
  cutoff: 0.8 nm
  equilibration_time: 0.2 ps
  production_time: {production}
  output_interval: 0.01 ps
  replicas: 1
backend: {{type: multiprocessing}}
"""
_CODES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@contextlib.contextmanager
def command(place, *arguments):
    """A command of its own, ended at the end whatever the test finds."""
    line = [sys.executable, "-m", "protocols", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(line, cwd=place, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


class OnTerminal:
    """A command on a terminal of 100 columns, whose output is gathered as it comes."""

    def __init__(self, place, *arguments):
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        environment = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "protocols", *arguments],
            cwd=place,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment | {"TERM": "xterm-256color"},
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  # a job in the background
        )
        os.close(theirs)
        self._written = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        with contextlib.suppress(OSError):  # the other end is closed
            while block := os.read(self._ours, 65536):
                self._written += block

    @property
    def text(self):
        return _CODES.sub("", self._written.decode(errors="replace"))

    def end(self, seconds=60):
        """Wait for the command's own end; return its exit code."""
        try:
            return self.process.wait(seconds)
        finally:
            self.process.kill()
            self._reader.join(10)
            os.close(self._ours)


@pytest.mark.timeout(300)
def test_a_watched_run_is_killed_seen_as_interrupted_and_resumed(tmp_path):
    file, home = tmp_path / "argon.yaml", tmp_path / "argon"
    file.write_text(_ARGON.format(production="100 ns"))
    resume = f"estimate-properties resume {home}"
    with command(tmp_path, "run", "argon.yaml") as run:
        assert wait_until(lambda: list(home.glob("OpenMMSimulation-*/progress.json")))

        left = OnTerminal(tmp_path, "status", "argon", "--watch")
        stays = OnTerminal(tmp_path, "status", "argon", "--watch")
        for watch in (left, stays):  # drawn more than once, in place
            assert wait_until(lambda watch=watch: watch.text.count("round 1, running") >= 2)
        left.process.send_signal(signal.SIGINT)
        assert left.end() == 0  # Ctrl-C leaves the run alone
        assert f"driven by process {run.pid}" in left.text.splitlines()[-3]
        assert run.poll() is None

        run.send_signal(signal.SIGKILL)
        run.wait()
        assert stays.end() == 0  # by itself
        assert f"interrupted: process {run.pid} on " in stays.text
        assert f"go on with {resume}" in "".join(stays.text.splitlines())
        assert "round 1, interrupted" in stays.text

    status = run_status(home)
    assert status.interrupted
    assert [item["status"] for item in status.estimates] == ["interrupted"]
    page = write_report(home).read_text(encoding="utf-8")
    assert "The run goes on" not in page
    assert "1 interrupted" in page
    assert f"has died; go on with {resume}" in page

    (home / "calculation.yaml").write_text(_ARGON.format(production="2 ps"))
    with command(tmp_path, "resume", "argon") as again:
        assert wait_until(lambda: run_status(home).holder is not None)
        again.send_signal(signal.SIGSTOP)  # lest it end before anybody watches
        with command(tmp_path, "status", "argon", "--watch") as watch:  # not on a terminal
            lines = [watch.stdout.readline()]
            again.send_signal(signal.SIGCONT)
            lines += watch.stdout.read().splitlines()
            assert (watch.wait(), watch.stderr.read()) == (0, "")
        again.communicate(timeout=30)
    assert f"driven by process {again.pid}" in lines[0]
    assert lines[-2].endswith("nobody drives it")  # how it is now, not when it began
    assert lines[-1].endswith("(round 1, too short)")
