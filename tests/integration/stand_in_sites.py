"""The schedulers that no test can install, each on its stand-in."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import stand_in_kubernetes
from stand_in_queue import StandIn

from workflow_backends.parsl_engine.queue_executor import QueueExecutor

__all__ = ["SITES", "Site", "notice_ends_soon"]

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Site:
    """A scheduler, and what differs between them."""

    stand_in: Callable[[], StandIn]
    backend: str
    id_variable: str
    settings: Callable[[Path], dict[str, Any]]
    unknown_queue: dict[str, str]
    refusal: str
    absence: str
    devices: str = "CUDA_VISIBLE_DEVICES"


SITES = {
    "pbs": Site(
        lambda: StandIn("stand_in_pbs", ("qsub", "qstat", "qdel")),
        *("ParslPBSBackend", "PBS_JOBID", lambda place: {"account": "chem-12"}, {"queue_name": "nope"}),
        refusal="qsub refused the job: qsub: Unknown queue",
        absence="qsub cannot be run: No such file or directory",
    ),
    "lsf": Site(
        lambda: StandIn("stand_in_lsf", ("bsub", "bjobs", "bkill")),
        *("ParslLSFBackend", "LSB_JOBID", lambda place: {"account": "chem-12"}, {"queue_name": "nope"}),
        refusal="bsub refused the job: nope: No such queue. Job not submitted.",
        absence="bsub cannot be run: No such file or directory",
    ),
    "kubernetes": Site(
        lambda: StandIn("stand_in_kubernetes", image_environment={"PYTHONPATH": str(_HERE.parents[1])}),
        *("ParslKubernetesBackend", "HOSTNAME"),
        lambda place: {
            "image": stand_in_kubernetes.IMAGE,
            "namespace": stand_in_kubernetes.NAMESPACE,
            "volumes": {"scratch": str(place)},
            "python": sys.executable,
        },
        {"namespace": "nope"},
        refusal='Kubernetes refused the job: namespaces "nope" not found',
        absence="Kubernetes refused the job: no configuration, and this is no pod",
        devices="NVIDIA_VISIBLE_DEVICES",
    ),
}


def notice_ends_soon(patch: pytest.MonkeyPatch) -> None:
    """Have workers and jobs that end noticed within seconds."""
    patch.setattr("workflow_backends.parsl_engine.cluster._HEARTBEAT_S", 1)
    patch.setattr("workflow_backends.parsl_engine.cluster._HEARTBEAT_LIMIT_S", 5)
    for module in ("queue_provider", "queue_executor"):
        patch.setattr(f"workflow_backends.parsl_engine.{module}.BUSY_POLL_S", 1.0)
    patch.setattr(QueueExecutor, "failed_blocks_limit", 1)
