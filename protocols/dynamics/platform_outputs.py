"""What every protocol that computes with OpenMM says of where it did so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openmm

from protocols.dynamics.failures import read_incidents
from protocols.graphs.protocol import Protocol
from workflow_backends.platforms import PlatformChoice
from workflow_backends.resources import ComputeResources

__all__ = ["PlatformOutputs", "about_platform"]


class PlatformOutputs(Protocol.Outputs):
    """Where it was computed, and how that went.

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
    """

    platform: str
    platform_reason: str
    device: str
    driver: str
    precision: str
    threads: int
    openmm_version: str
    incidents: tuple[str, ...] = ()


def about_platform(choice: PlatformChoice, resources: ComputeResources, directory: Path) -> dict[str, Any]:
    """Return the fields of PlatformOutputs.

    Parameters
    ----------
    choice
        The platform that was used.
    resources
        Of the worker.
    directory
        Of the protocol, where incidents were noted.
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
    }
