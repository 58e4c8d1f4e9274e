"""Ctrl-C while a simulation runs in this process: it ends soon, leaves no lock, and can go on."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import wait_until

from protocols.status import ProtocolState, run_status

_SCRIPT = """
import sys
from protocols import Density, OpenMMForceField, SimulationSettings, Substance, ThermodynamicState, estimate

settings = SimulationSettings(
    number_of_molecules=100, initial_density="1.3 g/mL", cutoff="0.8 nm", equilibration_time="100 ns"
)
argon = Density(Substance.pure("[Ar]"), ThermodynamicState(temperature="90 K", pressure="1 bar"))
estimate([argon], OpenMMForceField("argon.xml"), directory=sys.argv[1], settings=settings)
"""


@pytest.mark.timeout(120)
def test_ctrl_c_ends_an_estimate_in_this_process(tmp_path: Path) -> None:
    script = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  # one thread
    )
    assert wait_until(lambda: bool(list(tmp_path.glob("OpenMMSimulation-*/progress.json"))), 60)
    script.send_signal(signal.SIGINT)
    _, errors = script.communicate(timeout=10)
    assert script.returncode != 0
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert not list(tmp_path.glob("**/lock.json"))
    status = run_status(tmp_path)
    assert status.counts[ProtocolState.interrupted] == 1
    assert status.driver == "interrupted; go on with the same script and the same directory"
