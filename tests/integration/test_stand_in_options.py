"""The stand-in schedulers take the jobs that we write, and are strict about all others."""

from __future__ import annotations

from pathlib import Path

import pytest
import stand_in_lsf
import stand_in_pbs

_JOBS = Path(__file__).parents[1] / "workflow_backends" / "jobs"
_MIB = 2**20


def _golden(name: str) -> str:
    return (_JOBS / f"{name}.sh").read_text()


@pytest.mark.parametrize("case, cpus, memory, gpus", [
    ("cpu", 2, 3815, 0), ("one-gpu", 4, 7630, 1), ("four-gpus", 16, 16384, 4), ("odd-memory", 3, 4293, 0),
])  # fmt: skip
def test_they_understand_our_jobs(case: str, cpus: int, memory: int, gpus: int) -> None:
    pbs = stand_in_pbs.read_script(_golden(f"pbs-{case}"), [])
    lsf, _ = stand_in_lsf.read_script(_golden(f"lsf-{case}"), [])
    for request in (pbs, lsf):
        assert (request.cpus, request.memory, request.gpus) == (cpus, memory * _MIB, gpus)
        assert (request.seconds, request.exclusive) == (5 * 3600, case == "four-gpus")
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
