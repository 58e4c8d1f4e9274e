"""The integrators of the settings, and the Nose-Hoover chain that one of them keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree

import openmm

from protocols.settings import DynamicsSettings, Integrator

__all__ = ["chain_in", "chain_of", "new_integrator", "restore_chain"]

_INTEGRATORS: Mapping[Integrator, Any] = {
    "LangevinMiddle": openmm.LangevinMiddleIntegrator,
    "NoseHoover": openmm.NoseHooverIntegrator,
}


def new_integrator(dynamics: DynamicsSettings, temperature: float) -> Any:
    """Return the OpenMM integrator of these settings at a temperature in kelvin."""
    friction = float(dynamics.friction.to("1/ps").magnitude)
    timestep = float(dynamics.timestep.to("ps").magnitude)
    return _INTEGRATORS[dynamics.integrator](temperature, friction, timestep)


def chain_of(context: Any) -> str:
    """Return a Context's chain as a serialised OpenMM State."""
    return str(openmm.XmlSerializer.serialize(context.getState(integratorParameters=True)))


def chain_in(state: str) -> str:
    """Return what `chain_of` would of a serialised State; empty if there is no chain in it."""
    root = ElementTree.fromstring(state)
    if root.find("IntegratorParameters/Chain") is None:
        return ""
    for element in list(root):
        if element.tag not in {"PeriodicBoxVectors", "IntegratorParameters"}:
            root.remove(element)
    return ElementTree.tostring(root, encoding="unicode")


def restore_chain(context: Any, chain: str) -> None:
    """Give a new Context the chain that `chain_of` returned; it stays at rest where that is empty."""
    if chain:
        context.setState(openmm.XmlSerializer.deserialize(chain))
        context.setStepCount(0)
        context.setTime(0)
