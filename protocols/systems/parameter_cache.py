"""Parameters that took long to compute, kept for other runs in a folder of the user's."""

from __future__ import annotations

import json
import logging
import os
import socket
from pathlib import Path

from protocols.identity import digest

__all__ = ["cache_folder", "keep", "recall"]

_VARIABLE = "ESTIMATE_PROPERTIES_CACHE"

_logger = logging.getLogger(__name__)


def cache_folder() -> Path | None:
    """Return the folder that ESTIMATE_PROPERTIES_CACHE names, or None if that variable is empty.

    Where it is not set, ``estimate-properties`` in XDG_CACHE_HOME, or in ``~/.cache``.
    """
    named = os.environ.get(_VARIABLE)
    if named is not None:
        return Path(named).expanduser() if named else None
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path("~/.cache").expanduser()) / "estimate-properties"


def recall(key: str) -> dict[str, str] | None:
    """Return what was kept under this key; None if nothing was, or it is damaged.

    Parameters
    ----------
    key
        A hash of all that the content depends on.
    """
    folder = cache_folder()
    if folder is None:
        return None
    try:
        kept = json.loads((folder / f"{key}.json").read_text(encoding="utf-8"))
        content: dict[str, str] = kept["content"]
        return content if kept["digest"] == digest(content) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep(key: str, content: dict[str, str]) -> None:
    """Keep texts under a key, if the folder can be written; several may do so at once.

    Parameters
    ----------
    key
        A hash of all that the content depends on.
    content
        Texts by name.
    """
    folder = cache_folder()
    if folder is None:
        return
    draft = folder / f".{key}.{socket.gethostname()}.{os.getpid()}.tmp"  # several hosts may share the folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps({"digest": digest(content), "content": content}), encoding="utf-8")
        draft.replace(folder / f"{key}.json")
    except OSError as error:
        _logger.warning("%s: parameters are not kept for other runs (%s)", folder, error.strerror)
