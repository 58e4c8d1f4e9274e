"""ParslLocalBackend: workers on this machine, run by Parsl."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_backends.engine import OwnedEngine, Pool
from workflow_backends.local import LocalBackend
from workflow_backends.parsl_engine.engine import OwnKernelEngine

if TYPE_CHECKING:
    from workflow_backends.parsl_engine.supervision import SupervisedExecutor

__all__ = ["ParslLocalBackend"]

_HEARTBEAT_S = 2
_HEARTBEAT_LIMIT_S = 10
_POLL_MS = 1000


class ParslLocalBackend(LocalBackend):
    """Workers on this machine, each a process that owns its resources, run by Parsl.

    Its parameters are those of every local backend: see `LocalBackend`.

    Examples
    --------
    >>> with ParslLocalBackend(number_of_workers=2) as backend:
    ...     futures = [backend.submit_task(pow, 2, n) for n in range(3)]
    ...     print([future.result() for future in futures])
    [1, 2, 4]
    """

    def _make_engine(
        self, directory: Path, pools: Mapping[str, Pool], environments: Mapping[str, Mapping[str, str]]
    ) -> OwnedEngine:
        return OwnKernelEngine(directory, lambda _: [_executor(n, pools[n], environments[n]) for n in pools])


def _executor(name: str, pool: Pool, environment: Mapping[str, str]) -> SupervisedExecutor:
    from workflow_backends.parsl_engine.provider import GuardedLocalProvider  # noqa: PLC0415
    from workflow_backends.parsl_engine.supervision import SupervisedExecutor  # noqa: PLC0415

    return SupervisedExecutor(
        dict(environment),
        label=name,
        provider=GuardedLocalProvider(1, dict(environment)),
        address="127.0.0.1",
        max_workers_per_node=pool.number_of_workers,
        cores_per_worker=1e-6,  # Parsl would otherwise start fewer workers than were asked for
        prefetch_capacity=pool.number_of_workers,  # in one queue for all workers of the only block
        heartbeat_period=_HEARTBEAT_S,
        heartbeat_threshold=_HEARTBEAT_LIMIT_S,
        poll_period=_POLL_MS,
    )
