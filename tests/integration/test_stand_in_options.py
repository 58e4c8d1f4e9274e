"""The stand-in schedulers take the jobs that we write, and are strict about all others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import stand_in_kubernetes
import stand_in_lsf
import stand_in_pbs
import yaml

_JOBS = Path(__file__).parents[1] / "workflow_backends" / "jobs"
_MIB = 2**20


def _golden(name: str) -> str:
    return (_JOBS / f"{name}.sh").read_text(encoding="utf-8")


def _manifest(case: str) -> Any:
    return yaml.safe_load((_JOBS / f"kubernetes-{case}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case, cpus, memory, gpus", [
    ("cpu", 2, 3815, 0), ("one-gpu", 4, 7630, 1), ("four-gpus", 16, 16384, 4), ("odd-memory", 3, 4293, 0),
])  # fmt: skip
def test_they_understand_our_jobs(case: str, cpus: int, memory: int, gpus: int) -> None:
    pbs = stand_in_pbs.read_script(_golden(f"pbs-{case}"), [])
    lsf, _ = stand_in_lsf.read_script(_golden(f"lsf-{case}"), [])
    pod = stand_in_kubernetes.read_manifest(_manifest(case), {})
    for request in (pbs, lsf, pod):
        assert (request.cpus, request.memory, request.gpus) == (cpus, memory * _MIB, gpus)
        assert request.seconds == 5 * 3600
    for request in (pbs, lsf):
        assert request.exclusive == (case == "four-gpus")
        assert (request.out, request.err) == (
            "/scratch/run/jobs/block-0.out",
            "/scratch/run/jobs/block-0.err",
        )


_PBS = {
    "-l walltime=5h": "Illegal attribute or resource value Resource_List.walltime",
    "-l select=1:ncpus=2:mem=3.8gb": "Illegal attribute or resource value Resource_List.select",
    "-l select=1:ncpus=two": "Illegal attribute or resource value Resource_List.select",
    "-l select=1:cpus=2": "Unknown resource: cpus",
    "-l nodes=1:ppn=2": "Unknown resource Resource_List.nodes",  # as Torque has it
    "-l place=excl_please": "Illegal attribute or resource value Resource_List.place",
    "-q nope": "Unknown queue",
    "-q short -l walltime=1:00:00": "Job violates queue and/or server resource limits",
    "-N 1job": "illegal -N value",
    "--comment=water": "directive error",
    "-Z": "directive error",
    "gpu": "directive error",
}


@pytest.mark.parametrize("options, words", _PBS.items(), ids=_PBS)
def test_pbs_refuses(options: str, words: str) -> None:
    with pytest.raises(stand_in_pbs.RefusedError, match=words):
        stand_in_pbs.read_script(f"#!/bin/bash\n#PBS {options}\n\ntrue\n#PBS -Z\n", [])


_LSF = {
    "-W 5h": "Bad RUNLIMIT specification",
    "-W 1:00:00": "Bad RUNLIMIT specification",
    "-M 3.8GB": "Bad MEMLIMIT specification",
    "-n two": "Bad -n specification",
    "-n 500": "Too many processors requested",
    "-R span[hosts=1": "Error in resource requirement",
    "-gpu number=1": "Error in GPU requirement",
    "-q nope": "nope: No such queue",
    "-q short -W 1:00": "RUNLIMIT: Cannot exceed queue's hard limit",
    "--comment=water": "Illegal option",
    "-J -n 2": "Illegal option",
}


@pytest.mark.parametrize("options, words", _LSF.items(), ids=_LSF)
def test_lsf_refuses(options: str, words: str) -> None:
    with pytest.raises(stand_in_lsf.RefusedError, match=words):
        stand_in_lsf.read_script(f"#!/bin/bash\n#BSUB {options}\n\ntrue\n#BSUB -Z\n", [])


def test_options_after_the_first_command_are_comments() -> None:
    script = "#!/bin/bash\n\ntrue\n#{} -Z\n"
    assert stand_in_pbs.read_script(script.format("PBS"), []).cpus == 1
    assert stand_in_lsf.read_script(script.format("BSUB"), [])[0].cpus == 1


_PODS: dict[str, Callable[[Any, Any], object]] = {
    'unknown field "spec.activeDeadline"': lambda pod, _: pod["spec"].update(activeDeadline=5),
    'unknown field "spec.containers[0].volumeMount"': lambda _, container: container.update(volumeMount=[]),
    "spec.activeDeadlineSeconds: not of type int": lambda pod, _: pod["spec"].update(
        activeDeadlineSeconds="5"
    ),
    "spec.containers[0].resources.limits.cpu: not of type str": lambda _, container: container["resources"][
        "limits"
    ].update(cpu=2),
    "limits[memory]: quantities must match": lambda _, container: container["resources"]["limits"].update(
        memory="3815MB"
    ),
    "limits[gpu]: must be a standard resource": lambda _, container: container["resources"]["limits"].update(
        gpu="1"
    ),
    "limits[amd.com/gpu]: must be equal to requests": lambda _, container: container["resources"].update(
        limits={"amd.com/gpu": "1"}, requests={"amd.com/gpu": "2"}
    ),
    'volumeMounts[0].name: Not found: "scratch"': lambda pod, _: pod["spec"].pop("volumes"),
    "metadata.name: Invalid value": lambda pod, _: pod["metadata"].update(name="wb_1"),
    "metadata.labels: Invalid value": lambda pod, _: pod["metadata"].update(labels={"run": "a b"}),
    "spec.restartPolicy": lambda pod, _: pod["spec"].update(restartPolicy="Always"),
}


@pytest.mark.parametrize("words", _PODS)
def test_kubernetes_refuses(words: str) -> None:
    pod = _manifest("cpu")
    _PODS[words](pod, pod["spec"]["containers"][0])
    with pytest.raises(stand_in_kubernetes.RefusedError) as refused:
        stand_in_kubernetes.read_manifest(pod, {})
    assert words in str(refused.value)
