"""ParslLocalBackend: workers on this machine."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from workflow_backends.assignment import assign_devices
from workflow_backends.backend import CalculationBackend
from workflow_backends.engine import Engine, Pool
from workflow_backends.errors import EngineError, InvalidResourcesError
from workflow_backends.layout import measure_layouts
from workflow_backends.machine import RUN_VARIABLE, available_cpus, import_variables, memory_variables
from workflow_backends.parsl_engine.engine import OwnKernelEngine
from workflow_backends.probing import PROBES_NAME, PROBES_VARIABLE
from workflow_backends.resources import ComputeResources, whole_number

if TYPE_CHECKING:
    from workflow_backends.parsl_engine.supervision import SupervisedExecutor

__all__ = ["ParslLocalBackend"]

_HEARTBEAT_S = 2
_HEARTBEAT_LIMIT_S = 10
_POLL_MS = 1000


class ParslLocalBackend(CalculationBackend):
    """Workers on this machine, each a process that owns its resources, run by Parsl.

    Parameters
    ----------
    number_of_workers
        How many workers there are.
    resources_per_worker
        What each owns; one thread by default. All workers together may not have more threads than this
        machine has.
    pools
        Several pools of workers instead: ``{name: (number_of_workers, resources)}``.
    workers_per_gpu
        How many workers share what each of them owns of GPUs; 1 unless told.

    Examples
    --------
    >>> with ParslLocalBackend(number_of_workers=2) as backend:
    ...     futures = [backend.submit_task(pow, 2, n) for n in range(3)]
    ...     print([future.result() for future in futures])
    [1, 2, 4]
    """

    _engine: OwnKernelEngine | None = None

    def __init__(
        self,
        number_of_workers: int = 1,
        resources_per_worker: ComputeResources | None = None,
        pools: Mapping[str, tuple[int, ComputeResources]] | None = None,
        *,
        workers_per_gpu: int = 1,
    ) -> None:
        super().__init__(number_of_workers, resources_per_worker, pools)
        self._workers_per_gpu = whole_number("workers_per_gpu", workers_per_gpu, minimum=1)

    @classmethod
    def for_this_machine(cls, number_of_atoms: int = 1000, *, seconds: float = 2.0) -> Self:
        """Return a backend with the workers that simulate the most here, found out by measuring.

        Parameters
        ----------
        number_of_atoms
            Of the systems to be simulated.
        seconds
            For which each layout is measured; see `layout.measure_layouts`.
        """
        best = measure_layouts(number_of_atoms, seconds=seconds)[0]
        return cls(best.number_of_workers, best.resources_per_worker, workers_per_gpu=best.workers_per_gpu)

    def _start_engine(self, pools: Mapping[str, Pool]) -> Engine:
        _check_threads(pools)
        directory = _run_directory()
        try:
            probes = {PROBES_VARIABLE: str(directory / PROBES_NAME)}
            devices = assign_devices(pools, os.environ | probes, self._workers_per_gpu)
        except BaseException:
            shutil.rmtree(directory)
            raise
        self._engine = OwnKernelEngine(
            directory, lambda place: [_executor(name, pools[name], place, devices[name]) for name in pools]
        )
        return self._engine

    def _stop_engine(self, *, keep_files: bool) -> None:
        if self._engine is not None:
            self._engine.stop(keep_files=keep_files)
            self._engine = None


def _check_threads(pools: Mapping[str, Pool]) -> None:
    wanted = sum(pool.number_of_workers * pool.resources.number_of_threads for pool in pools.values())
    if wanted > available_cpus():
        raise InvalidResourcesError(
            f"number_of_workers x number_of_threads: {wanted} threads were asked for, this machine has"
            f" {available_cpus()} CPUs; ask for fewer workers or threads"
        )


def _run_directory() -> Path:
    """Make the run's directory where Parsl's commands can quote it."""
    parents = [tempfile.gettempdir(), "/tmp"]  # mkdtemp keeps others out
    suitable = [p for p in parents if not set(p) & set("'\"{}")]
    try:
        return Path(tempfile.mkdtemp(prefix="workflow-backends-", dir=suitable[0]))
    except OSError as error:
        raise EngineError(
            f"no temporary directory can be made: {error}; set TMPDIR to a writable one"
        ) from error


def _executor(name: str, pool: Pool, directory: Path, devices: Mapping[str, str]) -> SupervisedExecutor:
    from workflow_backends.parsl_engine.provider import GuardedLocalProvider  # noqa: PLC0415
    from workflow_backends.parsl_engine.supervision import SupervisedExecutor  # noqa: PLC0415

    environment = {
        RUN_VARIABLE: OwnKernelEngine.mark(directory),
        **import_variables(),
        **memory_variables(),
        **devices,
    }
    return SupervisedExecutor(
        environment,
        label=name,
        provider=GuardedLocalProvider(1, environment),
        address="127.0.0.1",
        max_workers_per_node=pool.number_of_workers,
        cores_per_worker=1e-6,  # Parsl would otherwise start fewer workers than were asked for
        prefetch_capacity=pool.number_of_workers,  # in one queue for all workers of the only block
        heartbeat_period=_HEARTBEAT_S,
        heartbeat_threshold=_HEARTBEAT_LIMIT_S,
        poll_period=_POLL_MS,
    )
