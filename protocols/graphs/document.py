"""Documents: protocols and their wiring as plain data that JSON and YAML can hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache, partial
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import StrictInt, StrictStr, field_validator

from protocols.errors import InputError
from protocols.graphs.markers import Link, filled, linked, told_of, written
from protocols.graphs.plugins import find_class, name_of
from protocols.graphs.references import instances_in
from protocols.model import Model

if TYPE_CHECKING:
    from protocols.graphs.protocol import Protocol

__all__ = [
    "FORMAT",
    "VERSION",
    "ProtocolEntry",
    "only_end",
    "read_document",
    "read_entries",
    "write_document",
]

FORMAT = "estimate-properties/workflow"
VERSION = 1

_P = TypeVar("_P")
_LISTED = 30  # names in one message


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
    type_name = cache(name_of)
    entries = {}
    for protocol in protocols:
        cls = type(protocol)
        inputs = {
            name: written(value, f"{cls.__name__}.{name}")
            for name, value in protocol.document_inputs(type_name).items()
        }
        _check_reads_back(protocol, inputs)
        entries[protocol.label] = {"type": type_name(cls), "version": cls.version, "inputs": inputs}
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
    entries, classes = read_entries(protocols, base, "protocols")
    for label, entry in entries.items():
        with told_of(f"protocols.{label}"):
            entries[label] = entry.model_copy(update={"inputs": linked(entry.inputs, "inputs")})
    read: dict[str, Protocol] = {}
    for label in _upstream_first(entries):
        read[label] = _built(classes[label], entries[label].inputs, read, f"protocols.{label}")
    return read


def read_entries(
    protocols: Mapping[str, Any], base: type[Any], where: str
) -> tuple[dict[str, ProtocolEntry], dict[str, type[Protocol]]]:
    """Return protocols as a document holds them, checked on their own, and the class of each.

    Raises
    ------
    InputError
        One has another form, or its type or version is not known; the message says where.
    """
    find = cache(partial(find_class, base=base))
    entries: dict[str, ProtocolEntry] = {}
    classes: dict[str, type[Protocol]] = {}
    for label, raw in protocols.items():
        with told_of(f"{where}.{label}"):
            if not isinstance(raw, dict):
                raise InputError(f"it must be a mapping of type, version and inputs, not {raw!r:.60}")
            entries[label] = ProtocolEntry(**{str(key): value for key, value in raw.items()})
            classes[label] = find(entries[label].type)
            _check_version(entries[label], classes[label])
    return entries, classes


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


def _check_reads_back(protocol: Protocol, inputs: dict[str, Any]) -> None:
    """Refuse what its field would read as something else, for example a path in a field of any type."""
    upstream = {item.label: item for item in protocol.upstream}
    try:
        copy = _built(type(protocol), linked(inputs, "inputs"), upstream, "inputs")
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


def _check_version(entry: ProtocolEntry, cls: type[Protocol]) -> None:
    if entry.version != cls.version:
        raise InputError(
            f"version: {entry.version} is not allowed; {entry.type} has version {cls.version} here, and "
            "another version may give other results"
        )


def _upstream_first(entries: Mapping[str, ProtocolEntry]) -> list[str]:
    """Return the labels in an order in which the protocols can be built."""
    needs = {
        label: [link.label for link in instances_in(entry.inputs, Link)] for label, entry in entries.items()
    }
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


def _built(
    cls: type[Protocol], inputs: Mapping[str, Any], upstream: Mapping[str, Protocol], where: str
) -> Protocol:
    def output(link: Link) -> Any:
        return getattr(upstream[link.label].output, link.output)

    with told_of(where):
        values = {name: filled(item, Link, output) for name, item in inputs.items()}
    values = cls.read_inputs(values, where)
    with told_of(where):
        protocol = cls(**values)
        _ = protocol.identity  # now, so that a missing file is told of this protocol and not of the next one
    return protocol


def _listed(names: list[str]) -> str:
    shown = names[:_LISTED]
    return ", ".join(shown) + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
