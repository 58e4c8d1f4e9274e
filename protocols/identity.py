"""Identity by content: what an input is, as plain data, and the hash of it."""

from __future__ import annotations

import hashlib
import inspect
import json
import re
import site
import sysconfig
from enum import Enum
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pint

from protocols.errors import InputError
from protocols.quantities import canonical

__all__ = ["content", "digest", "file_digest", "source_digest"]

_OURS = __name__.partition(".")[0]
# What Python, abc and pydantic add to a class, which says nothing more or differs from process to process.
_ADDRESS = re.compile(" at 0x[0-9a-f]+")
_IGNORED = re.compile("__(?!annotations__|init__|call__)|_abc_|model_config$")


def digest(data: Any) -> str:
    """Return the SHA-256 of plain data, independent of the order of keys."""
    return hashlib.sha256(json.dumps(data, sort_keys=True, allow_nan=False).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content(value: Any, name: str) -> Any:  # noqa: PLR0911  # one return a kind of value
    """Return an input as plain data: files by their content, quantities in one unit.

    Whatever has a method ``identity_content`` says itself what it is, in plain data, equal for equal things.

    Raises
    ------
    InputError
        A file that cannot be read, or a value whose content cannot be told.
    """
    match value:
        case Enum():
            return content(value.value, name)
        case float():
            return int(value) if value.is_integer() else value
        case None | bool() | int() | str():
            return value
        case pint.Quantity():
            return {"quantity": canonical(value)}
        case Path():
            return {"file": _input_file(value, name)}
        case list() | tuple():
            return [content(item, f"{name}[{i}]") for i, item in enumerate(value)]
        case dict():
            return {str(key): content(item, f"{name}[{key!r}]") for key, item in value.items()}
        case _ if hasattr(value, "identity_content"):
            return value.identity_content()
        case _:
            raise InputError(
                f"{name}: {type(value).__name__} has no identity; give numbers, text, quantities, paths,"
                " models, or lists and dicts of these"
            )


def _input_file(path: Path, name: str) -> str:
    try:
        return file_digest(path)
    except OSError as error:
        raise InputError(f"{name}: {str(path)!r} cannot be read: {error.strerror}") from None


@cache
def source_digest(cls: type) -> str | None:
    """Return a hash of the class's code if it does not come from an installed package, else None.

    An installed package changes with its version, and its authors number their protocols; a script or a
    notebook changes without notice.
    """
    own = [base for base in cls.__mro__ if not _installed(base)]
    return digest([_source(base) for base in own]) if own else None


def _installed(cls: type) -> bool:
    package = cls.__module__.partition(".")[0]
    if package in {_OURS, "builtins"}:
        return True
    try:
        file = Path(inspect.getfile(cls)).resolve()
    except (OSError, TypeError):
        return False
    paths = sysconfig.get_paths()
    places = [
        paths["stdlib"],
        paths["purelib"],
        paths["platlib"],
        *site.getsitepackages(),
        site.getusersitepackages(),
    ]
    return any(file.is_relative_to(Path(place).resolve()) for place in places)


def _source(cls: type) -> Any:
    try:
        return inspect.getsource(cls)
    except (OSError, TypeError):  # typed at a prompt or in a notebook: there is no text, but there is code
        members = {name: _member(item) for name, item in vars(cls).items() if not _IGNORED.match(name)}
        return {"name": cls.__qualname__, "members": members}


def _member(item: Any) -> Any:
    """Return what makes up a member of a class: code, constants, declared types."""
    for wrapper in ("__func__", "__wrapped__", "wrapped", "func"):  # of class methods, validators, properties
        item = getattr(item, wrapper, item)
    match item:
        case property():
            return [_member(function) for function in (item.fget, item.fset, item.fdel)]
        case FunctionType():
            return [_code(item.__code__), _constant(item.__defaults__), _constant(item.__kwdefaults__)]
        case type():
            return _source(item)
        case _:
            return _constant(item)


def _constant(value: Any) -> Any:
    """Return a constant as text that does not depend on the process."""
    match value:
        case CodeType():
            return _code(value)
        case frozenset() | set():
            return sorted(map(repr, value))
        case dict():
            return [[str(key), _constant(item)] for key, item in value.items()]
        case list() | tuple():
            return [_constant(item) for item in value]
        case _:
            return _ADDRESS.sub("", repr(value))


def _code(code: CodeType) -> Any:
    return [code.co_code.hex(), [_constant(item) for item in code.co_consts], list(code.co_names)]
