"""The live view, drawn for the width and height of a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from protocols.progress.snapshot import RunningSimulation, Snapshot, Standing

__all__ = ["View", "headline", "simulated", "time_in_words"]

_WIDE = 110  # columns from which on a property takes one line
_WITH_TARGET = 64  # from which on its target has room
_SIMULATIONS = 6
_BAR, _SHORT_BAR = 20, 7
_COLOURS = {"converged": "green", "failed": "bold red", "not converged": "yellow", "too short": "yellow"}


class View:
    """One screen, never a scroll: what is still going on comes first.

    Parameters
    ----------
    snapshot
        To draw.
    height
        In lines; None takes the console's.
    """

    def __init__(self, snapshot: Snapshot, height: int | None = None) -> None:
        self._snapshot = snapshot
        self._height = height

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw."""
        width, height = options.max_width, self._height or console.size.height
        wide = width >= _WIDE
        lines = max(4, height - 3)
        simulations = self._snapshot.simulations[: min(_SIMULATIONS, lines // 3)]
        room = max(1, (lines - 2 - len(simulations)) // (1 if wide else 2))
        ordered = sorted(self._snapshot.properties, key=_rank)
        shown, rest = ordered[:room], ordered[room:]
        parts: list[RenderableType] = [Text(headline(self._snapshot, width), style="bold", no_wrap=True)]
        if shown:
            parts.append(_table(shown) if wide else Group(*_pairs(shown, width)))
        if rest:
            parts.append(_line(f"and {_counted(rest)}", "dim"))
        if simulations:
            parts.append(_simulations(simulations))
        yield Group(*parts)


def headline(snapshot: Snapshot, width: int) -> str:
    """Return the run in one line of this width: what does not fit is left out, the least needed first."""
    if not snapshot.total:
        return "starting"
    left = snapshot.seconds_left
    parts = [f"{snapshot.done} of {snapshot.total} protocols"]
    if left is not None:
        parts.append(f"{time_in_words(left)} left")
    parts.append(f"{snapshot.busy} of {snapshot.workers} workers busy")
    if snapshot.simulations:
        parts.append(_speed(snapshot.ns_per_day))
    text = parts[0]
    for part in parts[1:]:
        if len(text) + len(part) + 2 <= width:
            text += f", {part}"
    return text


def simulated(snapshot: Snapshot) -> str:
    """Return how much the simulations that run have simulated, of how much; empty while none tells."""
    done = sum(each.fraction * each.ns for each in snapshot.simulations)
    total = sum(each.ns for each in snapshot.simulations)
    if not total:
        return ""
    unit, factor = ("ns", 1) if total >= 1 else ("ps", 1000)
    return f"{done * factor:.3g} of {total * factor:.3g} {unit} simulated"


def time_in_words(seconds: float) -> str:
    """Return a time as it is said: few digits, so that it does not flicker."""
    minutes = seconds / 60
    if minutes < 1:
        return "under a minute"
    if minutes < 90:
        return f"about {minutes:.0f} min"
    hours = minutes / 60
    return f"about {hours:.0f} h" if hours < 36 else f"about {hours / 24:.0f} days"


def _rank(standing: Standing) -> int:
    """Put what runs first, then failures, then what is done."""
    return {"running": 0, "failed": 1}.get(standing.status, 2)


def _line(text: str, style: str = "") -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _state(standing: Standing) -> Text:
    text = f"round {standing.round}" if standing.status == "running" else standing.status
    return _line(text, _COLOURS.get(standing.status, "cyan"))


def _bar(standing: Standing, width: int) -> RenderableType:
    if standing.share is None or standing.status == "failed":
        return Text("")
    return ProgressBar(
        total=1.0, completed=standing.share, width=width, complete_style="cyan", finished_style="green"
    )


def _per_cent(standing: Standing) -> Text:
    return Text("" if standing.share is None or standing.status == "failed" else f"{standing.share:4.0%}")


def _table(shown: Sequence[Standing]) -> Table:
    """Return one line a property; names give way to numbers."""
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(ratio=1)
    targets = [f"target {each.target}" if each.target else "" for each in shown]
    states = [_state(each) for each in shown]
    for width in (
        max(cell_len(each.value) for each in shown),
        max(map(cell_len, targets)),
        _BAR,
        len("100%"),
        max(map(len, states)),
    ):
        table.add_column(no_wrap=True, min_width=width)
    for each, target, state in zip(shown, targets, states, strict=True):
        table.add_row(_line(each.name), each.value, target, _bar(each, _BAR), _per_cent(each), state)
    return table


def _pairs(shown: Iterable[Standing], width: int) -> list[Table]:
    """Return two lines a property: its name and state, and below its numbers."""
    lines = []
    for each in shown:
        first = Table.grid(padding=(0, 1), expand=True)
        first.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        first.add_column(no_wrap=True, justify="right")
        first.add_row(_line(each.name), _state(each))
        lines.append(first)
        if not each.value:
            continue
        second = Table.grid(padding=(0, 1), expand=True)
        second.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
        second.add_column(no_wrap=True)
        second.add_column(no_wrap=True, justify="right")
        value = each.value
        if each.target and width >= _WITH_TARGET:
            value += f", target {each.target}"
        second.add_row(
            _line(f"  {value}"), _bar(each, _SHORT_BAR if width < _WITH_TARGET else _BAR), _per_cent(each)
        )
        lines.append(second)
    return lines


def _simulations(simulations: Iterable[RunningSimulation]) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=True, justify="right")
    table.add_column(no_wrap=True, justify="right")
    for each in simulations:
        table.add_row(_line(each.label, "dim"), f"{each.fraction:4.0%}", _speed(each.ns_per_day))
    return table


def _speed(ns_per_day: float) -> str:
    return f"{ns_per_day:.0f} ns/day" if ns_per_day >= 100 else f"{ns_per_day:.3g} ns/day"


def _counted(rest: list[Standing]) -> str:
    """Return how many more there are, by their status."""
    statuses = [each.status for each in rest]
    counts = ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses))
    return f"{len(rest)} more: {counts}"
