"""One backend for each kind of scheduler."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow_backends.errors import EngineError, InvalidResourcesError
from workflow_backends.machine import RUN_VARIABLE, run_mark
from workflow_backends.parsl_engine.cluster import ParslQueueBackend
from workflow_backends.parsl_engine.commands import SchedulerError, ask
from workflow_backends.parsl_engine.mapping import (
    GridEngineSite,
    KubernetesSite,
    grid_engine_script,
    kubernetes_manifest,
    lsf_script,
    pbs_script,
    slurm_script,
)
from workflow_backends.parsl_engine.network import worker_address
from workflow_backends.parsl_engine.request import Job, JobRequest, check_word
from workflow_backends.parsl_engine.schedulers import GRID_ENGINE, LSF, PBS, SLURM, Scheduler, kubernetes
from workflow_backends.resources import QueueWorkerResources

__all__ = [
    "ParslGridEngineBackend",
    "ParslKubernetesBackend",
    "ParslLSFBackend",
    "ParslPBSBackend",
    "ParslSlurmBackend",
    "slurm_address",
]


_POD_ENTRIES = {"activeDeadlineSeconds", "containers", "restartPolicy", "volumes"}


class ParslSlurmBackend(ParslQueueBackend):
    """Workers in jobs of SLURM; see ParslQueueBackend.

    Parameters
    ----------
    **settings
        As for ParslQueueBackend. Where all nodes of the cluster are this machine, workers call back to its
        loopback unless `interface` says otherwise. Of a job with several nodes, ``srun`` starts the workers.
    """

    _several_nodes = True

    @property
    def _scheduler(self) -> Scheduler:
        return SLURM

    def _render(self, request: JobRequest, job: Job) -> str:
        return slurm_script(request, job)

    def _address(self) -> str:
        return slurm_address(self._interface)


class ParslPBSBackend(ParslQueueBackend):
    """Workers in jobs of PBS Pro or OpenPBS; see ParslQueueBackend."""

    @property
    def _scheduler(self) -> Scheduler:
        return PBS

    def _render(self, request: JobRequest, job: Job) -> str:
        return pbs_script(request, job)


class ParslLSFBackend(ParslQueueBackend):
    """Workers in jobs of LSF; see ParslQueueBackend."""

    @property
    def _scheduler(self) -> Scheduler:
        return LSF

    def _render(self, request: JobRequest, job: Job) -> str:
        return lsf_script(request, job)


class ParslGridEngineBackend(ParslQueueBackend):
    """Workers in jobs of Grid Engine; see ParslQueueBackend.

    Parameters
    ----------
    parallel_environment, memory_resource, gpu_resource
        The site's names; see `mapping.GridEngineSite`.
    **settings
        As for ParslQueueBackend.
    """

    @property
    def _scheduler(self) -> Scheduler:
        return GRID_ENGINE

    def __init__(
        self,
        minimum_number_of_workers: int = 0,
        maximum_number_of_workers: int = 1,
        resources_per_worker: QueueWorkerResources | None = None,
        queue_name: str | None = None,
        *,
        parallel_environment: str = "smp",
        memory_resource: str = "h_vmem",
        gpu_resource: str = "gpu",
        **settings: Any,
    ) -> None:
        self._site = GridEngineSite(parallel_environment, memory_resource, gpu_resource)
        for name, value in vars(self._site).items():
            check_word(name, value)
        super().__init__(
            *(minimum_number_of_workers, maximum_number_of_workers, resources_per_worker, queue_name),
            **settings,
        )

    def _render(self, request: JobRequest, job: Job) -> str:
        return grid_engine_script(request, job, self._site)


class ParslKubernetesBackend(ParslQueueBackend):
    """Workers in pods of Kubernetes, made and watched with its Python client; see ParslQueueBackend.

    Parameters
    ----------
    image
        Of the containers, with bash, this package and the Parsl and Python of this machine.
    volumes
        Where each persistent volume claim is mounted, by the claim's name. The run's directory must be on one
        of them, under the same path here.
    queue_name
        A local queue of Kueue.
    namespace
        Of the pods.
    gpu_resource
        The name of the GPUs' device plugin; by default AMD's for workers with HIP, else NVIDIA's.
    python
        The interpreter in the image.
    pod_options
        Further entries of the pods' ``spec``, such as ``{"tolerations": [...]}``.
    **settings
        As for ParslQueueBackend, but for account, extra_script_options and exclusive, which pods do not have.
    """

    _python = "python3"

    def __init__(
        self,
        minimum_number_of_workers: int = 0,
        maximum_number_of_workers: int = 1,
        resources_per_worker: QueueWorkerResources | None = None,
        queue_name: str | None = None,
        *,
        image: str,
        volumes: Mapping[str, str],
        namespace: str = "default",
        gpu_resource: str | None = None,
        python: str = "python3",
        pod_options: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        for name in ("account", "extra_script_options", "exclusive"):
            if settings.get(name):
                raise InvalidResourcesError(f"{name}: pods have no such thing; use pod_options")
        if ours := _POD_ENTRIES.intersection(pod_options or {}):
            raise InvalidResourcesError(f"pod_options: {min(ours)!r} is set by the backend itself")
        named = {"image": image, "namespace": namespace, "gpu_resource": gpu_resource, "python": python}
        for name, value in named.items():
            check_word(name, value)
        self._python = python
        self._site = KubernetesSite(image, namespace, dict(volumes), gpu_resource, dict(pod_options or {}))
        super().__init__(
            *(minimum_number_of_workers, maximum_number_of_workers, resources_per_worker, queue_name),
            **settings,
        )
        place = self._place()
        if not any(place.is_relative_to(mounted) for mounted in self._site.volumes.values()):
            raise InvalidResourcesError(
                f"directory: {str(place)!r} is on none of the volumes, which are mounted at"
                f" {', '.join(self._site.volumes.values()) or 'no path'}"
            )

    @property
    def _scheduler(self) -> Scheduler:
        return kubernetes(self._site.namespace)

    def _render(self, request: JobRequest, job: Job) -> str:
        return kubernetes_manifest(request, job, self._site)

    def _environment(self, directory: Path) -> dict[str, str]:
        return {RUN_VARIABLE: run_mark(directory)}  # what is imported is in the image

    def _work_directory(self) -> Path:
        return self._place()


def slurm_address(interface: str | None) -> str:
    """Return the address that workers call back to: the loopback's where all nodes are this machine.

    Raises
    ------
    EngineError
        SLURM does not answer.
    InvalidResourcesError
        There is no such interface.
    """
    if interface is None:
        try:
            nodes = ask(["sinfo", "--noheader", "--Node", "--format=%o"]).split()
        except SchedulerError as error:
            raise EngineError(str(error)) from error
        if nodes and all(_is_loopback(node) for node in nodes):
            return "127.0.0.1"
    return worker_address(interface)


def _is_loopback(address: str) -> bool:
    if address == "localhost":
        return True
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:  # a name
        return False
