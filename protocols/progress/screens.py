"""Where progress is shown: live on a terminal and in a notebook, in plain lines anywhere else."""

from __future__ import annotations

import io
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live

from protocols.progress.drawing import View, headline, simulated
from protocols.progress.snapshot import Snapshot, Standing, Watcher
from protocols.running.run import GraphRun

__all__ = ["Lines", "show_progress"]

_LOOK_S = 1.0
_SPARE = 200  # times what a look takes are left to the simulations, which may share this core
_LINES_S, _RARELY_S = 30.0, 600.0
_WIDTH, _KINDS = 200, 3
_NOTEBOOK_LINES = 30


@contextmanager
def show_progress(
    run: GraphRun, summaries: Callable[[], list[dict[str, Any]]], wanted: bool | None
) -> Iterator[None]:
    """Show progress while the block runs, from a thread that sleeps most of the time.

    Parameters
    ----------
    run, summaries
        See `Watcher`.
    wanted
        False shows nothing. True and None show a live view on a terminal and in a notebook, and plain lines
        on standard error elsewhere: with None only once the run has taken half a minute.
    """
    if wanted is False:
        yield
        return
    watcher, screen, stop = Watcher(run, summaries), _screen(bool(wanted)), threading.Event()

    def watch() -> None:
        ended = False
        while not ended:
            began = time.thread_time()
            screen.show(watcher.look())
            ended = stop.wait(max(_LOOK_S, _SPARE * (time.thread_time() - began)))
        screen.end(watcher.look())

    thread = threading.Thread(target=watch, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _screen(at_once: bool) -> Screen:
    console = Console(stderr=True)
    if console.is_jupyter:
        return _Notebook()
    return _Terminal(console) if console.is_terminal else Lines(console, at_once)


class Screen(ABC):
    """A place to show snapshots."""

    @abstractmethod
    def show(self, snapshot: Snapshot) -> None:
        """Show where the run stands."""

    @abstractmethod
    def end(self, snapshot: Snapshot) -> None:
        """Show where the run has ended."""


class _Terminal(Screen):
    """A view that is drawn again only when something has changed, and goes when the run ends."""

    def __init__(self, console: Console) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._last: Snapshot | None = None

    def show(self, snapshot: Snapshot) -> None:
        if snapshot != self._last:
            self._last = snapshot
            self._live.start()
            self._live.update(View(snapshot), refresh=True)

    def end(self, snapshot: Snapshot) -> None:  # noqa: ARG002  # what is left is for the caller to print
        self._live.stop()


class _Notebook(Screen):
    """One output of the cell, replaced in place."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._last: Snapshot | None = None

    def show(self, snapshot: Snapshot) -> None:
        if snapshot == self._last:
            return
        self._last = snapshot
        display = sys.modules["IPython.display"].display
        console = Console(width=100, record=True, file=io.StringIO(), force_jupyter=False)
        console.print(View(snapshot, _NOTEBOOK_LINES))
        data = {
            "text/plain": console.export_text(clear=False).rstrip(),
            "text/html": console.export_html(inline_styles=True, code_format=_HTML),
        }
        if self._handle is None:
            self._handle = display(data, raw=True, display_id=True)
        else:
            self._handle.update(data, raw=True)

    def end(self, snapshot: Snapshot) -> None:
        self.show(snapshot)


_HTML = '<pre style="line-height:1.3;font-family:monospace">{code}</pre>'


class Lines(Screen):
    """Plain lines every half minute: where the run stands, and the properties that have something new.

    A property that has ended is told at once. While nothing moves, as in a queue, lines become rarer.

    Parameters
    ----------
    console
        Where to print.
    at_once
        Whether the first lines do not wait for half a minute.
    """

    def __init__(self, console: Console, at_once: bool) -> None:
        self._file = console.file
        self._last = time.monotonic() - (_LINES_S if at_once else 0.0)
        self._wait = _LINES_S
        self._told: dict[int, Standing] = {}
        self._said = ""
        self._speaks = at_once

    def show(self, snapshot: Snapshot) -> None:
        """Print where the run stands, unless that was done just before."""
        due = time.monotonic() - self._last >= self._wait
        if snapshot.total and (due or self._has_ended(snapshot)):
            news = self._news(snapshot)
            line = _in_one_line(snapshot, with_value=not news)
            still = not news and line == self._said
            self._wait = min(2 * self._wait, _RARELY_S) if still else _LINES_S
            self._last, self._speaks, self._said = time.monotonic(), True, line
            self._print([line, *news])

    def end(self, snapshot: Snapshot) -> None:
        """Print what is new, if anything has been printed."""
        news = self._news(snapshot) if self._speaks else []
        if news:
            self._print([_in_one_line(snapshot, with_value=False), *news])

    def _has_ended(self, snapshot: Snapshot) -> bool:
        """Tell whether a property of which something was told has ended since."""
        return any(
            told.status == "running" != snapshot.properties[number].status
            for number, told in self._told.items()
        )

    def _news(self, snapshot: Snapshot) -> list[str]:
        """Return the lines of properties that have not been told so."""
        news = []
        for number, standing in enumerate(snapshot.properties):
            before = self._told.get(number)
            if before is None or before.text != standing.text:
                self._told[number] = standing
                news.append(standing.text)
        return news

    def _print(self, lines: Sequence[str]) -> None:
        now = time.strftime("%H:%M:%S")
        self._file.write("".join(f"{now} {line}\n" for line in lines))
        self._file.flush()


def _in_one_line(snapshot: Snapshot, *, with_value: bool) -> str:
    """Return where the run stands, with the value of its only property that is not ready."""
    others = f"{', '.join(snapshot.others[:_KINDS])} at work" if snapshot.others else ""
    line = ", ".join(filter(None, (headline(snapshot, _WIDTH), simulated(snapshot), others)))
    running = [each for each in snapshot.properties if each.status == "running"]
    return f"{line}; {running[0].text}" if with_value and len(running) == 1 else line
