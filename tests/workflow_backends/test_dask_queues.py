"""The job scripts of the Dask backends; run this file to write them anew."""

from __future__ import annotations

import re
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from workflow_backends import DaskLSFBackend, DaskPBSBackend, DaskSlurmBackend, QueueWorkerResources
from workflow_backends.errors import InvalidResourcesError

_JOBS = Path(__file__).parent / "jobs"
_KINDS = {"slurm": DaskSlurmBackend, "pbs": DaskPBSBackend, "lsf": DaskLSFBackend}


def _text(scheduler: str) -> str:
    backend = _KINDS[scheduler](
        *(0, 8, QueueWorkerResources(2, 1, per_thread_memory_limit="1500.5 MB"), "gpu"),
        workers_per_node=4,
        account="chem-12",
        gpu_type="a100",
        exclusive=True,
        setup_script_commands=["module load cuda/12.4"],
        extra_script_options=["--comment=water"],
        directory="/scratch/run",
    )
    text = backend.job_script().replace(sys.executable, "/opt/conda/bin/python")
    text = re.sub(r"^cd .*$", "cd /scratch/work", text, flags=re.MULTILINE)
    text = re.sub(r"RUN=\d+:", "RUN=42:", text)
    return re.sub(r"^export (PYTHONPATH|GLIBC_TUNABLES)=.*\n", "", text, flags=re.MULTILINE)


def _golden(scheduler: str) -> Path:
    return _JOBS / f"dask-{scheduler}.sh"


@pytest.mark.parametrize("scheduler", _KINDS)
def test_the_text_of_a_job_is_shown_without_asking_anyone(
    scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("something was started or contacted")

    monkeypatch.setattr("subprocess.Popen.__init__", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert _text(scheduler) == _golden(scheduler).read_text(encoding="utf-8")


def test_what_a_job_gets_is_what_a_job_of_parsls_gets() -> None:
    text = _golden("slurm").read_text(encoding="utf-8")
    for asked in ("--cpus-per-task=8", "--mem=11448M", "--gres=gpu:a100:4", "--partition=gpu", "--exclusive"):
        assert f"#SBATCH {asked}\n" in text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"minimum_number_of_workers": 3}, "minimum_number_of_workers: 3 is above maximum"),
        ({"workers_per_node": 3, "maximum_number_of_workers": 4}, "4 is not a multiple"),
        ({"queue_name": "a b"}, "queue_name: 'a b'"),
        ({"idle_time_limit": 0}, "idle_time_limit: 0"),
        ({"resources_per_worker": 2}, "resources_per_worker: 2"),
        ({"directory": "/a b"}, "directory: '/a b'"),
    ],
)
def test_bad_input_is_refused_by_name(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidResourcesError, match=message):
        DaskSlurmBackend(**settings)


if __name__ == "__main__":
    for name in _KINDS:
        _golden(name).write_text(_text(name))
