"""ParslBackend: a user's own Parsl, all of it reachable, with our tasks and futures."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow_backends.backend import CalculationBackend
from workflow_backends.engine import Capability, Engine, Pool
from workflow_backends.errors import BackendStateError, EngineError, InvalidResourcesError
from workflow_backends.parsl_engine.engine import KernelEngine, start_kernel
from workflow_backends.resources import ComputeResources

__all__ = ["ParslBackend"]

_UNKNOWN_WORKERS = 16


class ParslBackend(CalculationBackend):
    """Workers of a parsl Config, or of a DataFlowKernel that runs already.

    Each executor is a pool of its own name. Whatever the configuration says of retries, retry handlers,
    monitoring, strategies and logging holds; see Parsl's documentation for these.

    Parameters
    ----------
    parsl
        A ``parsl.Config``, from which start() makes a DataFlowKernel that stop() cleans up, or a running
        ``parsl.DataFlowKernel``, which stays its owner's. A Config can be started once: Parsl's executors
        are single use.
    resources_per_worker
        What one worker owns: one ComputeResources, or one for each executor by its label.
    memoize
        Whether Parsl may give the result of an equal call (same function, arguments and search path)
        instead of running it again. The directory of the run keeps no results; use Parsl's checkpointing.

    Raises
    ------
    InvalidResourcesError
        Something else than a Config or DataFlowKernel, or resources for an executor that is not there.
    """

    cannot = frozenset({Capability.restart, Capability.end_with_script, Capability.placement})

    def __init__(
        self,
        parsl: Any,
        resources_per_worker: ComputeResources | Mapping[str, ComputeResources] | None = None,
        *,
        memoize: bool = False,
    ) -> None:
        self._parsl = parsl
        self._memoize = memoize
        self._engine: KernelEngine | None = None
        self._used = False
        super().__init__(pools=_pools(_executors(parsl), resources_per_worker))

    def _start_engine(self, pools: Mapping[str, Pool]) -> Engine:  # noqa: ARG002  # the user's Parsl has them
        from parsl import Config  # noqa: PLC0415

        if self._used and isinstance(self._parsl, Config):
            raise BackendStateError("a parsl.Config can be started once: make a new one, and a new backend")
        self._used = True
        try:
            kernel = start_kernel(self._parsl) if isinstance(self._parsl, Config) else self._parsl
        except FileNotFoundError as error:
            scripts = Path(sys.executable).parent
            raise EngineError(
                f"Parsl did not start: {error}; it looks for its programs on PATH: add {scripts}"
            ) from error
        # Beside Parsl's own files, which every worker sees.
        directory = Path(tempfile.mkdtemp(prefix="workflow-backends-", dir=kernel.run_dir)).absolute()
        self._engine = KernelEngine(kernel, directory, memoize=self._memoize)
        return self._engine

    def _stop_engine(self, *, keep_files: bool) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            if engine.kernel is not self._parsl:
                engine.clean_up()
            if not keep_files:
                shutil.rmtree(engine.directory, ignore_errors=True)


def _executors(parsl: Any) -> dict[str, Any]:
    from parsl import Config, DataFlowKernel  # noqa: PLC0415

    if isinstance(parsl, Config):
        return {executor.label: executor for executor in parsl.executors}
    if isinstance(parsl, DataFlowKernel):
        return {label: item for label, item in parsl.executors.items() if label != "_parsl_internal"}
    raise InvalidResourcesError(f"parsl: {parsl!r} is not allowed; give a parsl.Config or DataFlowKernel")


def _pools(
    executors: dict[str, Any], resources: ComputeResources | Mapping[str, ComputeResources] | None
) -> dict[str, tuple[int, ComputeResources]]:
    if not isinstance(resources, Mapping):
        resources = dict.fromkeys(executors, resources or ComputeResources())
    if set(resources) != set(executors):
        raise InvalidResourcesError(
            f"resources_per_worker: {', '.join(resources)} do not match the executors {', '.join(executors)}"
        )
    return {label: (_workers(executor), resources[label]) for label, executor in executors.items()}


def _workers(executor: Any) -> int:
    """Return how many workers an executor can have at most, as far as it tells."""
    provider = getattr(executor, "provider", None)
    if provider is None or not hasattr(executor, "workers_per_node"):
        return _UNKNOWN_WORKERS
    return max(1, int(executor.workers_per_node * provider.nodes_per_block * provider.max_blocks))
