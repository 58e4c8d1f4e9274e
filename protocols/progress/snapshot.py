"""Where a run stands at one moment."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from protocols.progress.forecast import Pace, share_reached
from protocols.quantities import with_error
from protocols.running.locking import has_beaten, holder_of, still_holds
from protocols.running.pace import PROGRESS_NAME
from protocols.running.run import GraphRun

__all__ = ["RunningSimulation", "Snapshot", "Standing", "Watcher", "describe_summary", "read_progress"]


class RunningSimulation(NamedTuple):
    """How far one simulation is.

    Parameters
    ----------
    label
        Of its protocol.
    fraction
        Of its steps that are done.
    ns_per_day
        Its speed.
    ns
        It simulates in all.
    """

    label: str
    fraction: float
    ns_per_day: float
    ns: float


def read_progress(home: Path) -> RunningSimulation | None:
    """Return how far the simulation in this directory is; None if there is none, or it has just begun."""
    try:
        data = json.loads((home / PROGRESS_NAME).read_text(encoding="utf-8"))
        fraction = data["steps_done"] / data["steps_total"]
        return RunningSimulation(home.name, fraction, data["ns_per_day"], data["ns_total"])
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
        return None


class Standing(NamedTuple):
    """Where one property stands.

    Parameters
    ----------
    name, status, round
        As `Campaign.summary` has them.
    value
        With its standard error and unit, as text; empty while there is none.
    target
        As text; empty where there is none.
    share
        How much of the samples that the target needs there are, at most 1; None where nothing tells.
    """

    name: str
    status: str
    round: int
    value: str
    target: str
    share: float | None

    @property
    def text(self) -> str:
        """All of it in one line."""
        return f"{self.name}: {self.description}"

    @property
    def description(self) -> str:
        """All but the name."""
        about = f"round {self.round}, {self.status}"
        if not self.value:
            return about
        return f"{self.value}{f', target {self.target}' if self.target else ''} ({about})"


@dataclass(frozen=True)
class Snapshot:
    """A run at one moment.

    Parameters
    ----------
    done, total
        Protocols.
    busy, workers
        How many workers work, of how many.
    properties
        All of them, in order.
    simulations
        Those that run and have told how far they are.
    seconds_left
        About; None while nothing tells.
    others
        The kinds of protocols that run and do not tell how far they are.
    """

    done: int
    total: int
    busy: int
    workers: int
    properties: tuple[Standing, ...]
    simulations: tuple[RunningSimulation, ...] = ()
    seconds_left: float | None = None
    others: tuple[str, ...] = ()

    @property
    def ns_per_day(self) -> float:
        """Of all simulations that run."""
        return sum(simulation.ns_per_day for simulation in self.simulations)


class Watcher:
    """Looks at a run; nothing that it does reaches the workers.

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
        self._pace = Pace()

    def look(self) -> Snapshot:
        """Return where the run stands now."""
        summaries = self._summaries()
        working = [protocol for protocol in self._run.ready() if _is_worked_in(self._run.home(protocol))]
        simulations = {protocol.identity: read_progress(self._run.home(protocol)) for protocol in working}
        known = {identity: item for identity, item in simulations.items() if item is not None}
        fractions = {identity: item.fraction for identity, item in known.items()}
        others = [type(each).__name__ for each in working if each.identity not in known]
        return Snapshot(
            done=self._run.number_done,
            total=len(self._run),
            busy=len(working),
            workers=self._run.number_of_workers,
            properties=tuple(map(_standing, summaries)),
            simulations=tuple(known.values()),
            seconds_left=self._pace.seconds_left(self._run.unfinished(), fractions, summaries),
            others=tuple(dict.fromkeys(others)),
        )


def _is_worked_in(directory: Path) -> bool:
    """Tell whether a worker holds it: workers of a run that was killed leave their locks."""
    holder = holder_of(directory)
    return has_beaten(directory) if holder is None else still_holds(directory, holder)


def _standing(summary: dict[str, Any]) -> Standing:
    value, error, target = (summary.get(name) for name in ("value", "standard_error", "target"))
    unit = summary.get("unit", "").replace("dimensionless", "")
    text = "" if value is None else f"{value:.5g}" if error is None else with_error(value, error)
    return Standing(
        summary["property"],
        summary["status"],
        max(1, summary["round"]),  # before the first has been asked for
        f"{text} {unit}".strip() if text else "",
        "" if target is None else f"{target:.2g}",
        share_reached(summary),
    )


def describe_summary(summary: dict[str, Any]) -> str:
    """Return a property's value so far, beside its target."""
    return _standing(summary).description
