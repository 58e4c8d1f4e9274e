"""Where the files are that a user names: from the current directory, or from the file that names them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

__all__ = ["located", "relative_to"]

_FOLDER: ContextVar[Path | None] = ContextVar("folder", default=None)


@contextmanager
def relative_to(folder: Path) -> Iterator[None]:
    """Take relative paths as relative to this folder while the block runs, in this thread or task."""
    token = _FOLDER.set(folder)
    try:
        yield
    finally:
        _FOLDER.reset(token)


def located(path: Path | str) -> Path:
    """Return the path of a file that a user has named, which may begin with ``~``."""
    named, folder = Path(path).expanduser(), _FOLDER.get()
    return named if folder is None else folder / named
