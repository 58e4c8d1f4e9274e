"""From what a worker owns to Parsl's settings and the whole text of a job, for every scheduler.

All functions are pure: they submit nothing and ask nobody.
"""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from workflow_backends.block import END_VARIABLE
from workflow_backends.parsl_engine.request import Job, JobRequest
from workflow_backends.resources import GPUToolkit

__all__ = [
    "GridEngineSite",
    "KubernetesSite",
    "executor_settings",
    "grid_engine_script",
    "kubernetes_manifest",
    "lsf_script",
    "pbs_script",
    "slurm_script",
]

_MIB = 2**20
_PRODUCT_LABELS = {"amd.com/gpu": "amd.com/gpu.product-name"}  # of the node labeller; others have .product


def executor_settings(request: JobRequest) -> dict[str, Any]:
    """Return the settings of Parsl's HighThroughputExecutor under which a node runs the asked-for workers."""
    return {
        "max_workers_per_node": request.workers_per_node,
        "cores_per_worker": 1e-6,  # Parsl would otherwise start fewer workers than were asked for
        "prefetch_capacity": 0,  # a task that waits in one job could run in another
    }


def slurm_script(request: JobRequest, job: Job) -> str:
    """Return the script for sbatch; its memory is in MiB a node, its time in whole minutes."""
    gpus = ":".join(filter(None, ("gpu", request.gpu_type, str(request.gpus))))
    options = [
        f"--job-name={job.name}",
        f"--output={job.stem}.out",
        f"--error={job.stem}.err",
        f"--nodes={request.nodes_per_job}",
        "--ntasks-per-node=1",
        f"--cpus-per-task={request.cpus}",
        f"--mem={_mebibytes(request.memory)}M",
        f"--time={_hours(_minutes(request) * 60)}",
        "--no-requeue",  # a lost job is replaced by another
        *_given("--partition=", request.queue_name),
        *_given("--account=", request.account),
        *([f"--gres={gpus}"] if request.gpus else []),
        *(["--exclusive"] if request.exclusive else []),
        *request.extra_script_options,
    ]
    nodes = request.nodes_per_job
    step = f"srun --nodes={nodes} --ntasks={nodes} --ntasks-per-node=1 --cpus-per-task={request.cpus} "
    return _script("#SBATCH", options, request, job, launcher=step if nodes > 1 else "")


def pbs_script(request: JobRequest, job: Job) -> str:
    """Return the script for qsub of PBS Pro and OpenPBS; their mb is a MiB, their time is in seconds."""
    chunk = [
        f"select=1:ncpus={request.cpus}",
        f"mem={_mebibytes(request.memory)}mb",
        *([f"ngpus={request.gpus}"] if request.gpus else []),
        *_given("gpu_type=", request.gpu_type),
    ]
    options = [
        "-S /bin/bash",
        f"-N {job.name}",
        f"-o {job.stem}.out",
        f"-e {job.stem}.err",
        f"-l {':'.join(chunk)}",
        f"-l walltime={_hours(_seconds(request))}",
        "-r n",
        *_given("-q ", request.queue_name),
        *_given("-A ", request.account),
        *(["-l place=excl"] if request.exclusive else []),
        *request.extra_script_options,
    ]
    return _script("#PBS", options, request, job)


def lsf_script(request: JobRequest, job: Job) -> str:
    """Return the script for bsub; its memory is in MB of 2**20 bytes a job, its time in whole minutes."""
    minutes = _minutes(request)
    memory = f"{_mebibytes(request.memory)}MB"
    gpus = ":".join([f"num={request.gpus}", *_given("gmodel=", request.gpu_type), "j_exclusive=yes"])
    options = [
        f"-J {job.name}",
        f"-o {job.stem}.out",
        f"-e {job.stem}.err",
        f"-n {request.cpus}",
        '-R "span[hosts=1]"',
        f'-R "rusage[mem={memory}]"',
        f"-M {memory}",
        f"-W {minutes // 60:02d}:{minutes % 60:02d}",
        "-rn",
        *_given("-q ", request.queue_name),
        *_given("-P ", request.account),
        *([f'-gpu "{gpus}"'] if request.gpus else []),
        *(["-x"] if request.exclusive else []),
        *request.extra_script_options,
    ]
    return _script("#BSUB", options, request, job)


@dataclass(frozen=True)
class GridEngineSite:
    """The names that a site of Grid Engine gives to things that have none of their own.

    Parameters
    ----------
    parallel_environment
        For several slots on one host.
    memory_resource
        The memory of a slot.
    gpu_resource
        The number of GPUs.
    """

    parallel_environment: str = "smp"
    memory_resource: str = "h_vmem"
    gpu_resource: str = "gpu"


def grid_engine_script(request: JobRequest, job: Job, site: GridEngineSite) -> str:
    """Return the script for qsub of Grid Engine; its M is a MiB a slot, its time is in seconds."""
    memory = _mebibytes(int(request.resources.per_thread_memory_limit))
    options = [
        "-S /bin/bash",
        f"-N {job.name}",
        f"-o {job.stem}.out",
        f"-e {job.stem}.err",
        *([f"-pe {site.parallel_environment} {request.cpus}"] if request.cpus > 1 else []),
        f"-l {site.memory_resource}={memory}M",
        f"-l h_rt={_hours(_seconds(request))}",
        "-r n",
        *_given("-q ", request.queue_name),
        *_given("-P ", request.account),
        *([f"-l {site.gpu_resource}={request.gpus}"] if request.gpus else []),
        *_given(f"-l {site.gpu_resource}_type=", request.gpu_type),
        *(["-l exclusive=true"] if request.exclusive else []),
        *request.extra_script_options,
    ]
    return _script("#$", options, request, job)


@dataclass(frozen=True)
class KubernetesSite:
    """What a pod needs beside resources.

    Parameters
    ----------
    image
        With this package inside.
    namespace
        Of the pods.
    volumes
        Where each persistent volume claim is mounted; the run's directory must be on one of them.
    gpu_resource
        The name of the device plugin's resource; None for that of the workers' toolkit.
    pod_options
        Further entries of the pod's ``spec``.
    """

    image: str
    namespace: str
    volumes: dict[str, str]
    gpu_resource: str | None
    pod_options: dict[str, Any]


def kubernetes_manifest(request: JobRequest, job: Job, site: KubernetesSite) -> str:
    """Return the manifest of a pod; requests equal limits, so that it gets what was asked for and no more."""
    import yaml  # noqa: PLC0415  # which no other scheduler needs

    pod_name = f"{job.name}-{job.stem.rpartition('/')[2]}"
    amounts = {"cpu": str(request.cpus), "memory": f"{_mebibytes(request.memory)}Mi"}
    hip = request.resources.preferred_gpu_toolkit is GPUToolkit.HIP
    gpu = site.gpu_resource or ("amd.com/gpu" if hip else "nvidia.com/gpu")
    if request.gpus:
        amounts[gpu] = str(request.gpus)
    labels = {"workflow-backends/run": job.name}
    if request.queue_name is not None:
        labels["kueue.x-k8s.io/queue-name"] = request.queue_name
    container = {
        "name": "workers",
        "image": site.image,
        "command": ["/bin/bash", "-c", _body(request, job)],
        "resources": {"requests": amounts, "limits": dict(amounts)},
        "terminationMessagePolicy": "FallbackToLogsOnError",  # its last words, for the message of a failure
        "volumeMounts": [{"name": claim, "mountPath": place} for claim, place in site.volumes.items()],
    }
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": _seconds(request),
        "terminationGracePeriodSeconds": 5,
        "automountServiceAccountToken": False,  # workers talk to the script only
        "enableServiceLinks": False,
        "containers": [container],
        "volumes": [{"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim in site.volumes],
    }
    if request.gpu_type is not None:
        spec["nodeSelector"] = {_PRODUCT_LABELS.get(gpu, f"{gpu}.product"): request.gpu_type}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": pod_name, "namespace": site.namespace, "labels": labels},
        "spec": spec | site.pod_options,
    }

    class Readable(yaml.SafeDumper):  # with the script as it is, not quoted
        pass

    Readable.add_representer(
        str, lambda d, text: d.represent_scalar("tag:yaml.org,2002:str", text, "|" if "\n" in text else None)
    )
    return str(yaml.dump(pod, Dumper=Readable, sort_keys=False, width=10_000))


def _script(mark: str, options: list[str], request: JobRequest, job: Job, *, launcher: str = "") -> str:
    lines = [f"{mark} {option}" for option in options]
    return "\n".join(["#!/bin/bash", *lines, "", _body(request, job, launcher)])


def _body(request: JobRequest, job: Job, launcher: str = "") -> str:
    lines = [
        f"export {END_VARIABLE}=$(($(date +%s) + {_seconds(request)}))",  # from here on, or a little less
        "set -e",
        *(f"export {name}={shlex.quote(value)}" for name, value in job.environment.items()),
        f"cd {shlex.quote(job.work_directory)}",
        *request.setup_script_commands,
        f"exec {launcher}{job.command}",
    ]
    return "\n".join(lines) + "\n"


def _given(option: str, value: str | None) -> list[str]:
    return [] if value is None else [f"{option}{value}"]


def _mebibytes(size: int) -> int:
    return -(-size // _MIB)


def _seconds(request: JobRequest) -> int:
    limit: timedelta = request.resources.wallclock_time_limit
    return math.ceil(limit.total_seconds())


def _minutes(request: JobRequest) -> int:
    return -(-_seconds(request) // 60)


def _hours(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
