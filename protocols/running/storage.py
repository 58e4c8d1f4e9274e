"""Results on disk: written whole or not at all, checked when read, independent of where the run lies."""

from __future__ import annotations

import errno
import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from protocols.errors import CorruptFileError, DiskFullError, InputError
from protocols.identity import digest, file_digest
from protocols.model import Model

__all__ = [
    "ERROR_NAME",
    "RESULT_NAME",
    "load_outputs",
    "name_full_disk",
    "read_outputs",
    "save_outputs",
    "set_aside",
    "sync_directory",
    "sync_file",
    "write_atomically",
]

ERROR_NAME = "error.json"
RESULT_NAME = "result.json"

_logger = logging.getLogger(__name__)
_O = TypeVar("_O", bound=Model)


def write_atomically(path: Path, data: str | bytes, *, durable: bool = False) -> None:
    """Write a file so that it has its old content or its new one, whatever dies.

    Parameters
    ----------
    path
        To write or replace.
    data
        Text or bytes.
    durable
        Whether to wait until the disk has it.
    """
    draft = path.with_name(f".{path.name}.tmp")  # one writer a directory; a leftover is written over
    try:
        with draft.open("wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    if durable:
        sync_directory(path.parent)


@contextmanager
def name_full_disk(directory: Path) -> Iterator[None]:
    """Turn the system's error of a full disk into one that says which directory, and what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        reason = os.strerror(error.errno)
        raise DiskFullError(
            f"{directory}: the disk is full ({reason}); make space on it and run the same command again:"
            " it goes on where it stopped"
        ) from error


def sync_file(path: Path) -> None:
    """Wait until the disk has a file's content."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def sync_directory(directory: Path) -> None:
    """Wait until the disk has the names in a directory."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def set_aside(path: Path, reason: str) -> Path:
    """Rename a file or directory that cannot be used, keep it, and say so in the log."""
    number = 1
    while (aside := path.with_name(f"{path.name}.corrupt-{number}")).exists():
        number += 1
    path.rename(aside)
    _logger.warning("%s cannot be used (%s); kept as %s and made again", path, reason, aside.name)
    return aside


def save_outputs(directory: Path, outputs: Model, identity: str, *, durable: bool) -> None:
    """Write the outputs as the directory's result; from now on it counts as finished.

    Parameters
    ----------
    directory
        Of the protocol.
    outputs
        What it gave; every file among them is recorded with its size and digest.
    identity
        Of the protocol.
    durable
        Whether to wait until the disk has the files and the result.

    Raises
    ------
    InputError
        An output file lies outside the directory.
    """
    relative = _map_paths(outputs, lambda path: _inside(directory, path))
    files: dict[str, Any] = {}
    _map_paths(relative, lambda path: _record_file(directory, path, files))
    if durable:
        for name in files:
            sync_file(directory / name)
    data = {"protocol": identity, "outputs": relative.model_dump(mode="json"), "files": files}
    write_atomically(directory / RESULT_NAME, json.dumps(data | {"digest": digest(data)}), durable=durable)
    if durable:
        sync_directory(directory.parent)


def load_outputs(directory: Path, parse: Callable[[dict[str, Any]], _O], identity: str) -> _O | None:
    """Return the outputs of a finished protocol, or None when the directory is not finished.

    A result that cannot be read, or whose files are missing or not what was written, is set aside, and the
    file as well.

    Parameters
    ----------
    directory
        Of the protocol.
    parse
        Makes outputs of plain data.
    identity
        Of the protocol.

    Raises
    ------
    InputError
        The directory holds the result of another protocol.
    """
    try:
        return read_outputs(directory, parse, identity)
    except CorruptFileError as error:
        damaged = error.path or directory / RESULT_NAME
        for path in dict.fromkeys((damaged, directory / RESULT_NAME)):  # the result last: it is what counts
            if path.exists():
                set_aside(path, str(error))
        return None


def read_outputs(directory: Path, parse: Callable[[dict[str, Any]], _O], identity: str) -> _O | None:
    """Return the outputs of a finished protocol, or None; touch nothing.

    Raises
    ------
    InputError
        The directory holds the result of another protocol.
    CorruptFileError
        The result or one of its files is not what was written.
    """
    path = directory / RESULT_NAME
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        data = json.loads(text)
        if data.pop("digest") != digest(data):
            raise CorruptFileError(f"{RESULT_NAME} is not what was written", path)
        _refuse_another(directory, identity, data["protocol"])
        for name, record in data["files"].items():
            _compare(directory, name, record)
        return _map_paths(parse(data["outputs"]), lambda path: directory / path)
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CorruptFileError(" ".join(str(error).split()), path) from error


def _refuse_another(directory: Path, identity: str, found: object) -> None:
    """Raise InputError unless what was found in a directory is this protocol's."""
    if found != identity:
        raise InputError(
            f"directory: {str(directory)!r} belongs to another protocol, {found!s:.16}, not to "
            f"{identity:.16}; give each a directory of its own"
        )


def _compare(directory: Path, name: str, record: dict[str, Any]) -> None:
    file = directory / name
    found = file.stat().st_size if file.exists() else None
    if found != record["size"]:
        raise CorruptFileError(f"{name} has {found} bytes where {record['size']} were written", file)
    if file_digest(file) != record["sha256"]:
        raise CorruptFileError(f"{name} is not what was written", file)


def _inside(directory: Path, path: Path) -> Path:
    absolute = path if path.is_absolute() else directory / path
    try:
        return absolute.resolve().relative_to(directory.resolve())
    except ValueError:
        raise InputError(f"output {str(path)!r} lies outside the protocol's directory {directory}") from None


def _record_file(directory: Path, path: Path, files: dict[str, Any]) -> Path:
    if (directory / path).is_file():
        size = (directory / path).stat().st_size
        files[str(path)] = {"size": size, "sha256": file_digest(directory / path)}
    return path


def _map_paths(outputs: _O, change: Callable[[Path], Path]) -> _O:
    """Return a copy of the outputs with every path, alone or in a tuple, changed."""

    def changed(value: Any) -> Any:
        if isinstance(value, Path):
            return change(value)
        return tuple(changed(item) for item in value) if isinstance(value, tuple) else value

    return outputs.model_copy(update={name: changed(value) for name, value in outputs})
