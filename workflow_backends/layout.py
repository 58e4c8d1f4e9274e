"""How to divide a machine among workers, by measuring."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from workflow_backends.assignment import devices_in_sight
from workflow_backends.errors import PlatformUnavailableError
from workflow_backends.machine import available_cpus
from workflow_backends.platforms import PlatformChoice, select_platform
from workflow_backends.resources import ComputeResources, whole_number
from workflow_backends.speed import measure_speed

__all__ = ["Layout", "measure_layouts"]

_ATOMS_A_MOLECULE = 3
_SHARES = (1, 2, 4, 8)  # workers on one GPU


@dataclass(frozen=True)
class Layout:
    """So many workers of a kind, and how much they simulate.

    Parameters
    ----------
    number_of_workers, resources_per_worker, workers_per_gpu
        As for ParslLocalBackend.
    ns_per_day
        Of all workers together, each with a box of water of the size in question.
    """

    number_of_workers: int
    resources_per_worker: ComputeResources
    workers_per_gpu: int
    ns_per_day: float

    def __str__(self) -> str:
        sharing = f", workers_per_gpu={self.workers_per_gpu}" if self.workers_per_gpu > 1 else ""
        return (
            f"{self.number_of_workers} x {self.resources_per_worker}{sharing}: {self.ns_per_day:.3g} ns/day"
        )


def measure_layouts(number_of_atoms: int = 1000, *, seconds: float = 2.0) -> list[Layout]:
    """Measure what layouts of workers simulate on this machine, all workers of a layout at the same time.

    On CPUs: one worker with all threads, two with half of them, ... On GPUs: one, two, four and eight
    workers on the first, times the number of GPUs.

    Parameters
    ----------
    number_of_atoms
        Of the systems to be simulated.
    seconds
        For which each layout is measured.

    Returns
    -------
    list of Layout
        The best first.

    Raises
    ------
    InvalidResourcesError
        A number of atoms that is not allowed.
    """
    molecules = max(1, whole_number("number_of_atoms", number_of_atoms, minimum=1) // _ATOMS_A_MOLECULE)
    layouts = []
    for layout, choice, copies in [*_on_cpus(), *_on_gpus()]:
        at_once = max(1, layout.number_of_workers // copies)
        measured = measure_speed([choice] * at_once, molecules, seconds)
        if not isinstance(measured, str):  # too many for the GPU's memory, for example
            layouts.append(replace(layout, ns_per_day=sum(measured) * copies))
    return sorted(layouts, key=lambda layout: -layout.ns_per_day)


def _on_cpus() -> Iterator[tuple[Layout, PlatformChoice, int]]:
    cpus = available_cpus()
    powers = [2**n for n in range(cpus.bit_length()) if 2**n < cpus]
    for threads in [*powers, cpus]:
        resources = ComputeResources(number_of_threads=threads)
        yield Layout(cpus // threads, resources, 1, 0.0), select_platform(resources), 1


def _on_gpus() -> Iterator[tuple[Layout, PlatformChoice, int]]:
    try:
        choice = select_platform(ComputeResources(number_of_gpus=1))
    except PlatformUnavailableError:
        return
    cpus, gpus = available_cpus(), max(1, len(devices_in_sight(choice, os.environ, any_device=False)))
    for share in _SHARES:
        if share * gpus <= cpus:
            resources = ComputeResources(max(1, cpus // (share * gpus)), 1, choice.name)
            yield Layout(share * gpus, resources, share, 0.0), choice, gpus
