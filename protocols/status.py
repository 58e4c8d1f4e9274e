"""What a run directory tells, from another process, while the run goes on and after it."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from protocols.errors import InputError
from protocols.progress import read_progress
from protocols.running.holder import Holder
from protocols.running.locking import (
    LOCK_NAME,
    PROVENANCE_NAME,
    holder_of,
    seconds_since_beat,
    still_holds,
)
from protocols.running.run import CALCULATION_NAME, ESTIMATES_NAME, INDEX_NAME
from protocols.running.storage import ERROR_NAME, RESULT_NAME

__all__ = ["ProtocolState", "ProtocolStatus", "RunStatus", "run_status"]

_INTERRUPTED = "interrupted"
_MINUTES_FROM_S = 100


class ProtocolState(StrEnum):
    """What became of a protocol so far."""

    finished = "finished"
    running = "running"
    failed = "failed"
    interrupted = "interrupted"
    waiting = "waiting"


@dataclass(frozen=True)
class ProtocolStatus:
    """One protocol of a run.

    Parameters
    ----------
    label
        Type and identity.
    state
        Interrupted: begun and not finished, and nobody works on it.
    directory
        Its own.
    upstream
        Labels of those it depends on.
    worker
        The process that executes or executed it.
    seconds
        It took, or takes so far.
    error
        Why it failed, when it was last tried.
    fraction, ns_per_day
        How far a running simulation is, and its speed.
    """

    label: str
    state: ProtocolState
    directory: Path
    upstream: tuple[str, ...]
    worker: str | None = None
    seconds: float | None = None
    error: str | None = None
    fraction: float | None = None
    ns_per_day: float | None = None


@dataclass(frozen=True)
class RunStatus:
    """A run directory.

    Parameters
    ----------
    directory
        Of the run.
    holder
        The process that drives the run; None when nobody does.
    protocols
        All that the run has asked for, upstream first.
    estimates
        Where each property stands, as plain data: property, round, value, standard_error, target, unit,
        n_effective, status, reason. The status is "interrupted" where a property was on its way and nobody
        drives the run any more.
    lost
        The process that drove the run and is gone without having ended it.
    silence
        Seconds since the heartbeat of a process, alive or lost, that cannot be looked up from here because
        it is on another machine or in another container; by the clocks of both.
    """

    directory: Path
    holder: str | None
    protocols: tuple[ProtocolStatus, ...]
    estimates: tuple[dict[str, Any], ...]
    lost: str | None = None
    silence: float | None = None

    @property
    def counts(self) -> dict[ProtocolState, int]:
        """How many protocols are in each state."""
        counted = Counter(protocol.state for protocol in self.protocols)
        return {state: counted[state] for state in ProtocolState}

    @property
    def interrupted(self) -> bool:
        """Whether the run has not ended, and nobody drives it."""
        if not self.estimates:
            return self.lost is not None
        return any(item.get("status") == _INTERRUPTED for item in self.estimates)

    @property
    def driver(self) -> str:
        """Who drives the run, or how to go on with it, in words."""
        heard = "" if self.silence is None else f"last heard of {_ago(self.silence)}"
        if self.holder is not None:
            return f"driven by {self.holder}{heard and f', {heard}'}"
        if not self.interrupted:
            return "nobody drives it"
        why = ""
        if self.lost is not None:
            why = f", it seems: {self.lost} was {heard}" if heard else f": {self.lost} has died"
        return f"interrupted{why}; go on with {self.how_to_resume}"

    @property
    def how_to_resume(self) -> str:
        """The command, or words for it where a script has started the run."""
        if (self.directory / CALCULATION_NAME).exists():
            return f"estimate-properties resume {shlex.quote(str(self.directory))}"
        return "the same script and the same directory"

    def __str__(self) -> str:
        counts = ", ".join(f"{number} {state}" for state, number in self.counts.items() if number)
        return f"{self.directory}: {counts or 'no protocol'}; {self.driver}"


def run_status(directory: Path | str) -> RunStatus:
    """Read the status of a run from its directory; nothing in it is changed.

    Parameters
    ----------
    directory
        That was given to `estimate`, or to a WorkflowGraph.

    Raises
    ------
    InputError
        There is no run in this directory.
    """
    home = Path(directory).resolve()
    try:
        lines = (home / INDEX_NAME).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"directory: {str(home)!r} holds no run: {error.strerror} ({INDEX_NAME})") from None
    holder = holder_of(home)  # before the estimates, which a run writes before it lets go
    lives = holder is not None and still_holds(home, holder)
    remote = holder is not None and not holder.is_local
    return RunStatus(
        directory=home,
        holder=str(holder) if lives else None,
        protocols=tuple(_protocol(home, entry) for entry in _entries(lines)),
        estimates=tuple(_estimates(home, lives=lives)),
        lost=str(holder) if holder is not None and not lives else None,
        silence=seconds_since_beat(home) if remote else None,
    )


def _estimates(home: Path, *, lives: bool) -> Iterator[dict[str, Any]]:
    """Yield where each property was when that was last written: whoever wrote it may have died since."""
    written = _read(home / ESTIMATES_NAME)
    for item in written if isinstance(written, list) else ():
        stopped = not lives and item.get("status") == "running"
        yield item | {"status": _INTERRUPTED} if stopped else item


def _ago(seconds: float) -> str:
    """Return how long ago something was, in few digits."""
    if seconds < _MINUTES_FROM_S:
        return f"{seconds:.0f} s ago"
    minutes = seconds / 60
    return f"{minutes:.0f} min ago" if minutes < 2 * 60 else f"{minutes / 60:.0f} h ago"


def _entries(lines: list[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            entry = json.loads(line)
            yield {"label": entry["label"], "upstream": tuple(entry["upstream"])}
        except (ValueError, KeyError, TypeError):
            continue  # being written, or cut short


def _protocol(run: Path, entry: dict[str, Any]) -> ProtocolStatus:
    home = run / entry["label"]
    known: dict[str, Any] = entry | {"directory": home}
    if (home / RESULT_NAME).exists():
        return ProtocolStatus(**known, state=ProtocolState.finished, **_history(home))
    holder = holder_of(home)
    if holder is not None and still_holds(home, holder):
        known |= {"worker": str(holder), "seconds": _age(home)}
        progress = read_progress(home)
        if progress is not None:
            known |= {"fraction": progress.fraction, "ns_per_day": progress.ns_per_day}
        return ProtocolStatus(**known, state=ProtocolState.running)
    error = _read(home / ERROR_NAME)
    if isinstance(error, dict):
        return ProtocolStatus(**known, state=ProtocolState.failed, error=str(error.get("error")))
    begun = home.exists()
    return ProtocolStatus(**known, state=ProtocolState.interrupted if begun else ProtocolState.waiting)


def _history(home: Path) -> dict[str, Any]:
    """Return who executed a finished protocol, and how long it took."""
    record = _read(home / PROVENANCE_NAME)
    try:
        return {"worker": str(Holder.of(record)), "seconds": _seconds(record["started"], record["finished"])}
    except (ValueError, KeyError, TypeError):
        return {}


def _age(home: Path) -> float | None:
    """Return for how long a directory has been held."""
    try:
        return max(0.0, _seconds(_read(home / LOCK_NAME)["started"], datetime.now(UTC).isoformat()))
    except (ValueError, KeyError, TypeError):
        return None


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _read(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
