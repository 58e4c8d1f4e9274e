"""What the backends with workers on this machine have in common: threads counted, devices proven, files."""

from __future__ import annotations

import os
import shutil
import tempfile
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from workflow_backends.assignment import assign_devices
from workflow_backends.backend import CalculationBackend
from workflow_backends.engine import Engine, OwnedEngine, Pool
from workflow_backends.errors import EngineError, InvalidResourcesError
from workflow_backends.layout import measure_layouts
from workflow_backends.machine import (
    RUN_VARIABLE,
    available_cpus,
    import_variables,
    memory_variables,
    run_mark,
)
from workflow_backends.probing import PROBES_NAME, PROBES_VARIABLE
from workflow_backends.resources import ComputeResources, whole_number

__all__ = ["LocalBackend", "make_directory", "run_directory"]


class LocalBackend(CalculationBackend):
    """Workers on this machine, each a process that owns its resources; what all engines have in common.

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
    """

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
        self._engine: OwnedEngine | None = None

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

    @abstractmethod
    def _make_engine(
        self, directory: Path, pools: Mapping[str, Pool], environments: Mapping[str, Mapping[str, str]]
    ) -> OwnedEngine:
        """Start the engine.

        Parameters
        ----------
        directory
            The run's own, which exists; the engine's stop() removes it.
        pools
            By name.
        environments
            What the processes of each pool get beside the inherited variables; `machine.run_mark` marks them.
        """

    def check(self) -> None:
        """Raise InvalidResourcesError or PlatformUnavailableError where `start` would; starts nothing."""
        directory = run_directory()
        try:
            self._devices(self._pools, directory)
        finally:
            shutil.rmtree(directory)

    def _devices(self, pools: Mapping[str, Pool], directory: Path) -> dict[str, dict[str, str]]:
        """Return the variables that give each pool its devices, once there is enough of everything."""
        _check_threads(pools)
        probes = {PROBES_VARIABLE: str(directory / PROBES_NAME)}
        return assign_devices(pools, os.environ | probes, self._workers_per_gpu)

    def _start_engine(self, pools: Mapping[str, Pool]) -> Engine:
        directory = run_directory()
        try:
            devices = self._devices(pools, directory)
        except BaseException:
            shutil.rmtree(directory)
            raise
        common = {RUN_VARIABLE: run_mark(directory)} | import_variables() | memory_variables()
        environments = {name: common | devices[name] for name in pools}
        self._engine = self._make_engine(directory, pools, environments)
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


def run_directory() -> Path:
    """Make a run's directory, which keeps others out, where commands of a shell can quote it.

    Raises
    ------
    EngineError
        None can be made.
    """
    parents = [tempfile.gettempdir(), "/tmp"]  # mkdtemp keeps others out
    suitable = [p for p in parents if not set(p) & set("'\"{}")]
    try:
        return Path(tempfile.mkdtemp(prefix="workflow-backends-", dir=suitable[0]))
    except OSError as error:
        raise EngineError(
            f"no temporary directory can be made: {error}; set TMPDIR to a writable one"
        ) from error


def make_directory(parent: Path, name: str) -> Path:
    """Make the directory of a run.

    Raises
    ------
    EngineError
        It cannot be made.
    """
    directory = parent / name
    try:
        directory.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise EngineError(f"directory: no directory can be made for the run: {error}") from error
    return directory
