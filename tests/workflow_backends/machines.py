"""Machines that are not here: what the probe would say on them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workflow_backends.devices import Device
from workflow_backends.pinning import MASKS, _identifiers
from workflow_backends.probing import Trial

WORKS = Trial(integrates=True, minimises=True)
NO_DRIVER = Trial(error="no driver")
CRASHES_WHEN_MINIMISING = Trial(integrates=True, error="signal 11")

POCL = Device(0, "PoCL", "3.1", 8 * 10**9, is_gpu=False)
OLD_CARD = Device(0, "old GPU", "1.0", 2 * 10**9, has_double=False)
NVIDIA_OPENCL = [Device(n, "NVIDIA GPU", "575.57", 140 * 10**9, platform_index=1) for n in range(4)]
CUDA = [Device(n, "NVIDIA GPU", "575.57", 140 * 10**9) for n in range(4)]
MIG = [Device(0, "NVIDIA GPU MIG 1g.18gb", "575.57", 18 * 10**9)]  # CUDA shows a process one at most
HIP = [Device(n, "AMD GPU", "6.12", 64 * 10**9) for n in range(2)]


@dataclass(frozen=True)
class Machine:
    """What a machine has: devices by toolkit, and how each platform's trial ends (else: no driver)."""

    name: str
    devices: dict[str, list[Device]] = field(default_factory=dict)
    trials: dict[str, Trial] = field(default_factory=dict)
    failures: tuple[str, ...] = ()

    def find_plugins(self, _: Mapping[str, str] = os.environ) -> dict[str, Any]:
        return {"version": "8", "names": ["Reference", "CPU"], "failures": list(self.failures)}

    def find_devices(self, toolkit: str, environment: Mapping[str, str] = os.environ) -> list[Device]:
        found = self.devices.get(toolkit, [])
        makers = {"NVIDIA": "CUDA_VISIBLE_DEVICES", "AMD": "HIP_VISIBLE_DEVICES"}
        masks = [environment.get(makers.get(device.name.split()[0], "")) for device in found]
        return [  # a driver counts anew what it may show
            device
            for device, mask in zip(found, masks, strict=True)
            if mask is None or device.index < len(_identifiers(mask))
        ]

    tried: list[tuple[str, dict[str, str], Mapping[str, str]]] = field(default_factory=list)

    def try_platform(
        self, name: str, properties: dict[str, str], environment: Mapping[str, str] = os.environ
    ) -> Trial:
        self.tried.append((name, properties, environment))
        if name in MASKS and environment.get(MASKS[name]) == "":
            return Trial(error="no device")
        return WORKS if name in {"Reference", "CPU"} else self.trials.get(name, NO_DRIVER)


PLAIN = Machine("no GPU")
WITH_POCL = Machine("PoCL only", {"OpenCL": [POCL]}, {"OpenCL": WORKS})
WITH_CRASHING_POCL = Machine(
    "PoCL that cannot minimise", {"OpenCL": [POCL]}, {"OpenCL": CRASHES_WHEN_MINIMISING}
)
WITH_OLD_CARD = Machine("a GPU without doubles", {"OpenCL": [OLD_CARD]}, {"OpenCL": WORKS})
WITH_NVIDIA = Machine(
    "four NVIDIA GPUs, PoCL",
    {"CUDA": CUDA, "OpenCL": [POCL, *NVIDIA_OPENCL]},
    {"CUDA": WORKS, "OpenCL": WORKS},
)
WITHOUT_CUDA = Machine("four NVIDIA GPUs, no CUDA plugin, PoCL", WITH_NVIDIA.devices, {"OpenCL": WORKS})
WITH_CRASHING_CUDA = Machine(
    "four NVIDIA GPUs, CUDA cannot minimise",
    WITH_NVIDIA.devices,
    {"CUDA": CRASHES_WHEN_MINIMISING, "OpenCL": WORKS},
)
WITH_MIG = Machine("an NVIDIA GPU in MIG slices", {"CUDA": MIG}, {"CUDA": WORKS})
WITH_AMD = Machine("two AMD GPUs", {"HIP": HIP}, {"HIP": WORKS})

Use = Callable[[Machine], Machine]
