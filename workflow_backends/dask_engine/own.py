"""DaskBackend: a user's own Dask cluster, with our tasks and futures."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow_backends.backend import CalculationBackend
from workflow_backends.dask_engine.engine import ClientEngine, require_dask
from workflow_backends.engine import Capability, Engine, Pool
from workflow_backends.errors import BackendStateError, InvalidResourcesError
from workflow_backends.local import make_directory
from workflow_backends.resources import ComputeResources, whole_number

__all__ = ["DaskBackend"]


class DaskBackend(CalculationBackend):
    """The workers that a Dask Client reaches, whatever started them.

    Each thread of a Dask worker is a worker here, with a process of its own for the tasks. This package must
    be installed where Dask's workers run. stop() leaves the client, and its cluster, as they are.

    Parameters
    ----------
    client
        A connected ``distributed.Client``, made without ``asynchronous=True``.
    resources_per_worker
        What each worker owns; one thread by default.
    directory
        For the run's files, on a file system that the workers share; the current directory by default. stop()
        deletes what it made there, unless something failed.
    number_of_workers
        How many workers there can be; by default, as many as there are threads now.

    Raises
    ------
    InvalidResourcesError
        Something else than such a client.
    """

    cannot = frozenset({Capability.pools, Capability.end_with_script, Capability.placement})

    def __init__(
        self,
        client: Any,
        resources_per_worker: ComputeResources | None = None,
        *,
        directory: str | Path | None = None,
        number_of_workers: int | None = None,
    ) -> None:
        require_dask()
        from distributed import Client  # noqa: PLC0415

        if not isinstance(client, Client) or client.asynchronous:
            raise InvalidResourcesError(
                f"client: {client!r} is not allowed; give a distributed.Client without asynchronous=True"
            )
        if number_of_workers is not None:
            whole_number("number_of_workers", number_of_workers, minimum=1)
        self._client = client
        self._directory = None if directory is None else Path(directory).absolute()
        self._engine: ClientEngine | None = None
        threads = number_of_workers or sum(client.nthreads().values())
        super().__init__(max(1, threads), resources_per_worker)

    def _start_engine(self, pools: Mapping[str, Pool]) -> Engine:  # noqa: ARG002  # there is one
        if self._client.status != "running":
            raise BackendStateError(f"client: it is {self._client.status}; give one that is connected")
        place = self._directory or Path.cwd()
        directory = make_directory(place, f"workflow-backends-{uuid.uuid4().hex[:10]}")
        self._engine = ClientEngine(self._client, directory)
        return self._engine

    def _stop_engine(self, *, keep_files: bool) -> None:
        if self._engine is not None:
            self._engine.stop(keep_files=keep_files)
            self._engine = None
