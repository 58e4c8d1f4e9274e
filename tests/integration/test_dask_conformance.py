"""The conformance suite on Dask: workers of ours on this machine, and a user's own Client."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import Client
from processes import listening
from water_example import run_water_example

from workflow_backends import CalculationBackend, ComputeResources, DaskBackend, DaskLocalBackend
from workflow_backends.errors import InvalidResourcesError
from workflow_backends.testing import BackendConformance

_ROOT = Path(__file__).parents[2]


class TestDaskLocal(BackendConformance):
    def make_backend(self, workers: int = 2, **resources: Any) -> DaskLocalBackend:
        return DaskLocalBackend(workers, ComputeResources(**resources))


class TestOwnClient(BackendConformance):
    """A scheduler and a worker of two threads, as a user's own, in other processes."""

    client: Client | None = None

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def cluster(cls, temporary: Path) -> Iterator[None]:
        file = temporary / "cluster" / "scheduler.json"
        file.parent.mkdir()
        quiet = ("--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0", "--no-dashboard")
        parts = [("scheduler", "--port", "0"), ("worker", "--nthreads", "2", "--no-nanny")]
        with (file.parent / "log").open("wb") as log, pytest.MonkeyPatch.context() as patch:
            patch.setenv("TEST_SCHEDULER_FILE", str(file))  # for a script that runs alone
            processes = [
                subprocess.Popen(
                    [
                        *(sys.executable, "-m", f"distributed.cli.dask_{name}", *options, *quiet),
                        *("--scheduler-file", str(file)),
                    ],
                    env=os.environ | {"PYTHONPATH": str(_ROOT)},
                    stderr=log,
                )
                for name, *options in parts
            ]
            while not file.exists():
                time.sleep(0.05)
            with Client(scheduler_file=str(file), set_as_default=False) as cls.client:
                yield
            cls.client = None
            for process in processes:
                process.kill()
                process.wait()

    def make_backend(self, workers: int = 2, **resources: Any) -> DaskBackend:
        file = os.environ["TEST_SCHEDULER_FILE"]
        client = self.client or Client(scheduler_file=file, set_as_default=False)
        owned = ComputeResources(**resources)
        return DaskBackend(client, owned, directory=tempfile.gettempdir(), number_of_workers=workers)

    def test_a_script_from_standard_input_works_and_leaves_nothing_when_it_is_killed(
        self, tmp_path: Path
    ) -> None:
        super().test_a_script_from_standard_input_works_and_leaves_nothing_when_it_is_killed(tmp_path)
        os.kill(int((tmp_path / "pid").read_text(encoding="utf-8")), signal.SIGKILL)  # which nobody else ends

    def test_the_clients_cluster_lives_on(self, backend: CalculationBackend) -> None:
        assert self.client is not None
        with self.make_backend() as other:
            assert other.submit_task(abs, -1).result(60) == 1
        assert self.client.submit(abs, -2).result(60) == 2
        assert backend.submit_task(abs, -3).result(60) == 3

    def test_the_water_example_needs_another_backend_only(self, tmp_path: Path) -> None:
        client = f"Client(scheduler_file={os.environ['TEST_SCHEDULER_FILE']!r})"
        changes = {
            "ComputeResources, ParslLocalBackend": "DaskBackend\nfrom distributed import Client",
            r"ParslLocalBackend\([^:]*\) as": f"DaskBackend({client}) as",
        }
        run_water_example(tmp_path, "01_water_density.py", changes)


def test_nothing_listens_beyond_this_machine_and_a_dashboard_is_there_when_asked_for() -> None:
    before = listening()
    with DaskLocalBackend(dashboard=True) as backend:
        assert backend.submit_task(abs, -1).result(60) == 1
        assert backend.dashboard_link is not None
        assert backend.dashboard_link.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(backend.dashboard_link, timeout=60) as answer:
            assert b"Bokeh" in answer.read()
        heard = listening() - before
    assert {address for address, _ in heard} == {"127.0.0.1"}
    assert backend.dashboard_link is None


def test_a_dashboard_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bokeh", None)
    DaskLocalBackend().check()
    backend = DaskLocalBackend(dashboard=True)
    for refuse in (backend.check, backend.start):
        with pytest.raises(InvalidResourcesError, match=r"bokeh cannot be imported .*\[dask\]"):
            refuse()


def test_a_dask_worker_that_is_killed_is_replaced_and_its_task_runs_again(tmp_path: Path) -> None:
    def work() -> int:
        import os
        import time

        with (tmp_path / "tries").open("a") as tries:
            tries.write(f"{os.getppid()}\n")
        if len((tmp_path / "tries").read_text(encoding="utf-8").splitlines()) == 1:
            time.sleep(600)
        return os.getppid()

    with DaskLocalBackend() as backend:
        future = backend.options(retries=0).submit_task(work)
        while not (tmp_path / "tries").exists() or not (tmp_path / "tries").read_text(encoding="utf-8"):
            future.wait(0.05)
        first = int((tmp_path / "tries").read_text(encoding="utf-8"))
        psutil.Process(first).kill()
        assert future.result(60) not in (first, None)


def test_what_is_no_client_is_refused() -> None:
    with pytest.raises(InvalidResourcesError, match="client: 'here' is not allowed"):
        DaskBackend("here")
