"""A group as a document holds it: members, conditions and outputs as plain data inside its inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import StrictStr

from protocols.errors import InputError
from protocols.graphs.conditions import Condition
from protocols.graphs.document import ProtocolEntry, read_entries
from protocols.graphs.markers import FORMS, MemberLink, filled, told_of
from protocols.graphs.members import Member, check_kind, check_sources, in_order_of
from protocols.graphs.protocol import Protocol
from protocols.graphs.references import instances_in
from protocols.model import Model

__all__ = ["read_group", "written_members"]


class GroupEntry(Model):
    """What of a group a document holds in another form than the constructor takes."""

    protocols: dict[StrictStr, Any]
    conditions: list[Any]
    outputs: dict[StrictStr, Any]


class ConditionEntry(Model):
    """One condition in a document."""

    output: Any
    relation: Any
    value: Any


def written_members(
    members: Mapping[str, Member], type_name: Callable[[type[Protocol]], str]
) -> dict[str, Any]:
    """Return members as a document holds protocols."""
    return {
        name: {"type": type_name(member.kind), "version": member.kind.version, "inputs": member.inputs}
        for name, member in members.items()
    }


def read_group(inputs: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return members, conditions and outputs as the constructor of a group takes them.

    Parameters
    ----------
    inputs
        Of the group, with references to protocols outside and with links to members.
    where
        The group's place in the document.

    Raises
    ------
    InputError
        A member, a condition or an output is not allowed; the message says where.
    """
    with told_of(where):
        entry = GroupEntry(**{name: inputs[name] for name in GroupEntry.model_fields if name in inputs})
    entries, kinds = read_entries(entry.protocols, Protocol, f"{where}.protocols")
    for name, member in entries.items():
        with told_of(f"{where}.protocols.{name}"):
            check_kind(kinds[name])
            _check_links(member.inputs, kinds)
    with told_of(where):
        order = in_order_of({name: _linked_to(member) for name, member in entries.items()})
    built: dict[str, Protocol] = {}
    for name in order:
        with told_of(f"{where}.protocols.{name}"):
            built[name] = kinds[name](**_wired(entries[name].inputs, built))
            _ = built[name].identity  # now, so that a missing file is told of this member
    conditions = []
    for i, raw in enumerate(entry.conditions):
        with told_of(f"{where}.conditions[{i}]"):
            conditions.append(_condition(raw, kinds, built))
    outputs = {}
    for name, raw in entry.outputs.items():
        with told_of(f"{where}.outputs.{name}"):
            outputs[name] = _output(raw, kinds, built)
    return {"protocols": built, "conditions": conditions, "outputs": outputs}


def _condition(raw: Any, kinds: Mapping[str, type[Protocol]], built: Mapping[str, Protocol]) -> Condition:
    if not isinstance(raw, dict):
        raise InputError(f"it must be a mapping of output, relation and value, not {raw!r:.60}")
    entry = ConditionEntry(**{str(key): value for key, value in raw.items()})
    with told_of("output"):
        output = _output(entry.output, kinds, built)
    with told_of("value"):
        _check_links(entry.value, kinds)
    return Condition(output, entry.relation, _wired(entry.value, built))


def _output(raw: Any, kinds: Mapping[str, type[Protocol]], built: Mapping[str, Protocol]) -> Any:
    if not isinstance(raw, MemberLink):
        raise InputError(f"{raw!r:.60} is not an output of a member; write {FORMS['$member']}")
    _check_links(raw, kinds)
    return _wired(raw, built)


def _check_links(value: Any, kinds: Mapping[str, type[Protocol]]) -> None:
    """Raise InputError unless every output of a member that is linked to or named exists."""
    check_sources([link.source for link in instances_in(value, MemberLink)], kinds)
    check_sources(value, kinds)


def _linked_to(member: ProtocolEntry) -> set[str]:
    """Return the members that must be built first."""
    return {link.source.member for link in instances_in(member.inputs, MemberLink)}


def _wired(value: Any, built: Mapping[str, Protocol]) -> Any:
    """Return an input with references for its links to members."""

    def output(link: MemberLink) -> Any:
        return getattr(built[link.source.member].output, link.source.output)

    return filled(value, MemberLink, output)
