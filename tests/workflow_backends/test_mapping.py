"""The whole text of jobs; ``python tests/workflow_backends/test_mapping.py`` writes it anew."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from workflow_backends import QueueWorkerResources
from workflow_backends.errors import InvalidResourcesError
from workflow_backends.parsl_engine.mapping import (
    GridEngineSite,
    KubernetesSite,
    executor_settings,
    grid_engine_script,
    kubernetes_manifest,
    lsf_script,
    pbs_script,
    slurm_script,
)
from workflow_backends.parsl_engine.request import Job, JobRequest

_JOBS = Path(__file__).parent / "jobs"
_POD = KubernetesSite("ghcr.io/us/image:1", "chemistry", {"scratch": "/scratch"}, None, {})
_SCHEDULERS: dict[str, Callable[[JobRequest, Job], str]] = {
    "slurm": slurm_script,
    "pbs": pbs_script,
    "lsf": lsf_script,
    "grid-engine": lambda request, job: grid_engine_script(request, job, GridEngineSite()),
    "kubernetes": lambda request, job: kubernetes_manifest(request, job, _POD),
}
_CASES = {
    "cpu": JobRequest(QueueWorkerResources(2)),
    "one-gpu": JobRequest(
        QueueWorkerResources(4, 1), queue_name="gpu", account="chem-12", gpu_type="a100", exclusive=False
    ),
    "four-gpus": JobRequest(QueueWorkerResources(16, 4, per_thread_memory_limit="1 GiB"), exclusive=True),
    "two-days": JobRequest(QueueWorkerResources(wallclock_time_limit=timedelta(days=2, seconds=20.5))),
    "odd-memory": JobRequest(QueueWorkerResources(3, per_thread_memory_limit="1500.5 MB")),
    "several-workers": JobRequest(
        QueueWorkerResources(2, 1),
        workers_per_node=4,
        setup_script_commands=["module load cuda/12.4", "source '/opt/conda/bin/activate' openmm"],
        extra_script_options=["--comment=water"],
    ),
}
_COMMAND = "'/opt/conda/bin/python' -P -m workflow_backends.parsl_engine.pool --max_workers_per_node={}"


def _text(scheduler: str, case: str) -> str:
    request = _CASES[case]
    environment = {"WORKFLOW_BACKENDS_RUN": "42:/scratch/run", "SPACED": "a b"}
    command = _COMMAND.format(executor_settings(request)["max_workers_per_node"])
    return _SCHEDULERS[scheduler](
        request, Job("wb-0a1b2c3d4e", "/scratch/run/jobs/block-0", "/scratch/my work", environment, command)
    )


def _golden(scheduler: str, case: str) -> Path:
    return _JOBS / f"{scheduler}-{case}.{'yaml' if scheduler == 'kubernetes' else 'sh'}"


@pytest.mark.parametrize("case", _CASES)
@pytest.mark.parametrize("scheduler", _SCHEDULERS)
def test_the_text_of_a_job(scheduler: str, case: str) -> None:
    assert _text(scheduler, case) == _golden(scheduler, case).read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(_JOBS.glob("*.sh")), ids=lambda path: path.stem)
def test_a_script_is_one_that_bash_can_read(path: Path) -> None:
    subprocess.run(["bash", "-n", path], check=True)
    lines = path.read_text(encoding="utf-8").splitlines()
    last_option = max(i for i, line in enumerate(lines) if line.startswith("#"))
    assert all(line.startswith("#") for line in lines[:last_option])  # a scheduler stops at the first command


@pytest.mark.parametrize("path", sorted(_JOBS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_pod_requests_what_limits_it(path: Path) -> None:
    [container] = yaml.safe_load(path.read_text(encoding="utf-8"))["spec"]["containers"]
    assert container["resources"]["requests"] == container["resources"]["limits"]
    subprocess.run(["bash", "-n", "-c", container["command"][2]], check=True)


# What the files must say, apart from how they say it: CPUs, memory and time of a job, by hand.
_ASKED = {
    ("slurm", "cpu"): ["--cpus-per-task=2", "--mem=3815M", "--time=05:00:00"],
    ("slurm", "one-gpu"): ["--cpus-per-task=4", "--gres=gpu:a100:1", "--account=chem-12", "--partition=gpu"],
    ("slurm", "four-gpus"): ["--cpus-per-task=16", "--mem=16384M", "--gres=gpu:4", "--exclusive"],
    ("slurm", "two-days"): ["--time=48:01:00"],
    ("slurm", "odd-memory"): ["--cpus-per-task=3", "--mem=4293M"],
    ("slurm", "several-workers"): ["--cpus-per-task=8", "--gres=gpu:4", "--mem=15259M", "node=4"],
    ("pbs", "one-gpu"): ["select=1:ncpus=4:mem=7630mb:ngpus=1:gpu_type=a100", "-q gpu", "-A chem-12"],
    ("pbs", "two-days"): ["walltime=48:00:21"],
    ("pbs", "four-gpus"): ["select=1:ncpus=16:mem=16384mb:ngpus=4", "place=excl"],
    ("pbs", "several-workers"): ["select=1:ncpus=8:mem=15259mb:ngpus=4"],
    ("lsf", "two-days"): ["-W 48:01"],
    ("lsf", "odd-memory"): ["-n 3", "-M 4293MB", '"rusage[mem=4293MB]"'],
    ("lsf", "one-gpu"): ['-gpu "num=1:gmodel=a100:j_exclusive=yes"', "-P chem-12"],
    ("grid-engine", "cpu"): ["-pe smp 2", "-l h_vmem=1908M", "-l h_rt=05:00:00"],
    ("grid-engine", "odd-memory"): ["-pe smp 3", "-l h_vmem=1431M"],
    ("grid-engine", "several-workers"): ["-pe smp 8", "-l gpu=4"],
    ("kubernetes", "odd-memory"): ["memory: 4293Mi", "cpu: '3'"],
    ("kubernetes", "two-days"): ["activeDeadlineSeconds: 172821"],
    ("kubernetes", "one-gpu"): ["nvidia.com/gpu: '1'", "nvidia.com/gpu.product: a100"],
}


@pytest.mark.parametrize(("scheduler", "case"), _ASKED)
def test_what_is_asked_of_the_scheduler(scheduler: str, case: str) -> None:
    text = _golden(scheduler, case).read_text(encoding="utf-8")
    assert [asked for asked in _ASKED[scheduler, case] if asked not in text] == []


def test_a_job_of_several_nodes_of_slurm() -> None:
    request = JobRequest(QueueWorkerResources(2), workers_per_node=3, nodes_per_job=4)
    text = slurm_script(request, Job("wb-1", "/s/block-0", "/s", {}, "COMMAND"))
    assert "#SBATCH --nodes=4\n#SBATCH --ntasks-per-node=1\n#SBATCH --cpus-per-task=6\n" in text
    assert "\nexec srun --nodes=4 --ntasks=4 --ntasks-per-node=1 --cpus-per-task=6 COMMAND\n" in text
    assert request.workers_per_job == 12


def test_gpus_of_a_pod_are_those_of_the_toolkit_unless_named() -> None:
    request = JobRequest(QueueWorkerResources(1, 2, "HIP"), gpu_type="AMD_Instinct_MI300X_OAM")
    job = Job("wb-1", "/s/block-0", "/s", {}, "COMMAND")
    pod = yaml.safe_load(kubernetes_manifest(request, job, _POD))
    assert pod["spec"]["containers"][0]["resources"]["limits"]["amd.com/gpu"] == "2"
    assert pod["spec"]["nodeSelector"] == {"amd.com/gpu.product-name": "AMD_Instinct_MI300X_OAM"}
    slices = replace(_POD, gpu_resource="nvidia.com/mig-1g.5gb", pod_options={"tolerations": [{}]})
    pod = yaml.safe_load(kubernetes_manifest(request, job, slices))
    assert pod["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/mig-1g.5gb"] == "2"
    assert pod["spec"]["tolerations"] == [{}]


_RESOURCES = QueueWorkerResources()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"resources": 3}, "resources_per_worker: 3"),
        ({"workers_per_node": 0}, "workers_per_node: 0"),
        ({"nodes_per_job": 1.5}, "nodes_per_job: 1.5"),
        ({"queue_name": "gpu\n#SBATCH --mem=1"}, "queue_name:"),
        ({"account": ""}, "account: ''"),
        ({"gpu_type": "a100"}, "gpu_type: 'a100' was given for workers without GPUs"),
        ({"exclusive": "no"}, "exclusive: 'no'"),
        ({"setup_script_commands": "module load cuda"}, "setup_script_commands: 'module load cuda'"),
        ({"setup_script_commands": [1]}, "setup_script_commands: 1"),
        ({"extra_script_options": ["a\nb"]}, "extra_script_options:"),
        ({"extra_script_options": ["#SBATCH --x"]}, "extra_script_options: '#SBATCH --x'"),
    ],
)
def test_what_no_script_can_hold_is_refused_by_name(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidResourcesError, match=message.replace("'", ".")):
        JobRequest(**{"resources": _RESOURCES} | settings)


if __name__ == "__main__":
    _JOBS.mkdir(exist_ok=True)
    for scheduler in _SCHEDULERS:
        for case in _CASES:
            _golden(scheduler, case).write_text(_text(scheduler, case))
