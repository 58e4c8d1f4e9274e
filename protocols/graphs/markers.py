"""Markers: what a document holds in place of a value, such as ``{$output: label.name}``.

Every key that begins with a dollar sign is a marker; a key of plain data that does is written with one more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import pint
from pydantic import BaseModel

from protocols.errors import InputError
from protocols.graphs.placeholders import Collected, Current, Iteration, Previous
from protocols.graphs.references import OutputReference, Placeholder, instances_in, replace_instances
from protocols.quantities import exact_text

__all__ = ["FORMS", "Link", "MemberLink", "filled", "linked", "refuse_group_values", "told_of", "written"]

_T = TypeVar("_T")

FORMS = {
    "$output": '{"$output": "label.output"}',
    "$member": '{"$member": "member.output"}',
    "$previous": '{"$previous": "member.output", "start": ...}',
    "$collected": '{"$collected": "member.output"}',
    "$iteration": '{"$iteration": 1}',
}
"""The markers by key, each as it is written; all but the first belong into a group."""


@dataclass(frozen=True, slots=True)
class Link:
    """An output, by the label that its protocol has in the document."""

    label: str
    output: str


@dataclass(frozen=True, slots=True)
class MemberLink:
    """An output of a member of a group."""

    source: Current


_KEYS = {MemberLink: "$member", Previous: "$previous", Collected: "$collected", Iteration: "$iteration"}


def written(value: Any, name: str) -> Any:  # noqa: PLR0911  # one return a kind of value
    """Return an input as plain data, from which its field makes the same again.

    Raises
    ------
    InputError
        There is no plain data for it.
    """
    match value:
        case Enum():
            return written(value.value, name)
        case None | bool() | int() | float() | str():
            return value
        case OutputReference():
            return {"$output": f"{value.protocol.label}.{value.name}"}
        case Placeholder():
            return _written_placeholder(value, name)
        case pint.Quantity():
            return exact_text(value)
        case Path():
            return str(value.absolute())
        case BaseModel():
            fields = type(value).model_fields
            return {field: written(getattr(value, field), f"{name}.{field}") for field in fields}
        case list() | tuple():
            return [written(item, f"{name}[{i}]") for i, item in enumerate(value)]
        case dict():
            return {_escaped(str(key)): written(item, f"{name}[{key!r}]") for key, item in value.items()}
        case _:
            raise InputError(
                f"{name}: {type(value).__name__} cannot be written; give plain data or models of it"
            )


def _written_placeholder(value: Placeholder, name: str) -> dict[str, Any]:
    match value:
        case Current():
            return {"$member": str(value)}
        case Previous():
            return {"$previous": str(value.source), "start": written(value.start, f"{name}.start")}
        case Collected():
            return {"$collected": str(value.source)}
        case Iteration():
            return {"$iteration": value.first}
        case _:
            raise InputError(f"{name}: {type(value).__name__} cannot be written")


def linked(value: Any, name: str) -> Any:
    """Return what a document holds for an input, with links and placeholders for its markers.

    Raises
    ------
    InputError
        A marker is not known, or has another form.
    """
    if isinstance(value, list):
        return [linked(item, f"{name}[{i}]") for i, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    marker = next((key for key in value if _is_marker(key)), None)
    if marker is None:
        return {_unescaped(key): linked(item, f"{name}.{key}") for key, item in value.items()}
    if marker not in FORMS:
        known = ", ".join(FORMS)
        raise InputError(
            f"{name}: {marker!r:.60} is not known; known are {known}; a key of your own has one more $"
        )
    others = {"start"} if marker == "$previous" else set()
    found = _marked(marker, value, name) if value.keys() - {marker} == others else None
    if found is None:
        raise InputError(f"{name}: {value!r:.60} is not a reference; write {FORMS[marker]}")
    return found


def _marked(marker: str, value: Mapping[str, Any], name: str) -> Link | MemberLink | Placeholder | None:
    """Return what a marker stands for, or None if that has another form."""
    given = value[marker]
    if marker == "$iteration":
        return Iteration(first=given) if type(given) is int else None
    owner, _, output = given.rpartition(".") if isinstance(given, str) else ("", "", "")
    if not owner or not output:
        return None
    match marker:
        case "$output":
            return Link(owner, output)
        case "$member":
            return MemberLink(Current(member=owner, output=output))
        case "$collected":
            return Collected(given)
        case _:
            start = linked(value["start"], f"{name}.start")
            with told_of(name):
                return Previous(given, start=start)


def filled(value: Any, kind: type[_T], replacement: Callable[[_T], Any]) -> Any:
    """Return what a document holds for an input, its links of a kind replaced; lists stay lists."""
    if isinstance(value, list):
        return [filled(item, kind, replacement) for item in value]
    if isinstance(value, dict):
        return {key: filled(item, kind, replacement) for key, item in value.items()}
    return replace_instances(value, kind, replacement)


def refuse_group_values(inputs: Mapping[str, Any]) -> None:
    """Raise InputError where an input has a marker that means something only in a group."""
    for name, value in inputs.items():
        found = next(instances_in(value, (MemberLink, Placeholder)), None)
        if found is not None:
            raise InputError(
                f"{name}: {_KEYS[type(found)]} is known in a ConditionalGroup only; "
                "write the protocol among its members"
            )


@contextmanager
def told_of(place: str) -> Iterator[None]:
    """Say of an InputError where in the document it comes from."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{place}: {error}") from error.__cause__


def _is_marker(key: Any) -> bool:
    return isinstance(key, str) and key.startswith("$") and not key.startswith("$$")


def _escaped(key: str) -> str:
    """Return a key that is no marker; one that looks like one gets another dollar sign."""
    return f"${key}" if key.startswith("$") else key


def _unescaped(key: Any) -> Any:
    return key[1:] if isinstance(key, str) and key.startswith("$$") else key
