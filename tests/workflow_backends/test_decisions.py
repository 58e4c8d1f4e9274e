"""Which platform is chosen for what, on which machine: the table in docs/platforms.md is written from here.

``python tests/workflow_backends/test_decisions.py`` writes it anew.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from machines import (
    PLAIN,
    WITH_AMD,
    WITH_CRASHING_CUDA,
    WITH_CRASHING_POCL,
    WITH_MIG,
    WITH_NVIDIA,
    WITH_OLD_CARD,
    WITH_POCL,
    WITHOUT_CUDA,
    Machine,
    Use,
)

from workflow_backends import ComputeResources, select_platform
from workflow_backends.errors import PlatformUnavailableError
from workflow_backends.pinning import MASKS

_PAGE = Path(__file__).parents[2] / "docs" / "platforms.md"
_BEGIN, _END = "<!-- decisions: begin -->\n", "<!-- decisions: end -->\n"


@dataclass(frozen=True)
class Case:
    """What is asked for, where, and what comes of it: a platform with its properties, or an error's words."""

    asked: ComputeResources
    machine: Machine
    chosen: str = ""
    properties: dict[str, str] = field(default_factory=dict)
    refused: str = ""
    masks: dict[str, str] = field(default_factory=dict)
    how: dict[str, bool] = field(default_factory=dict)


def gpu(toolkit: str = "auto", precision: str = "mixed", gpus: int = 1, **more: bool) -> ComputeResources:
    return ComputeResources(2, gpus, toolkit, precision, **more)


def named(platform: str) -> ComputeResources:
    return ComputeResources(2, platform=platform)


def cuda(mask: str) -> dict[str, str]:
    return {"CUDA_VISIBLE_DEVICES": mask}


def hip(mask: str) -> dict[str, str]:
    return {"HIP_VISIBLE_DEVICES": mask}


def device(index: str = "0", precision: str = "mixed", **more: str) -> dict[str, str]:
    return {"Precision": precision, "DeviceIndex": index} | more


def opencl(index: str, precision: str = "mixed", platform: str = "0") -> dict[str, str]:
    return device(index, precision, OpenCLPlatformIndex=platform)


THREADS = {"Threads": "2"}
FIXED = {"DeterministicForces": "true"}

CASES = [
    # No GPU asked for: never one that happens to be there.
    Case(ComputeResources(2), PLAIN, "CPU", THREADS),
    Case(ComputeResources(2), WITH_NVIDIA, "CPU", THREADS),
    Case(ComputeResources(2), PLAIN, "CPU", THREADS | FIXED, how={"deterministic": True}),
    Case(ComputeResources(2), PLAIN, "Reference", how={"precise": True}),
    # auto: the first that works, GPUs only.
    Case(gpu(), WITH_NVIDIA, "CUDA", device()),
    Case(gpu(), WITHOUT_CUDA, "OpenCL", opencl("0", platform="1")),
    Case(gpu(), WITH_AMD, "HIP", device()),
    Case(gpu(), WITH_POCL, refused="1 OpenCL device of type GPU needed on one OpenCL platform; found PoCL"),
    Case(gpu(), PLAIN, refused="CUDA: no driver; HIP: no driver; OpenCL: 1 OpenCL device of type GPU needed"),
    Case(gpu(allow_cpu=True), PLAIN, "CPU", THREADS),
    Case(gpu(allow_cpu=True), WITH_POCL, "CPU", THREADS),
    Case(gpu(allow_cpu=True), WITH_NVIDIA, "CUDA", device()),
    Case(gpu(precision="double", allow_cpu=True), PLAIN, refused="allow_cpu does not help"),
    Case(gpu(), WITH_CRASHING_CUDA, "OpenCL", opencl("0", platform="1")),
    # A toolkit by name: never a fall to the CPU.
    Case(gpu("CUDA"), WITH_NVIDIA, "CUDA", device()),
    Case(gpu("CUDA", gpus=2), WITH_NVIDIA, "CUDA", device("0,1")),
    Case(gpu("CUDA", gpus=5), WITH_NVIDIA, refused="5 GPUs needed; found NVIDIA GPU"),
    Case(gpu("CUDA", allow_cpu=True), WITHOUT_CUDA, refused="CUDA: no driver"),
    Case(gpu("HIP"), WITH_AMD, "HIP", device()),
    Case(gpu("HIP", allow_cpu=True), WITH_NVIDIA, refused="HIP: no driver"),
    Case(gpu("OpenCL"), WITH_POCL, "OpenCL", opencl("0")),
    Case(gpu("OpenCL"), WITH_NVIDIA, "OpenCL", opencl("0", platform="1")),
    Case(gpu("OpenCL", gpus=2), WITH_NVIDIA, "OpenCL", opencl("0,1", platform="1")),
    Case(gpu("OpenCL", gpus=2), WITH_POCL, refused="2 OpenCL devices needed on one OpenCL platform"),
    Case(gpu("OpenCL", allow_cpu=True), PLAIN, refused="found none"),
    # Precision.
    Case(gpu("CUDA", "single"), WITH_NVIDIA, "CUDA", device(precision="single")),
    Case(gpu("CUDA", "double"), WITH_NVIDIA, "CUDA", device(precision="double")),
    Case(gpu("HIP", "single"), WITH_AMD, "HIP", device(precision="single")),
    Case(gpu("HIP", "double"), WITH_AMD, "HIP", device(precision="double")),
    Case(gpu("OpenCL", "single"), WITH_OLD_CARD, "OpenCL", opencl("0", "single")),
    Case(gpu("OpenCL"), WITH_OLD_CARD, refused="preferred_gpu_precision: 'mixed' is not possible on old GPU"),
    Case(gpu("OpenCL", "double"), WITH_OLD_CARD, refused="'double' is not possible on old GPU"),
    Case(gpu("OpenCL", "double"), WITH_POCL, "OpenCL", opencl("0", "double")),
    Case(gpu(), WITH_NVIDIA, "CUDA", device(precision="double"), how={"precise": True}),
    Case(gpu("OpenCL", "single"), WITH_OLD_CARD, "Reference", how={"precise": True}),
    Case(gpu(), PLAIN, refused="CUDA: no driver", how={"precise": True}),
    # Equal forces for equal positions, which OpenMM's OpenCL platform does not promise.
    Case(gpu(), WITH_NVIDIA, "CUDA", device() | FIXED, how={"deterministic": True}),
    Case(gpu(), WITHOUT_CUDA, refused="it has no deterministic forces", how={"deterministic": True}),
    # Minimisation, which some drivers do not survive.
    Case(gpu("OpenCL"), WITH_CRASHING_POCL, "OpenCL", opencl("0")),
    Case(gpu("OpenCL"), WITH_CRASHING_POCL, "CPU", THREADS, how={"minimise": True}),
    Case(gpu("OpenCL"), WITH_POCL, "OpenCL", opencl("0"), how={"minimise": True}),
    # Masks: numbers count what can be seen.
    Case(gpu("CUDA"), WITH_NVIDIA, "CUDA", device(), masks=cuda("3,1")),
    Case(gpu("CUDA", gpus=2), WITH_NVIDIA, "CUDA", device("0,1"), masks=cuda("GPU-5fa1,GPU-09b2")),
    Case(gpu("CUDA", gpus=2), WITH_NVIDIA, refused="(CUDA_VISIBLE_DEVICES is '2')", masks=cuda("2")),
    Case(gpu("CUDA"), WITH_NVIDIA, refused="CUDA: no device (CUDA_VISIBLE_DEVICES is '')", masks=cuda("")),
    Case(
        gpu(),
        WITH_NVIDIA,
        refused="1 OpenCL device of type GPU needed on one OpenCL platform",
        masks=cuda(""),
    ),
    Case(gpu("CUDA"), WITH_NVIDIA, "CUDA", device(), masks=hip("")),
    Case(gpu("OpenCL"), WITH_NVIDIA, "OpenCL", opencl("0", platform="1"), masks=cuda("2")),
    Case(gpu("OpenCL", gpus=2), WITH_NVIDIA, "OpenCL", opencl("0,1", platform="1"), masks=cuda("3,1")),
    Case(gpu("OpenCL", gpus=2), WITH_NVIDIA, refused="found PoCL, NVIDIA GPU", masks=cuda("2")),
    Case(gpu("OpenCL"), WITH_NVIDIA, "OpenCL", opencl("0"), masks=cuda("")),  # PoCL is what is left
    Case(named("OpenCL"), WITH_NVIDIA, "OpenCL", opencl("0", platform="1"), masks=cuda("2")),
    Case(gpu("HIP"), WITH_AMD, "HIP", device(), masks=hip("1")),
    Case(gpu("HIP", gpus=2), WITH_AMD, "HIP", device("0,1"), masks=hip("1,0")),
    Case(gpu("HIP", gpus=2), WITH_AMD, refused="(HIP_VISIBLE_DEVICES is '1')", masks=hip("1")),
    Case(gpu("HIP"), WITH_AMD, refused="HIP: no device (HIP_VISIBLE_DEVICES is '')", masks=hip("")),
    # Slices of a GPU, of which CUDA shows a process one.
    Case(gpu("CUDA"), WITH_MIG, "CUDA", device()),
    Case(gpu("CUDA"), WITH_MIG, "CUDA", device(), masks=cuda("MIG-7c31")),
    Case(gpu(), WITH_MIG, "CUDA", device(), masks=cuda("MIG-7c31,MIG-e0d4")),
    Case(gpu("CUDA", gpus=2), WITH_MIG, refused="2 GPUs needed", masks=cuda("MIG-7c31,MIG-e0d4")),
    # A platform by name overrides all.
    Case(named("Reference"), WITH_NVIDIA, "Reference"),
    Case(named("CPU"), WITH_NVIDIA, "CPU", THREADS),
    Case(named("OpenCL"), WITH_POCL, "OpenCL", opencl("0")),
    Case(named("CUDA"), PLAIN, refused="platform: 'CUDA' cannot be served on this machine"),
    Case(named("Reference"), WITH_NVIDIA, "Reference", how={"precise": True}),
    Case(named("CUDA"), WITH_NVIDIA, "CUDA", device(precision="double"), how={"precise": True}),
    Case(named("CUDA"), PLAIN, refused="platform: 'CUDA' cannot be served", how={"precise": True}),
    Case(named("OpenCL"), WITH_OLD_CARD, refused="'double' is not possible", how={"precise": True}),
    Case(named("CPU"), PLAIN, refused="'CPU' has no double precision", how={"precise": True}),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{_asked(case)} on {case.machine.name}")
def test_a_decision(case: Case, use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = use(case.machine)
    for mask in MASKS.values():
        monkeypatch.delenv(mask, raising=False)
    for mask, value in case.masks.items():
        monkeypatch.setenv(mask, value)
    if case.refused:
        with pytest.raises(PlatformUnavailableError, match=re.escape(case.refused)):
            select_platform(case.asked, **case.how)
        return
    choice = select_platform(case.asked, **case.how)
    assert (choice.name, choice.properties) == (case.chosen, case.properties)
    assert choice.reason
    assert choice.precision == choice.properties.get(
        "Precision", "mixed" if case.chosen == "CPU" else "double"
    )
    if case.chosen not in {"CPU", "Reference"}:  # what was tried is what is given
        assert machine.tried[-1][:2] == (choice.name, choice.properties)
        platform = int(choice.properties.get("OpenCLPlatformIndex", 0))
        [name] = {d.name for d in machine.devices[choice.name] if d.platform_index == platform}
        assert choice.device == name
    elif not case.asked.number_of_gpus:
        assert machine.tried == []


def _asked(case: Case) -> str:
    asked = case.asked
    if asked.platform is not None:
        text = f"platform={asked.platform}"
    elif not asked.number_of_gpus:
        text = "no GPU"
    else:
        text = f"{asked.number_of_gpus} x {asked.preferred_gpu_toolkit}, {asked.preferred_gpu_precision}"
        text += ", allow_cpu" if asked.allow_cpu else ""
    return ", ".join([text, *case.how])


def _masks(case: Case) -> str:
    return ", ".join(f"`{name}={value!r}`" for name, value in case.masks.items())


def _outcome(case: Case) -> str:
    if case.refused:
        return f"refused: {case.refused}"
    return ", ".join([f"**{case.chosen}**", *(f"{name}={value}" for name, value in case.properties.items())])


def _table() -> str:
    rows = [(_asked(case), case.machine.name, _masks(case), _outcome(case)) for case in CASES]
    head = ("asked for", "the machine has", "mask", "outcome")
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, ("---",) * 4, *rows])


def _page_with_table() -> str:
    before, _, rest = _PAGE.read_text(encoding="utf-8").partition(_BEGIN)
    return f"{before}{_BEGIN}\n{_table()}\n{_END}{rest.partition(_END)[2]}"


def test_the_table_in_the_docs_is_what_is_tested() -> None:
    assert _PAGE.read_text(encoding="utf-8") == _page_with_table(), (
        f"run python {Path(__file__).relative_to(_PAGE.parents[1])}"
    )


if __name__ == "__main__":
    _PAGE.write_text(_page_with_table())
