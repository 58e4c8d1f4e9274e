"""A live view of a run on a terminal; quiet anywhere else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table

from protocols.running.locking import LOCK_NAME
from protocols.running.pace import PROGRESS_NAME
from protocols.running.run import GraphRun

__all__ = ["RunningSimulation", "Watcher", "describe_summary", "read_progress", "show_progress"]

_REFRESHES_A_SECOND = 2
_SHOWN = 20  # rows of properties and of simulations: a screen, not a scroll


class RunningSimulation(NamedTuple):
    """How far one simulation is."""

    label: str
    fraction: float
    ns_per_day: float


def read_progress(home: Path) -> RunningSimulation | None:
    """Return how far the simulation in this directory is; None if there is none, or it has just begun."""
    try:
        data = json.loads((home / PROGRESS_NAME).read_text())
        return RunningSimulation(home.name, data["steps_done"] / data["steps_total"], data["ns_per_day"])
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
        return None


class Watcher:
    """What is done, running and waiting, and where each property stands.

    Parameters
    ----------
    run
        The graph that is being executed.
    summaries
        Gives `Campaign.summary` of each property.
    """

    def __init__(self, run: GraphRun, summaries: Callable[[], list[dict[str, Any]]]) -> None:
        self._run = run
        self._summaries = summaries

    def __rich__(self) -> RenderableType:
        """Draw what is known now."""
        ready = [self._run.home(protocol) for protocol in self._run.ready()]
        running = [home for home in ready if (home / LOCK_NAME).exists()]
        done, total = self._run.number_done, len(self._run)
        table = Table.grid(padding=(0, 2))
        waiting = total - done - len(running)
        table.add_row(f"[bold]protocols[/] {done} done, {len(running)} running, {waiting} waiting")
        for summary in self._summaries()[:_SHOWN]:
            table.add_row(summary["property"], describe_summary(summary))
        for home in running[:_SHOWN]:
            simulation = read_progress(home)
            if simulation is not None:
                table.add_row(
                    simulation.label, f"{simulation.fraction:4.0%}", f"{simulation.ns_per_day:.1f} ns/day"
                )
        return table


def describe_summary(summary: dict[str, Any]) -> str:
    """Return a property's value so far, beside its target."""
    if summary["value"] is None:
        return f"round {summary['round']}, {summary['status']}"
    error, target = summary["standard_error"], summary["target"]
    text = f"{summary['value']:.5g}" + ("" if error is None else f" +/- {error:.2g}")
    wanted = "" if target is None else f", target {target:.2g}"
    return f"{text} {summary['unit']}{wanted} (round {summary['round']}, {summary['status']})"


@contextmanager
def show_progress(
    run: GraphRun, summaries: Callable[[], list[dict[str, Any]]], wanted: bool | None
) -> Iterator[None]:
    """Show the live view while the block runs.

    Parameters
    ----------
    run, summaries
        See `Watcher`.
    wanted
        True or False; None shows it on a terminal only.
    """
    console = Console(stderr=True, force_terminal=wanted)
    if not console.is_terminal:
        yield
        return
    with Live(
        Watcher(run, summaries), console=console, refresh_per_second=_REFRESHES_A_SECOND, transient=True
    ):
        yield
