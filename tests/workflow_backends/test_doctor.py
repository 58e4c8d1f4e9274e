"""What the doctor says of machines, this one among them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from machines import PLAIN, WITH_CRASHING_POCL, WITH_NVIDIA, WITH_OLD_CARD, Machine, Use

from workflow_backends import ComputeResources, doctor
from workflow_backends.layout import Layout
from workflow_backends.machine import available_cpus
from workflow_backends.probing import find_devices


def _examine(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = doctor.main(["--no-speed", *arguments])
    return status, capsys.readouterr().out


@pytest.mark.parametrize(
    ("machine", "works"),
    [
        (PLAIN, set()),
        (WITH_CRASHING_POCL, {"OpenCL"}),
        (WITH_NVIDIA, {"CUDA", "OpenCL"}),
    ],
)
def test_it_knows_what_works(
    machine: Machine, works: set[str], use: Use, capsys: pytest.CaptureFixture[str]
) -> None:
    use(machine)
    status, text = _examine(capsys, "--json")
    found = json.loads(text)
    assert status == 0
    assert {name for name, about in found["platforms"].items() if about["works"]} - {
        "Reference",
        "CPU",
    } == works
    assert found["cpu"]["available"] == available_cpus()
    for name in ("CUDA", "HIP", "OpenCL"):
        assert len(found["devices"][name]) == len(machine.devices.get(name, ()))
        assert _examine(capsys, "--require", name)[0] == (0 if name in works else 1)


def test_it_tells_people_why(use: Use, capsys: pytest.CaptureFixture[str]) -> None:
    use(WITH_CRASHING_POCL)
    _, text = _examine(capsys)
    assert "OpenCL device 0: PoCL, 8 GB, driver 3.1, no GPU: only for the toolkit OpenCL by name" in text
    assert "OpenCL     works, mixed precision, minimises elsewhere (signal 11)" in text
    assert "CUDA       does not work: platform: 'CUDA' cannot be served" in text
    use(WITH_OLD_CARD)
    _, text = _examine(capsys)
    assert "old GPU, 2 GB, driver 1.0, no double precision" in text
    assert "OpenCL     does not work" in text


def test_masks_are_shown(
    use: Use, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(WITH_NVIDIA)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    status, text = _examine(capsys, "--require", "CUDA", "--require", "CPU")
    assert status == 1
    assert "CUDA_VISIBLE_DEVICES=\n" in text


def test_speeds_and_layouts_are_measured_unless_told(
    use: Use, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    use(PLAIN)
    layout = Layout(2, ComputeResources(), 1, 80.0)
    monkeypatch.setattr(doctor, "measure_speed", lambda choices: [12.34])
    monkeypatch.setattr(doctor, "measure_layouts", lambda atoms: [layout])
    assert doctor.main([]) == 0
    text = capsys.readouterr().out
    assert "CPU        works, mixed precision, 12.3 ns/day of 216 waters\n" in text
    assert "  2 x ComputeResources(number_of_threads=1): 80 ns/day\n" in text


def _command(*arguments: str) -> Any:
    command = [sys.executable, "-m", "workflow_backends", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_is_right_on_this_machine() -> None:
    opencl = find_devices("OpenCL") or os.environ.get("REQUIRE_OPENCL")  # PoCL's is enough
    required = ("Reference", "CPU", *(("OpenCL",) if opencl else ()))
    wanted = [word for name in required for word in ("--require", name)]
    run = _command("doctor", "--no-speed", "--json", *wanted)
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["openmm"]
    usable = {name: about["works"] for name, about in found["platforms"].items()}
    assert {name for name in required if usable[name]} == set(required)
    for name in ("CUDA", "HIP", "OpenCL"):
        assert usable[name] <= bool(found["devices"][name])
    assert _command("examine").returncode == 1
    assert _command("doctor", "--require", "Metal").returncode == 2
