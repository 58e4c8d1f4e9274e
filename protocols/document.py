"""Documents: protocols and their wiring as plain data that JSON and YAML can hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

import pint
from pydantic import BaseModel, StrictInt, StrictStr, field_validator

from protocols.errors import InputError
from protocols.model import Model
from protocols.plugins import find_class, name_of
from protocols.quantities import exact_text
from protocols.references import OutputReference

if TYPE_CHECKING:
    from protocols.protocol import Protocol

__all__ = ["FORMAT", "REFERENCE_KEY", "VERSION", "only_end", "read_document", "write_document"]

FORMAT = "estimate-properties/workflow"
VERSION = 1
REFERENCE_KEY = "$output"

_P = TypeVar("_P")
_LISTED = 30  # names in one message
_LIKE_A_REFERENCE = re.compile(r"\$+output")


class WorkflowDocument(Model):
    """The outermost level of a document."""

    format: Literal["estimate-properties/workflow"]
    version: StrictInt
    protocols: dict[StrictStr, Any]

    @field_validator("version")
    @classmethod
    def _readable(cls, version: int) -> int:
        if version != VERSION:
            newer = "; a newer release of estimate-properties may read it" if version > VERSION else ""
            raise InputError(
                f"version: {version} is not allowed; this release reads version {VERSION}{newer}"
            )
        return version


class ProtocolEntry(Model):
    """One protocol in a document."""

    type: StrictStr
    version: StrictInt
    inputs: dict[StrictStr, Any]


class _Link(NamedTuple):
    """An output, by the label that its protocol has in the document."""

    label: str
    output: str


def write_document(protocols: Iterable[Protocol]) -> dict[str, Any]:
    """Return protocols as a document.

    Parameters
    ----------
    protocols
        Each once, with everything upstream of them.

    Raises
    ------
    InputError
        A class or an input could not be read back as it is.
    """
    names: dict[type[Protocol], str] = {}
    entries = {}
    for protocol in protocols:
        cls = type(protocol)
        if cls not in names:
            names[cls] = name_of(cls)
        inputs = {
            name: _written(getattr(protocol, name), f"{cls.__name__}.{name}") for name in cls.model_fields
        }
        _check_reads_back(protocol, inputs)
        entries[protocol.label] = {"type": names[cls], "version": cls.version, "inputs": inputs}
    return {"format": FORMAT, "version": VERSION, "protocols": entries}


def read_document(data: Any, base: type[Any]) -> dict[str, Protocol]:
    """Return the protocols of a document by their labels, upstream first.

    Parameters
    ----------
    data
        The document as plain data.
    base
        What every class in it must be a subclass of: Protocol.

    Raises
    ------
    InputError
        The document has another format or a newer version; or a protocol in it, which the message names, is
        unknown, has another version, unknown or missing inputs, or refers to what is not there or to itself.
    """
    if not isinstance(data, dict):
        raise InputError(f"document: it must be a mapping of format, version and protocols, not {data!r:.60}")
    protocols = WorkflowDocument(**{str(key): value for key, value in data.items()}).protocols
    entries = {label: _entry(label, raw) for label, raw in protocols.items()}
    classes = _classes(entries, base)
    read: dict[str, Protocol] = {}
    for label in _upstream_first(entries):
        try:
            read[label] = _built(classes[entries[label].type], entries[label].inputs, read)
        except InputError as error:
            raise InputError(f"protocols.{label}: {error}") from None
    return read


def only_end(protocols: Mapping[str, Protocol], kind: type[_P]) -> _P:
    """Return the one protocol on which no other depends.

    Raises
    ------
    InputError
        There is none or there are several, or it is not of the kind.
    """
    needed = {upstream.identity for protocol in protocols.values() for upstream in protocol.upstream}
    ends = {p.identity: (label, p) for label, p in protocols.items() if p.identity not in needed}
    if len(ends) != 1:
        found = _listed([label for label, _ in ends.values()]) or "none"
        raise InputError(
            f"document: it must end in one protocol, and ends in {found}; read it as a WorkflowGraph"
        )
    [(label, end)] = ends.values()
    if not isinstance(end, kind):
        raise InputError(
            f"document: it ends in {label}, which is a {type(end).__name__}, not a {kind.__name__}"
        )
    return end


def _written(value: Any, name: str) -> Any:  # noqa: PLR0911  # one return a kind of value
    """Return an input as plain data, from which its field makes the same again."""
    match value:
        case Enum():
            return _written(value.value, name)
        case None | bool() | int() | float() | str():
            return value
        case OutputReference():
            return {REFERENCE_KEY: f"{value.protocol.label}.{value.name}"}
        case pint.Quantity():
            return exact_text(value)
        case Path():
            return str(value.absolute())
        case BaseModel():
            fields = type(value).model_fields
            return {field: _written(getattr(value, field), f"{name}.{field}") for field in fields}
        case list() | tuple():
            return [_written(item, f"{name}[{i}]") for i, item in enumerate(value)]
        case dict():
            return {_escaped(str(key)): _written(item, f"{name}[{key!r}]") for key, item in value.items()}
        case _:
            raise InputError(
                f"{name}: {type(value).__name__} cannot be written; give plain data or models of it"
            )


def _check_reads_back(protocol: Protocol, inputs: dict[str, Any]) -> None:
    """Refuse what its field would read as something else, for example a path in a field of any type."""
    upstream = {item.label: item for item in protocol.upstream}
    try:
        copy = _built(type(protocol), _linked(inputs, "inputs"), upstream)
    except (InputError, TypeError) as error:
        raise InputError(
            f"{protocol.label} cannot be written, because it could not be read: {error}"
        ) from None
    if copy.identity != protocol.identity:
        before, after = (item.identity_content()["inputs"] for item in (protocol, copy))
        changed = ", ".join(name for name in before if before[name] != after[name])
        raise InputError(
            f"{changed}: cannot be written, because {type(protocol).__name__} would read something else;"
            " declare it as the type that it has"
        )


def _entry(label: str, raw: Any) -> ProtocolEntry:
    """Return an entry whose references are links."""
    if not isinstance(raw, dict):
        raise InputError(
            f"protocols.{label}: it must be a mapping of type, version and inputs, not {raw!r:.60}"
        )
    try:
        entry = ProtocolEntry(**{str(key): value for key, value in raw.items()})
        return entry.model_copy(update={"inputs": _linked(entry.inputs, "inputs")})
    except InputError as error:
        raise InputError(f"protocols.{label}: {error}") from None


def _linked(value: Any, name: str) -> Any:
    """Return what a document holds for an input, with links for its references."""
    if isinstance(value, list):
        return [_linked(item, f"{name}[{i}]") for i, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    if REFERENCE_KEY not in value:
        return {_unescaped(key): _linked(item, f"{name}.{key}") for key, item in value.items()}
    label, dot, output = str(value[REFERENCE_KEY]).rpartition(".")
    if len(value) > 1 or not dot:
        raise InputError(
            f'{name}: {value!r:.60} is not a reference; write {{"{REFERENCE_KEY}": "label.output"}}'
        )
    return _Link(label, output)


def _links(value: Any) -> Iterator[_Link]:
    if isinstance(value, _Link):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _links(item)


def _filled(value: Any, upstream: Mapping[str, Protocol]) -> Any:
    """Return an input with references for its links."""
    if isinstance(value, _Link):
        return getattr(upstream[value.label].output, value.output)
    if isinstance(value, list):
        return [_filled(item, upstream) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, upstream) for key, item in value.items()}
    return value


def _classes(entries: Mapping[str, ProtocolEntry], base: type[Any]) -> dict[str, type[Protocol]]:
    """Return the class of every type, each looked up once."""
    classes: dict[str, type[Protocol]] = {}
    for label, entry in entries.items():
        try:
            cls = classes.get(entry.type) or find_class(entry.type, base)
        except InputError as error:
            raise InputError(f"protocols.{label}: {error}") from error
        if entry.version != cls.version:
            raise InputError(
                f"protocols.{label}: version: {entry.version} is not allowed; {entry.type} has version "
                f"{cls.version} here, and another version may give other results"
            )
        classes[entry.type] = cls
    return classes


def _upstream_first(entries: Mapping[str, ProtocolEntry]) -> list[str]:
    """Return the labels in an order in which the protocols can be built."""
    needs = {label: [link.label for link in _links(entry.inputs)] for label, entry in entries.items()}
    for label, needed in needs.items():
        unknown = next((other for other in needed if other not in entries), None)
        if unknown is not None:
            raise InputError(
                f"protocols.{label}: refers to {unknown!r}, which is not in the document; "
                f"its protocols are {_listed(list(entries))}"
            )
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise InputError(f"protocols: they form a circle, {' -> '.join(error.args[1])}") from None


def _built(cls: type[Protocol], inputs: Mapping[str, Any], upstream: Mapping[str, Protocol]) -> Protocol:
    protocol = cls(**{name: _filled(item, upstream) for name, item in inputs.items()})
    _ = protocol.identity  # now, so that a missing file is told of this protocol and not of the next one
    return protocol


def _escaped(key: str) -> str:
    """Return a key that is no reference; one that looks like one gets another dollar sign."""
    return f"${key}" if _LIKE_A_REFERENCE.fullmatch(key) else key


def _unescaped(key: Any) -> Any:
    return key[1:] if isinstance(key, str) and _LIKE_A_REFERENCE.fullmatch(key) else key


def _listed(names: list[str]) -> str:
    shown = names[:_LISTED]
    return ", ".join(shown) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
