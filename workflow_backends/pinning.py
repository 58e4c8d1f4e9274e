"""Which of a machine's devices a worker gets, and the variables that show it no others."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

__all__ = [
    "GPU_VARIABLE",
    "MASKS",
    "SCHEDULERS_MASKS",
    "mig_slices",
    "own_positions",
    "pool_positions",
    "pool_variable",
    "worker_variables",
]

GPU_VARIABLE = "WORKFLOW_BACKENDS_GPUS"  # "CUDA:0,2": places, among the devices in sight, of those to use
MASKS = {"CUDA": "CUDA_VISIBLE_DEVICES", "HIP": "HIP_VISIBLE_DEVICES"}
SCHEDULERS_MASKS = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
T = TypeVar("T")
_IDENTIFIER = re.compile(r"\d+|(GPU|MIG)-\S+", re.IGNORECASE)


def pool_variable(toolkit: str, positions: Sequence[int]) -> dict[str, str]:
    """Return the variable that gives a pool of workers its devices."""
    return {GPU_VARIABLE: f"{toolkit}:{','.join(map(str, positions))}"}


def pool_positions(numbers: Sequence[int]) -> Iterator[range]:
    """Yield the devices of pools that need so many, one pool after the other."""
    ends = list(itertools.accumulate(numbers, initial=0))
    return (range(first, last) for first, last in itertools.pairwise(ends))


def own_positions(toolkit: str, environment: Mapping[str, str]) -> list[int] | None:
    """Return the places of the devices that are this process's; None if all in sight are."""
    owner, _, positions = environment.get(GPU_VARIABLE, "").partition(":")
    return [int(place) for place in positions.split(",")] if positions and owner == toolkit else None


def mig_slices(environment: Mapping[str, str]) -> list[str]:
    """Return the slices of MIG that CUDA's mask lists; CUDA itself shows a process the first one only."""
    listed = _identifiers(environment.get(MASKS["CUDA"], ""))
    return listed if all(name.upper().startswith("MIG-") for name in listed) else []


def worker_variables(rank: int, gpus: int, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that show a worker its own devices and no others.

    Workers take devices in turn; where there are more workers than devices, they share.

    Parameters
    ----------
    rank
        The worker's number among those with this environment.
    gpus
        How many devices it owns.
    environment
        Of the process that starts it, as the backend, a scheduler or the user made it.

    Returns
    -------
    dict
        To be added to the environment. Identifiers of a mask, UUIDs too, stay as they are.
    """
    if gpus == 0:
        return {}
    toolkit = environment.get(GPU_VARIABLE, "").partition(":")[0]
    positions = own_positions(toolkit, environment)
    if positions is None:
        masks = ((name, _identifiers(environment[name])) for name in SCHEDULERS_MASKS if name in environment)
        return {name: ",".join(_share(seen, rank, gpus)) for name, seen in masks if len(seen) > gpus}
    own = _share(positions, rank, gpus)
    mask = MASKS.get(toolkit)
    if mask is None:
        return pool_variable(toolkit, own)
    seen = _identifiers(environment[mask]) if mask in environment else None
    return {mask: ",".join(str(place) if seen is None else seen[place] for place in own), GPU_VARIABLE: ""}


def _share(devices: Sequence[T], rank: int, gpus: int) -> Sequence[T]:
    first = rank % max(1, len(devices) // gpus) * gpus
    return devices[first : first + gpus]


def _identifiers(mask: str) -> list[str]:
    """Return what a mask lists, up to the first entry that is no device, as CUDA reads it."""
    entries = (entry.strip() for entry in mask.split(","))
    return list(itertools.takewhile(_IDENTIFIER.fullmatch, entries))
