"""Provenance for the report: which simulations ran where, with what."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from protocols.dynamics.plans import FramePlan, SegmentPlan
from protocols.errors import InputError
from protocols.purpose import purpose_of
from protocols.quantities import describe_quantity, quantity
from protocols.report.reading import FinishedProtocol, RunReading
from protocols.settings import DynamicsSettings, TransportSettings

__all__ = ["machines_of", "runs_of"]


def runs_of(run: RunReading, label: str) -> list[dict[str, Any]]:
    """Return the finished minimisations and simulations upstream of a protocol, as rows of a table."""
    return [_row(run, each) for each in run.upstream_first(label) if "platform" in each.outputs]


def _row(run: RunReading, protocol: FinishedProtocol) -> dict[str, Any]:
    record, outputs = protocol.provenance, protocol.outputs
    speed = outputs.get("ns_per_day")
    return {
        "label": protocol.label,
        "simulates": "ns_per_day" in outputs,
        "what": _what(run, protocol),
        "time": _simulated(protocol),
        "seed": protocol.inputs.get("seed", ""),
        "platform": outputs["platform"],
        "device": outputs.get("device", ""),
        "host": record.get("process", {}).get("host", ""),
        "started": str(record.get("started", ""))[:19].replace("T", " "),
        "took": _took(record),
        "ns_per_day": "" if speed is None else f"{speed:.3g}",
    }


def _what(run: RunReading, protocol: FinishedProtocol) -> str:
    """Say what a minimisation or a simulation is for."""
    if protocol.kind.endswith("Minimisation"):
        return "minimisation"
    if not protocol.kind.endswith("Simulation"):  # of a plugin
        return "simulation"
    status = run.protocol(protocol.label)
    upstream = status.upstream if status is not None else ()
    return purpose_of(upstream, continues=bool(protocol.inputs.get("continues")))


def _simulated(protocol: FinishedProtocol) -> str:
    """Return the time that was really simulated: a given one is rounded to whole frames."""
    inputs = protocol.inputs
    try:
        if "transport" in inputs:
            settings, timestep = TransportSettings(**_fields(inputs["transport"])), _read(inputs["timestep"])
            steps = settings.nve_segments * SegmentPlan.of(settings, timestep).steps
        else:
            dynamics = DynamicsSettings(**_fields(inputs["dynamics"]))
            timestep = dynamics.timestep
            steps = FramePlan.of(dynamics, _read(inputs["simulated_time"])).steps
    except (LookupError, TypeError, InputError):
        return ""
    time = (steps * timestep).to("ps")
    return describe_quantity(time if time.magnitude < 1000 else time.to("ns"))


def _fields(model: dict[str, Any]) -> dict[str, Any]:
    return {name: _read(value) for name, value in model["fields"].items()}


def _read(value: Any) -> Any:
    """Return an input that was hashed, where it is a quantity or plain."""
    return quantity(value["quantity"]) if isinstance(value, dict) else value


def _took(record: dict[str, Any]) -> str:
    try:
        started, finished = (datetime.fromisoformat(record[name]) for name in ("started", "finished"))
    except (KeyError, TypeError, ValueError):
        return ""
    return f"{(finished - started).total_seconds():.0f} s"


def machines_of(run: RunReading, labels: Iterable[str]) -> list[dict[str, str]]:
    """Return each combination of host, system, platform and versions that the protocols upstream ran with."""
    found: dict[str, dict[str, str]] = {}
    seen: set[str] = set()
    for label in labels:
        for protocol in run.upstream_first(label):
            if protocol.label in seen or "platform" not in protocol.outputs:
                continue
            seen.add(protocol.label)
            machine = _machine(protocol)
            found.setdefault("|".join(machine.values()), machine)
    return list(found.values())


def _machine(protocol: FinishedProtocol) -> dict[str, str]:
    record, outputs = protocol.provenance, protocol.outputs
    packages = record.get("packages", {})
    driver = f", driver {outputs['driver']}" if outputs.get("driver") else ""
    reason = outputs.get("platform_reason")
    several = outputs.get("platforms", ())
    return {
        "Host": str(record.get("process", {}).get("host", "unknown")),
        "System": str(record.get("system", "unknown")),
        "Platform": str(outputs["platform"]) + (f": {reason}" if reason else ""),
        "Device": f"{outputs.get('device', 'unknown')}{driver}",
        "Precision": str(outputs.get("precision", "")),
        "Threads": str(outputs.get("threads", "")),
        **({"Platforms in turn": "; ".join(several)} if len(several) > 1 else {}),
        "Python": str(record.get("python", "unknown")),
        "Packages": ", ".join(f"{name} {version}" for name, version in packages.items()),
    }
