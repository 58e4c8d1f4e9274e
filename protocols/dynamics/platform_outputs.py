"""What every protocol that computes with OpenMM says of where it did so."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import openmm

from protocols.dynamics.failures import read_incidents
from protocols.dynamics.segments import Segment
from protocols.graphs.protocol import Protocol
from workflow_backends.platforms import PlatformChoice
from workflow_backends.resources import ComputeResources

__all__ = ["PlatformOutputs", "about_platform", "describe_platform"]


class PlatformOutputs(Protocol.Outputs):
    """Where it was computed, and how that went; where it went on elsewhere, where it ended.

    Parameters
    ----------
    platform, platform_reason
        The OpenMM platform, and why this one.
    device, driver
        The names of the devices, and their driver's version; the CPU's name, and no driver.
    precision
        "single", "mixed" or "double".
    threads
        CPU threads that it could use.
    openmm_version
        Of OpenMM.
    incidents
        What went wrong and was overcome: when, where, what.
    platforms
        Each platform, with device, driver and precision, that its numbers are from, in the order of use.
    """

    platform: str
    platform_reason: str
    device: str
    driver: str
    precision: str
    threads: int
    openmm_version: str
    incidents: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()  # none in results that were kept before they were noted


def describe_platform(choice: PlatformChoice) -> str:
    """Return a platform with its device, driver and precision, in words."""
    driver = f", driver {choice.driver}" if choice.driver else ""
    return f"{choice.name} ({choice.device}{driver}), {choice.precision} precision"


def about_platform(
    choice: PlatformChoice,
    resources: ComputeResources,
    directory: Path,
    segments: Iterable[Segment] = (),
) -> dict[str, Any]:
    """Return the fields of PlatformOutputs.

    Parameters
    ----------
    choice
        The platform that was used.
    resources
        Of the worker.
    directory
        Of the protocol, where incidents were noted.
    segments
        That it has, which may be of several platforms.
    """
    return {
        "platform": choice.name,
        "platform_reason": choice.reason,
        "device": choice.device,
        "driver": choice.driver,
        "precision": choice.precision,
        "threads": 1 if choice.name == "Reference" else resources.number_of_threads,
        "openmm_version": openmm.Platform.getOpenMMVersion(),
        "incidents": read_incidents(directory),
        "platforms": tuple(dict.fromkeys(segment.platform for segment in segments))
        or (describe_platform(choice),),
    }
