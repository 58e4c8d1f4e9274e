"""What this machine has, which platforms work on it, and how to lay out workers.

``python -m workflow_backends doctor [--json] [--require NAME] [--no-speed]``
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from workflow_backends.errors import PlatformUnavailableError
from workflow_backends.layout import measure_layouts
from workflow_backends.machine import available_cpus, cpu_name, total_memory
from workflow_backends.platforms import GPU_PLATFORMS, select_platform
from workflow_backends.probing import find_devices, find_plugins, try_platform
from workflow_backends.resources import ComputeResources
from workflow_backends.speed import STANDARD_MOLECULES, measure_speed

__all__ = ["examine", "main"]

_ABOUT = "Show what this machine has, which platforms work on it, and how to lay out workers."
_PLATFORMS = ("Reference", "CPU", *GPU_PLATFORMS)
_MASKS = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")


def examine(*, speed: bool = True) -> dict[str, Any]:
    """Return what `main` prints as plain data.

    Parameters
    ----------
    speed
        Whether to measure ns/day of each platform and of layouts of workers.
    """
    plugins = find_plugins()
    return {
        "host": socket.gethostname(),
        "cpu": {"name": cpu_name(), "available": available_cpus(), "of_machine": os.cpu_count()},
        "memory_bytes": total_memory(),
        "masks": {name: os.environ[name] for name in _MASKS if name in os.environ},
        "devices": {name: [asdict(device) for device in find_devices(name)] for name in GPU_PLATFORMS},
        "openmm": plugins["version"],
        "plugin_failures": plugins["failures"],
        "platforms": {name: _examine_platform(name, speed) for name in _PLATFORMS},
        "layouts": [_as_data(layout) for layout in measure_layouts(3 * STANDARD_MOLECULES)] if speed else [],
    }


def _as_data(layout: Any) -> dict[str, Any]:
    return asdict(layout) | {"text": str(layout)}


def _examine_platform(name: str, speed: bool) -> dict[str, Any]:
    gpu = name in GPU_PLATFORMS
    resources = ComputeResources(available_cpus(), int(gpu), platform=name)
    try:
        choice = select_platform(resources)
    except PlatformUnavailableError as error:
        return {"works": False, "error": str(error)}
    trial = try_platform(choice.name, choice.properties)
    if not trial.integrates:
        return {"works": False, "error": trial.error}
    about = {"works": True, "device": choice.device, "driver": choice.driver, "precision": choice.precision}
    about |= {"minimises": trial.minimises, "error": trial.error}
    if speed:
        measured = measure_speed([choice])
        about["ns_per_day"] = None if isinstance(measured, str) else measured[0]
    return about


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was found; return 1 if a required platform does not work, else 0."""
    parser = argparse.ArgumentParser(prog="python -m workflow_backends doctor", description=_ABOUT)
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    parser.add_argument(
        "--require",
        action="append",
        default=[],
        choices=_PLATFORMS,
        help="exit with 1 unless this platform works",
    )
    parser.add_argument("--no-speed", action="store_true", help="measure nothing")
    options = parser.parse_args(arguments)
    found = examine(speed=not options.no_speed)
    print(json.dumps(found, indent=1) if options.json else _text(found))
    missing = [name for name in options.require if not found["platforms"][name]["works"]]
    if missing:
        print(f"required, and not working: {', '.join(missing)}", file=sys.stderr)
    return 1 if missing else 0


def _text(found: dict[str, Any]) -> str:
    cpu = found["cpu"]
    lines = [
        f"{found['host']}: {cpu['available']} of {cpu['of_machine']} CPUs ({cpu['name']}),"
        f" {found['memory_bytes'] / 1e9:.3g} GB of memory",
        *(f"{name}={value}" for name, value in found["masks"].items()),
        *(_device(name, device) for name, devices in found["devices"].items() for device in devices),
        f"OpenMM {found['openmm']}",
        *(f"plugin failed: {' '.join(failure.split())}" for failure in found["plugin_failures"]),
        *(_platform(name, about) for name, about in found["platforms"].items()),
    ]
    if found["layouts"]:
        lines += ["workers, by what they simulate together:"]
        lines += [f"  {layout['text']}" for layout in found["layouts"]]
    return "\n".join(lines)


def _device(toolkit: str, device: dict[str, Any]) -> str:
    kind = "" if device["is_gpu"] else ", no GPU: only for the toolkit OpenCL by name"
    kind += "" if device["has_double"] else ", no double precision"
    driver = f", driver {device['driver']}" if device["driver"] else ""
    return (
        f"{toolkit} device {device['index']}: {device['name']}, {device['memory'] / 1e9:.3g} GB{driver}{kind}"
    )


def _platform(name: str, about: dict[str, Any]) -> str:
    if not about["works"]:
        return f"  {name:10} does not work: {about['error']}"
    speed = about.get("ns_per_day")
    words = ["works", f"{about['precision']} precision"]
    words += [f"{speed:.3g} ns/day of {STANDARD_MOLECULES} waters"] if speed is not None else []
    words += [] if about["minimises"] else [f"minimises elsewhere ({about['error']})"]
    return f"  {name:10} {', '.join(words)}"
