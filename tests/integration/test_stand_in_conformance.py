"""The conformance suite on stand-ins for schedulers: its core with every change, the whole on demand."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from conformance_core import CoreConformance
from distributed.utils import offload
from stand_in_sites import SITES, notice_ends_soon

import workflow_backends
from workflow_backends import CalculationBackend, ComputeResources, QueueWorkerResources
from workflow_backends.testing import BackendConformance
from workflow_backends.testing.base import SuiteBase


class _OnStandIn(SuiteBase):
    site: ClassVar[str]
    backend_name: ClassVar[str]

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def scheduler(cls, temporary: Path) -> Iterator[None]:
        with SITES[cls.site].stand_in() as stand_in, pytest.MonkeyPatch.context() as patch:
            for name, value in stand_in.environment.items():
                patch.setenv(name, value)
            notice_ends_soon(patch)
            patch.setattr("workflow_backends.dask_engine.jobs._LOOK_S", 1.0)
            yield
            assert stand_in.queue() == []

    def make_resources(self, **resources: Any) -> QueueWorkerResources:
        return QueueWorkerResources(**resources)

    def make_backend(self, workers: int = 2, **resources: Any) -> CalculationBackend:
        return self._make(0, workers, self.make_resources(**resources))

    def make_pools(self, pools: Mapping[str, tuple[int, ComputeResources]]) -> CalculationBackend:
        return self._make(pools=pools)

    def _make(self, *arguments: Any, **settings: Any) -> CalculationBackend:
        place = Path(tempfile.gettempdir())
        theirs = SITES[self.site].settings(place) if "Parsl" in self.backend_name else {}
        kind = getattr(workflow_backends, self.backend_name)
        backend: CalculationBackend = kind(*arguments, interface="lo", directory=place, **theirs, **settings)
        return backend


class _ParslOnPBS(_OnStandIn):
    site, backend_name = "pbs", "ParslPBSBackend"


class _ParslOnLSF(_OnStandIn):
    site, backend_name = "lsf", "ParslLSFBackend"


class _ParslOnKubernetes(_OnStandIn):
    site, backend_name = "kubernetes", "ParslKubernetesBackend"


class _DaskOnStandIn(_OnStandIn):
    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def offload(cls) -> None:
        asyncio.run(offload(abs, -1))  # starts the one thread that Dask keeps in a process for good


class _DaskOnPBS(_DaskOnStandIn):
    site, backend_name = "pbs", "DaskPBSBackend"


class _DaskOnLSF(_DaskOnStandIn):
    site, backend_name = "lsf", "DaskLSFBackend"


class _ParslCore(CoreConformance):
    test_stop = None  # type: ignore[assignment]  # long; test_stand_ins.py has a shorter one


class TestCoreOnParslPBS(_ParslOnPBS, _ParslCore):
    pass


class TestCoreOnParslLSF(_ParslOnLSF, _ParslCore):
    pass


class TestCoreOnParslKubernetes(_ParslOnKubernetes, _ParslCore):
    pass


class TestCoreOnDaskPBS(_DaskOnPBS, CoreConformance):
    pass


class TestCoreOnDaskLSF(_DaskOnLSF, CoreConformance):
    pass


@pytest.mark.slow
class TestParslPBS(_ParslOnPBS, BackendConformance):
    pass


@pytest.mark.slow
class TestParslLSF(_ParslOnLSF, BackendConformance):
    pass


@pytest.mark.slow
class TestParslKubernetes(_ParslOnKubernetes, BackendConformance):
    pass


@pytest.mark.slow
class TestDaskPBS(_DaskOnPBS, BackendConformance):
    pass


@pytest.mark.slow
class TestDaskLSF(_DaskOnLSF, BackendConformance):
    pass
