"""Which devices of this machine each pool of workers gets, proven before the workers start."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from workflow_backends.engine import Pool
from workflow_backends.errors import InvalidResourcesError
from workflow_backends.pinning import (
    mig_slices,
    own_positions,
    pool_positions,
    pool_variable,
    worker_variables,
)
from workflow_backends.platforms import GPU_PLATFORMS, PlatformChoice, opencl_candidates, select_platform
from workflow_backends.probing import find_devices
from workflow_backends.resources import GPUToolkit

__all__ = ["assign_devices", "devices_in_sight"]


def assign_devices(
    pools: Mapping[str, Pool], environment: Mapping[str, str], workers_per_gpu: int
) -> dict[str, dict[str, str]]:
    """Return the variables that give each pool its devices; no two pools share one.

    Parameters
    ----------
    pools
        By name.
    environment
        Of this process, and of the probes.
    workers_per_gpu
        How many workers share a device.

    Raises
    ------
    PlatformUnavailableError
        A platform does not work here, or not on every device that was assigned.
    InvalidResourcesError
        More devices were asked for than there are.
    """
    choices = {
        name: select_platform(pool.resources, environment=environment)
        for name, pool in pools.items()
        if pool.resources.number_of_gpus or pool.resources.platform
    }
    variables: dict[str, dict[str, str]] = {name: {} for name in pools}
    for toolkit in GPU_PLATFORMS:
        owners = {
            name: pool
            for name, pool in pools.items()
            if pool.resources.number_of_gpus and choices[name].name == toolkit
        }
        if owners:
            any_device = any(
                pool.resources.preferred_gpu_toolkit != GPUToolkit.auto for pool in owners.values()
            )
            seen = devices_in_sight(choices[next(iter(owners))], environment, any_device=any_device)
            variables |= _divided(toolkit, owners, seen, workers_per_gpu)
    for name, shown in variables.items():
        if shown:
            _prove(pools[name], {**environment, **shown})
    return variables


def devices_in_sight(
    choice: PlatformChoice, environment: Mapping[str, str], *, any_device: bool
) -> dict[int, str]:
    """Return the devices like the chosen one that this process may use: their names by place.

    A task of a worker, which may start a backend as well, has what its worker was given. Places count the
    devices in sight, as `pinning.pool_variable` takes them; `any_device` counts CPUs under OpenCL as well.
    """
    devices = find_devices(choice.name, environment)
    if choice.name == "OpenCL":
        groups = opencl_candidates(devices, any_device=any_device)
        index = int(choice.properties["OpenCLPlatformIndex"])
        devices = next(group for group in groups if group[0].platform_index == index)
    if choice.name == "CUDA" and (slices := mig_slices(environment)):
        return dict(enumerate(slices))
    own = own_positions(choice.name, environment)
    return {place: device.name for place, device in enumerate(devices) if own is None or place in own}


def _divided(
    toolkit: str, owners: Mapping[str, Pool], seen: Mapping[int, str], workers_per_gpu: int
) -> dict[str, dict[str, str]]:
    numbers = [
        math.ceil(pool.number_of_workers / workers_per_gpu) * pool.resources.number_of_gpus
        for pool in owners.values()
    ]
    if not seen:  # the platform works, and its driver does not say on how many devices
        return {name: {} for name in owners}
    if sum(numbers) > len(seen):
        raise InvalidResourcesError(
            f"number_of_workers x number_of_gpus: {sum(numbers)} devices of {toolkit} were asked for, this"
            f" process may use {len(seen)} ({', '.join(seen.values())}); ask for fewer, or let workers share"
            " with workers_per_gpu"
        )
    if all(pool.resources.number_of_gpus == len(seen) for pool in owners.values()):  # nothing to divide
        return {name: {} for name in owners}
    places = list(seen)
    return {
        name: pool_variable(toolkit, [places[position] for position in positions])
        for name, positions in zip(owners, pool_positions(numbers), strict=True)
    }


def _prove(pool: Pool, environment: Mapping[str, str]) -> None:
    """Try the platform on the devices of every worker, all at once."""
    shown = [
        worker_variables(rank, pool.resources.number_of_gpus, environment)
        for rank in range(pool.number_of_workers)
    ]
    distinct = [variables for n, variables in enumerate(shown) if variables not in shown[:n]]
    with ThreadPoolExecutor(len(distinct)) as threads:
        tries = [
            threads.submit(select_platform, pool.resources, environment={**environment, **variables})
            for variables in distinct
        ]
    for attempt in tries:
        attempt.result()
