"""Ends this process with SIGKILL at the n-th file-system operation below a directory.

Python's own functions are wrapped: opening for writing, each write of bytes that reaches the system, fsync,
rename, replace, link, unlink, rmdir and mkdir, with `os` functions and with files of `open` and pathlib.
What native code writes is not seen; the code under test writes nothing that way.
"""

# pathlib calls what is wrapped here
# ruff: noqa: PTH100, PTH115, PTH118

from __future__ import annotations

import builtins
import io
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

VARIANTS = ("before", "after", "torn")

_PATHS = {"rename": 2, "replace": 2, "link": 2, "unlink": 1, "remove": 1, "rmdir": 1, "mkdir": 1}
_TO_WRITE = os.O_WRONLY | os.O_RDWR


class Injector:
    """Counts operations, and kills at one of them.

    Parameters
    ----------
    directory
        Below which operations count.
    at
        Number of the operation, from 0, to die at; None only counts.
    variant
        "before" it happens, "after" it, or "torn": a write whose first half alone reaches the file (for other
        operations the same as "before").

    Attributes
    ----------
    operations
        What was done: name and path below the directory, for moves the two paths.
    """

    def __init__(self, directory: Path, at: int | None, variant: str) -> None:
        self._directory = os.path.realpath(directory)
        self._at = at
        self._variant = variant
        self.operations: list[str] = []

    def install(self) -> None:
        for name in _PATHS:
            setattr(os, name, self._wrap_path_function(name, getattr(os, name)))
        os.open = self._wrap_open(os.open)
        os.fsync = self._wrap_fsync(os.fsync)
        os.write = self._wrap_write(os.write)
        io.open = self._wrap_io_open(io.open)  # what pathlib calls
        builtins.open = io.open

    def _do(
        self,
        name: str,
        paths: list[str],
        operation: Callable[[], Any],
        half: Callable[[], Any] | None = None,
    ) -> Any:
        if not all(f"{path}/".startswith(f"{self._directory}/") for path in paths):
            return operation()
        turn = len(self.operations) == self._at
        self.operations.append([name, *(os.path.relpath(path, self._directory) for path in paths)])
        if not turn:
            return operation()
        if self._variant == "after":
            operation()
        elif self._variant == "torn" and half is not None:
            half()
        return os.kill(os.getpid(), signal.SIGKILL)

    def _wrap_path_function(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            paths = [_absolute(path, options.get("dir_fd")) for path in arguments[: _PATHS[name]]]
            return self._do(name, paths, lambda: function(*arguments, **options))

        return wrapped

    def _wrap_open(self, function: Callable[..., int]) -> Callable[..., int]:
        def wrapped(path: Any, flags: int, *rest: Any, dir_fd: int | None = None) -> int:
            def call() -> int:
                return function(path, flags, *rest, dir_fd=dir_fd)

            return self._do("open", [_absolute(path, dir_fd)], call) if flags & _TO_WRITE else call()

        return wrapped

    def _wrap_fsync(self, function: Callable[[int], None]) -> Callable[[int], None]:
        return lambda file: self._do("fsync", [_path_of(file)], lambda: function(file))

    def _wrap_write(self, function: Callable[[int, Any], int]) -> Callable[[int, Any], int]:
        def wrapped(file: int, data: Any) -> int:
            half = bytes(data)[: len(data) // 2]
            return self._do(
                "write", [_path_of(file)], lambda: function(file, data), lambda: function(file, half)
            )

        return wrapped

    def _wrap_io_open(self, function: Callable[..., Any]) -> Callable[..., Any]:
        injector = self

        class Raw(io.FileIO):
            def write(self, data: Any) -> Any:
                half = bytes(data)[: len(data) // 2]
                write = super().write
                return injector._do("write", [_absolute(self.name)], lambda: write(data), lambda: write(half))

        def wrapped(file: Any, mode: str = "r", *rest: Any, **options: Any) -> Any:
            if isinstance(file, int) or not set(mode) & set("wax+"):
                return function(file, mode, *rest, **options)
            kind = mode.replace("b", "").replace("t", "")
            raw = self._do("open", [_absolute(file)], lambda: Raw(os.fspath(file), kind))
            buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
            return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding="utf-8")

        return wrapped


def _path_of(file: Any) -> str:
    descriptor = file if isinstance(file, int) else file.fileno()
    return os.readlink(f"/proc/self/fd/{descriptor}")


def _absolute(path: Any, directory: int | None = None) -> str:
    """Return the path with its parent resolved; the last part may be a link, or not there."""
    start = "" if directory is None else _path_of(directory)
    head, tail = os.path.split(os.path.abspath(os.path.join(start, os.fsdecode(path))))
    return os.path.join(os.path.realpath(head), tail)
