"""The commands that look at a run: status and report."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import typer
from rich.console import Console
from rich.live import Live
from rich.text import Text

from protocols.calculations.kept import kept_calculation
from protocols.cli.exits import Exit, reporting, say
from protocols.errors import InputError
from protocols.progress import describe_summary
from protocols.properties.base import Property
from protocols.report import write_report
from protocols.status import ProtocolState, ProtocolStatus, RunStatus, run_status

__all__ = ["make_report", "show_status"]

_EVERY_S = 2.0


def show_status(directory: Path, *, everything: bool, watch: bool, as_json: bool) -> None:
    """Print where a run stands; end with 1 when a protocol has failed."""
    with reporting(as_json=as_json):
        found = run_status(directory)
        if watch:
            found = _watch(directory, everything=everything, silent=as_json)
        say(_text(found, everything=everything), _data(found), as_json=as_json)
        raise typer.Exit(Exit.failed if found.counts[ProtocolState.failed] else Exit.fine)


def make_report(directory: Path, output: Path | None, *, as_json: bool) -> None:
    """Write the report of a run, with the values that its calculation compares with."""
    with reporting(as_json=as_json):
        run_status(directory)  # says so where there is no run
        try:
            references = kept_calculation(directory).references
        except InputError:  # a run of a script, or one whose files have gone
            references = {}
        asked = {estimate["property"] for estimate in run_status(directory).estimates}
        known: dict[str | Property, object] = {
            str(item): values for item, values in references.items() if str(item) in asked
        }
        written = write_report(directory, output, known)
        say(f"Written: {written}", {"report": str(written)}, as_json=as_json)


def _watch(directory: Path, *, everything: bool, silent: bool) -> RunStatus:
    """Show the status until the run ends or Ctrl-C, which leaves the run alone; return the last one."""
    console, before = Console(quiet=silent), None
    with suppress(KeyboardInterrupt), Live(console=console, auto_refresh=False, transient=True) as live:
        while (found := run_status(directory)).holder is not None:
            if console.is_terminal:
                live.update(Text(_text(found, everything=everything)), refresh=True)
            elif found.counts != before and not silent:
                typer.echo(found)
            before = found.counts
            time.sleep(_EVERY_S)
    return run_status(directory)


def _text(status: RunStatus, *, everything: bool) -> str:
    quiet = {ProtocolState.finished, ProtocolState.waiting}
    return "\n".join(
        [
            str(status),
            *(f"{estimate['property']}: {describe_summary(estimate)}" for estimate in status.estimates),
            *(_line(item) for item in status.protocols if everything or item.state not in quiet),
        ]
    )


def _line(protocol: ProtocolStatus) -> str:
    took = "" if protocol.seconds is None else f"{protocol.seconds:.0f} s"
    detail = protocol.error or ""
    if protocol.fraction is not None:
        detail = f"{protocol.fraction:.0%}, {protocol.ns_per_day:.1f} ns/day"
    words = f"{protocol.state:<12} {protocol.label:<42} {protocol.worker or '':<28} {took:>8}  {detail}"
    return words.rstrip()


def _data(status: RunStatus) -> dict[str, object]:
    more = {"interrupted": status.interrupted, "driver": status.driver}
    return asdict(status) | more | {"counts": {str(state): number for state, number in status.counts.items()}}
