"""Large parts of a task: files of the run's directory, which both ends see, in place of messages.

A message is base64 in JSON, and copied many times on its way through Celery.
"""

from __future__ import annotations

from pathlib import Path

from workflow_backends.runner import Ticket

__all__ = ["put_aside", "take_back"]

_LARGE = 1 << 20


def put_aside(ticket: Ticket, part: str, data: bytes) -> bytes | None:
    """Write a part of a task into a file if it is large; return what goes into the message, None then."""
    if len(data) < _LARGE:
        return data
    file = _file(ticket, part)
    try:
        file.write_bytes(data)
    except OSError:  # the disk is full: the broker may have room
        file.unlink(missing_ok=True)
        return data
    return None


def take_back(ticket: Ticket, part: str, data: bytes | None) -> bytes:
    """Return a part of a task from its message, or from its file, which goes."""
    if data is None:
        file = _file(ticket, part)
        data = file.read_bytes()
        file.unlink()
    return data


def _file(ticket: Ticket, part: str) -> Path:
    return Path(ticket.directory, f"{ticket.attempt}.{part}")
