"""The devices of workers whom neither a backend nor a scheduler told which are theirs."""

from __future__ import annotations

from collections.abc import Mapping

from workflow_backends.pinning import GPU_VARIABLE, SCHEDULERS_MASKS, pool_variable
from workflow_backends.platforms import GPU_PLATFORMS, opencl_candidates
from workflow_backends.probing import find_devices
from workflow_backends.resources import ComputeResources, GPUToolkit

__all__ = ["unmasked_devices"]


def unmasked_devices(resources: ComputeResources, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variable that gives a node's workers all devices in sight; `worker_variables` divides them.

    It is needed in a pod, on some sites of Grid Engine, and with a user's own Parsl.

    Parameters
    ----------
    resources
        Of one worker.
    environment
        Of the process that starts it.

    Returns
    -------
    dict
        Empty where something says which devices are whose, or a worker owns all that are in sight.
    """
    told = GPU_VARIABLE in environment or any(mask in environment for mask in SCHEDULERS_MASKS)
    if told or resources.number_of_gpus == 0:
        return {}
    toolkit = resources.platform if resources.platform in GPU_PLATFORMS else resources.preferred_gpu_toolkit
    for name in GPU_PLATFORMS if toolkit == GPUToolkit.auto else [str(toolkit)]:
        devices = find_devices(name, environment)
        if name == "OpenCL":
            groups = opencl_candidates(devices, any_device=toolkit == GPUToolkit.OpenCL)
            devices = groups[0] if groups else []
        if len(devices) > resources.number_of_gpus:
            return pool_variable(name, range(len(devices)))
        if devices:
            break
    return {}
