"""A live view of a run on a terminal, read from the run's directory; quiet anywhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table

from protocols.graph import WorkflowGraph
from protocols.locking import LOCK_NAME
from protocols.protocol import Protocol
from protocols.simulation import PROGRESS_NAME
from protocols.storage import RESULT_NAME

__all__ = ["RunningSimulation", "Watcher", "show_progress"]

_REFRESHES_A_SECOND = 2


class RunningSimulation(NamedTuple):
    """How far one simulation is."""

    label: str
    fraction: float
    ns_per_day: float


class Watcher:
    """Counts what is done, running and waiting by looking at the disk.

    Parameters
    ----------
    graph
        That is being executed.
    directory
        Of the run.
    """

    def __init__(self, graph: WorkflowGraph, directory: Path) -> None:
        self._directory = directory
        self._pending = list(graph)
        self._done: set[str] = set()
        self._running: list[Protocol] = []

    def look(self) -> None:
        """Look again."""
        self._running = []
        pending = []
        for protocol in self._pending:
            ready = all(p.identity in self._done for p in protocol.upstream)
            if ready and (self._home(protocol) / RESULT_NAME).exists():
                self._done.add(protocol.identity)
                continue
            pending.append(protocol)
            if ready and (self._home(protocol) / LOCK_NAME).exists():
                self._running.append(protocol)
        self._pending = pending

    @property
    def counts(self) -> tuple[int, int, int]:
        """Protocols done, running and waiting."""
        return len(self._done), len(self._running), len(self._pending) - len(self._running)

    def simulations(self) -> list[RunningSimulation]:
        """Return how far the running simulations are."""
        found = []
        for protocol in self._running:
            try:
                data = json.loads((self._home(protocol) / PROGRESS_NAME).read_text())
                fraction = data["steps_done"] / data["steps_total"]
                found.append(RunningSimulation(protocol.label, fraction, data["ns_per_day"]))
            except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
                continue  # not a simulation, or one that has just begun
        return found

    def _home(self, protocol: Protocol) -> Path:
        return self._directory / protocol.label

    def __rich__(self) -> RenderableType:
        """Draw what is seen now; a disk that does not answer shows the last look."""
        with suppress(OSError):
            self.look()
        done, running, waiting = self.counts
        table = Table.grid(padding=(0, 2))
        table.add_row(f"[bold]protocols[/] {done} done, {running} running, {waiting} waiting")
        for simulation in self.simulations():
            table.add_row(
                simulation.label, f"{simulation.fraction:4.0%}", f"{simulation.ns_per_day:.1f} ns/day"
            )
        return table


@contextmanager
def show_progress(graph: WorkflowGraph, directory: Path, wanted: bool | None) -> Iterator[None]:
    """Show the live view while the block runs.

    Parameters
    ----------
    graph
        That is being executed.
    directory
        Of the run.
    wanted
        True or False; None shows it on a terminal only.
    """
    console = Console(stderr=True, force_terminal=wanted)
    if not console.is_terminal:
        yield
        return
    with Live(
        Watcher(graph, directory), console=console, refresh_per_second=_REFRESHES_A_SECOND, transient=True
    ):
        yield
