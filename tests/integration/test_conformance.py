"""The conformance suite on each backend of this package that needs nothing but this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from processes import command_line

from workflow_backends import ComputeResources, MultiprocessingBackend, ParslBackend, ParslLocalBackend
from workflow_backends.testing import BackendConformance
from workflow_backends.testing.base import kill


class TestMultiprocessing(BackendConformance):
    def make_backend(self, workers: int = 2, **resources: Any) -> MultiprocessingBackend:
        return MultiprocessingBackend(workers, ComputeResources(**resources))


class TestParslLocal(BackendConformance):
    def make_backend(self, workers: int = 2, **resources: Any) -> ParslLocalBackend:
        return ParslLocalBackend(workers, ComputeResources(**resources))


class TestParslOfOnesOwn(BackendConformance):
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def parsls_needs(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
            runs = str(tmp_path_factory.mktemp("parsl"))
            patch.setenv("PARSL_RUNS", runs)
            yield
        kill(p.pid for p in psutil.process_iter() if runs in command_line(p))  # Parsl's, of a killed script

    def make_backend(self, workers: int = 2, **resources: Any) -> ParslBackend:
        return self.make_pools({"mine": (workers, ComputeResources(**resources))})

    def make_pools(self, pools: Mapping[str, tuple[int, ComputeResources]]) -> ParslBackend:
        import parsl

        executors = [
            parsl.HighThroughputExecutor(label=name, max_workers_per_node=workers, address="127.0.0.1")
            for name, (workers, _) in pools.items()
        ]
        runs = os.environ["PARSL_RUNS"]
        config = parsl.Config(executors, run_dir=runs, strategy_period=0.5, initialize_logging=False)
        return ParslBackend(config, {name: resources for name, (_, resources) in pools.items()})
