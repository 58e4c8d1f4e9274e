"""Looking at processes that may end while they are looked at."""

from __future__ import annotations

import contextlib

import psutil


def descendants(pid: int | None = None, *, recursive: bool = True) -> list[psutil.Process]:
    """All that a process, by default this one, and its children started; none if it has ended."""
    try:
        return psutil.Process(pid).children(recursive)
    except psutil.NoSuchProcess:
        return []


def named(word: str, pid: int | None = None) -> list[psutil.Process]:
    """The descendants of a process that have a word in their command line."""
    return [process for process in descendants(pid) if word in command_line(process)]


def command_line(process: psutil.Process) -> str:
    """What a process was started with; nothing if it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def listening(pid: int | None = None) -> set[tuple[str, int]]:
    """Where a process and its descendants listen: addresses, without the prefix of IPv6, and ports."""
    found = set()
    for process in [psutil.Process(pid), *descendants(pid)]:
        with contextlib.suppress(psutil.Error):
            connections = process.net_connections()
            found |= {c.laddr for c in connections if c.status == psutil.CONN_LISTEN}
    return {(address.removeprefix("::ffff:"), port) for address, port in found}
