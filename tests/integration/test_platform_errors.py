"""A platform that is not here is told in the error's own words, by whatever engine the task comes back."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import parsl
import pytest
from distributed import Client

from workflow_backends import (
    CalculationBackend,
    ComputeResources,
    DaskBackend,
    DaskLocalBackend,
    MultiprocessingBackend,
    ParslBackend,
    select_platform,
)
from workflow_backends.errors import PlatformUnavailableError
from workflow_backends.probing import find_devices

_ABSENT = "CUDA" if find_devices("HIP") else "HIP"
_GPU = ComputeResources(number_of_gpus=1, preferred_gpu_toolkit=_ABSENT)
_WORDS = re.compile(rf"number_of_gpus: 1 with toolkit {_ABSENT} cannot be served.*pip install 'openmm\[")


def _choose(wanted: ComputeResources | None, available_resources: ComputeResources) -> str:
    return select_platform(wanted or available_resources).name


@contextmanager
def _processes(_: Path) -> Iterator[tuple[CalculationBackend, ComputeResources | None]]:
    yield MultiprocessingBackend(), _GPU  # whose start refuses workers that own it


@contextmanager
def _dask(place: Path) -> Iterator[tuple[CalculationBackend, ComputeResources | None]]:
    with Client(processes=False, n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
        yield DaskBackend(client, _GPU, directory=place), None


@contextmanager
def _parsl(place: Path) -> Iterator[tuple[CalculationBackend, ComputeResources | None]]:
    executor = parsl.HighThroughputExecutor(label="mine", max_workers_per_node=1, address="127.0.0.1")
    settings = {"run_dir": str(place), "strategy_period": 0.5, "initialize_logging": False}
    yield ParslBackend(parsl.Config([executor], **settings), _GPU), None


@pytest.mark.parametrize("make", [_processes, _dask, _parsl])
def test_a_task_tells_it(
    make: Callable[[Path], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)  # for Parsl's programs
    with make(tmp_path) as (made, wanted), made as backend:
        future = backend.submit_task(_choose, wanted)
        with pytest.raises(PlatformUnavailableError, match=_WORDS) as caught:
            future.result(100)
        assert type(caught.value) is PlatformUnavailableError
        assert backend.submit_task(abs, -1).result(60) == 1


@pytest.mark.parametrize("kind", [MultiprocessingBackend, DaskLocalBackend])
def test_with_workers_on_this_machine_the_start_tells_it(
    kind: type[MultiprocessingBackend | DaskLocalBackend], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(PlatformUnavailableError, match=_WORDS):
        kind(1, _GPU).start()
    assert list(tmp_path.iterdir()) == []
