"""From properties to results: check everything, run round by round until all are good enough."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from protocols.convergence import Limits
from protocols.estimation import Estimation
from protocols.properties.base import Property
from protocols.result import PropertyResult
from protocols.settings import SimulationSettings
from protocols.systems.sources import ParameterSource

__all__ = ["aestimate", "estimate"]


def estimate(
    properties: Sequence[Property],
    force_field: ParameterSource,
    backend: Any = None,
    *,
    directory: Path | str = "estimate",
    settings: SimulationSettings | None = None,
    limits: Limits | None = None,
    progress: bool | None = None,
) -> list[PropertyResult]:
    """Estimate properties and wait for all of them.

    Parameters
    ----------
    properties
        What to estimate; work that several share is done once. One with a target is simulated in rounds until
        its standard error has met the target in two rounds in a row.
    force_field
        That covers every molecule.
    backend
        A started CalculationBackend; None runs in this process.
    directory
        Of the run. The same command with the same directory goes on where the last one ended.
    settings
        Of the simulations.
    limits
        Where to stop although a target is not met.
    progress
        Whether to show progress: live on a terminal and in a notebook, in plain lines elsewhere. None is
        quiet elsewhere for half a minute.

    Returns
    -------
    list of PropertyResult
        In the order of `properties`. One that failed carries its error, one that did not converge its value
        and the reason; the others go on.

    Raises
    ------
    InputError
        An input is not allowed; nothing has been started then.
    DirectoryLockedError
        Another run is under way in the directory.
    """
    estimation = Estimation(
        properties, force_field, backend, directory=directory, settings=settings, limits=limits
    )
    found = dict(estimation.results(progress))
    return [found[index] for index in range(len(properties))]


async def aestimate(
    properties: Sequence[Property],
    force_field: ParameterSource,
    backend: Any = None,
    *,
    directory: Path | str = "estimate",
    settings: SimulationSettings | None = None,
    limits: Limits | None = None,
    progress: bool | None = None,
) -> AsyncIterator[PropertyResult]:
    """Estimate properties and yield each result as soon as it is there.

    Parameters, behaviour and errors are those of `estimate`; it is driven by a thread, so that the event loop
    goes on. Leaving the iteration, or cancelling it, stops what runs.
    """
    estimation = Estimation(
        properties, force_field, backend, directory=directory, settings=settings, limits=limits
    )
    loop, arrived = asyncio.get_running_loop(), asyncio.Queue[Any]()

    def hand_over(item: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            loop.call_soon_threadsafe(arrived.put_nowait, item)

    def drive() -> None:
        try:
            for _, result in estimation.results(progress):
                hand_over(result)
            hand_over(None)
        except BaseException as error:  # noqa: BLE001  # raised where the results are awaited
            hand_over(error)

    thread = threading.Thread(target=drive, name="aestimate", daemon=True)
    thread.start()
    try:
        while (item := await arrived.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        estimation.stop()
        await asyncio.to_thread(thread.join)
