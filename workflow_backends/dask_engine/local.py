"""DaskLocalBackend: workers on this machine, run by Dask."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow_backends.dask_engine.engine import ClientEngine, require_dask
from workflow_backends.engine import OwnedEngine, Pool
from workflow_backends.errors import EngineError
from workflow_backends.local import LocalBackend
from workflow_backends.processes import RunProcesses

__all__ = ["DaskLocalBackend"]

_START_S = 60.0
_POLL_S = 0.02
_CLOSE_S = 3.0
_SCHEDULER = "dask-scheduler"


class DaskLocalBackend(LocalBackend):
    """Workers on this machine, each a process that owns its resources, run by Dask.

    The scheduler and the workers listen on the loopback only.

    Parameters
    ----------
    dashboard
        Whether Dask's dashboard is served, on the loopback; see `dashboard_link`.
    **settings
        Those of every local backend: see `LocalBackend`.

    Examples
    --------
    >>> with DaskLocalBackend(number_of_workers=2) as backend:
    ...     futures = [backend.submit_task(pow, 2, n) for n in range(3)]
    ...     print([future.result() for future in futures])
    [1, 2, 4]
    """

    def __init__(self, *arguments: Any, dashboard: bool = False, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._dashboard = dashboard

    @property
    def dashboard_link(self) -> str | None:
        """Where the dashboard is; None if there is none."""
        engine = self._engine
        return engine.client.dashboard_link if self._dashboard and isinstance(engine, _LocalEngine) else None

    def check(self) -> None:
        """Raise InvalidResourcesError or PlatformUnavailableError where `start` would; starts nothing."""
        self._require_dask()
        super().check()

    def _require_dask(self) -> None:
        require_dask()
        if self._dashboard:
            require_dask("bokeh")  # without which Dask serves none, and says nothing

    def _make_engine(
        self, directory: Path, pools: Mapping[str, Pool], environments: Mapping[str, Mapping[str, str]]
    ) -> OwnedEngine:
        try:
            self._require_dask()
        except BaseException:
            shutil.rmtree(directory)
            raise
        return _LocalEngine(directory, pools, environments, dashboard=self._dashboard)


class _LocalEngine(ClientEngine):
    """A scheduler, and for each pool a Dask worker with as many threads as the pool has workers.

    Parameters
    ----------
    directory, pools, environments
        As for `LocalBackend._make_engine`.
    dashboard
        Whether the scheduler has one.
    """

    def __init__(
        self,
        directory: Path,
        pools: Mapping[str, Pool],
        environments: Mapping[str, Mapping[str, str]],
        *,
        dashboard: bool,
    ) -> None:
        from distributed import Client  # noqa: PLC0415  # half a second that only a start pays

        self.directory = directory
        self._pools = pools
        file = directory / "scheduler.json"
        loopback = ("--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0")
        shown = "--dashboard" if dashboard else "--no-dashboard"
        common = {"DASK_TEMPORARY_DIRECTORY": str(directory / "dask"), **_CONFIGURATION}
        self.client: Any = None
        self._processes = RunProcesses(directory, {**next(iter(environments.values())), **common})
        try:
            self._processes.start(
                _SCHEDULER,
                [
                    *("distributed.cli.dask_scheduler", "--port", "0"),
                    *(*loopback, shown, "--scheduler-file", str(file)),
                ],
            )
            for name, pool in pools.items():
                workers = pool.number_of_workers
                self._processes.start(
                    name,
                    [
                        *("distributed.cli.dask_worker", "--scheduler-file", str(file), "--no-nanny"),
                        *(*loopback, "--no-dashboard", "--memory-limit", "0"),
                        *("--nthreads", str(workers), "--resources", f"{name}={workers}"),
                    ],
                    environments[name],
                )
            self.client = Client(self._address(file), set_as_default=False, direct_to_workers=True)
        except BaseException as error:
            self.stop(keep_files=isinstance(error, Exception))
            if isinstance(error, Exception):
                raise EngineError(f"Dask did not start: {error}; logs in {directory}") from error
            raise
        super().__init__(self.client, directory, by_pool=len(pools) > 1)

    def failure(self) -> str | None:
        """Start workers anew that died; say why no task can run any more, None while all is well."""
        if end := self._processes.end_of(_SCHEDULER):
            return f"Dask's scheduler ended {end}"
        if end := next(filter(None, map(self._processes.revive, self._pools)), None):
            return f"Dask's worker ended {end}"
        return super().failure()

    def stop(self, *, keep_files: bool) -> None:
        """End every process, within seconds; remove the files unless told to keep them."""
        if self.client is not None:
            with contextlib.suppress(Exception):  # the scheduler may have died
                self.client.close(timeout=_CLOSE_S)
        self._processes.stop()
        if not keep_files:
            shutil.rmtree(self.directory, ignore_errors=True)

    def _address(self, file: Path) -> str:
        """Wait for the scheduler, and return where it listens."""
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, ValueError):  # not there yet, or half written
                return str(json.loads(file.read_text(encoding="utf-8"))["address"])
            if end := self._processes.end_of(_SCHEDULER):
                raise EngineError(f"its scheduler ended {end}")
            time.sleep(_POLL_S)
        raise EngineError(f"its scheduler did not come up within {_START_S:.0f} s")


# A task that was lost with its worker comes back to the dispatcher, which counts; a machine that slept has
# lost nobody.
_CONFIGURATION = {
    "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "365 d",
}
