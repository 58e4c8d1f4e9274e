"""The members of a group: protocols taken out of their graph, wired to each other by name."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from protocols.errors import InputError
from protocols.identity import content, digest
from protocols.model import Model
from protocols.placeholders import Current, GroupValue, History, resolved
from protocols.protocol import Protocol, content_of, inputs_of
from protocols.references import Holder, OutputReference, instances_in, replace_references

__all__ = ["Member", "Wiring", "check_sources", "in_order"]


class Member(Holder, Model):
    """A protocol of a group.

    Parameters
    ----------
    kind
        The protocol's class.
    inputs
        Its inputs: values, outputs of protocols outside, and what only the running group knows.
    identity
        Of the protocol as it was built.
    """

    kind: type[Protocol]
    inputs: dict[str, Any]
    identity: str

    def resolve(self, history: History) -> Protocol:
        """Return the protocol with the inputs that it has in the iteration that runs."""
        return self.kind(**resolved(self.inputs, history))

    def identity_of(self, protocol: Protocol) -> str:
        """Return the identity of the member with the inputs that it has in an iteration.

        The protocol's own would do, if a class of a script had the same source in a worker as in the script.
        """
        inputs = content(inputs_of(protocol), self.kind.__name__)
        return digest({"member": self.identity, "inputs": inputs})

    def required(self) -> set[str]:
        """Return the members that must have been executed before, in the same iteration."""
        return {name for value in instances_in(self.inputs, GroupValue) for name in value.required()}

    def identity_content(self) -> Any:
        """Return what the identity of the protocol would be a hash of."""
        return content_of(self.kind, self.inputs)


class Wiring:
    """Turns references to members into names.

    Parameters
    ----------
    protocols
        The protocols of a group by name, or members made of them before.

    Raises
    ------
    InputError
        One is no protocol, cannot be a member, or is equal to another.
    """

    def __init__(self, protocols: Any) -> None:
        if not isinstance(protocols, Mapping) or not protocols:
            raise InputError(
                f"protocols: {protocols!r} is not allowed; give a dict of at least one protocol by name"
            )
        self._names: dict[str, str] = {}
        for name, protocol in protocols.items():
            if not isinstance(protocol, Member):
                self._add(name, protocol)
        self.members = {name: self._member(protocol) for name, protocol in protocols.items()}

    def _add(self, name: Any, protocol: Any) -> None:
        if not isinstance(name, str) or not name.isidentifier():
            raise InputError(f"protocols: the name {name!r} is not allowed; give one such as 'extend'")
        if not isinstance(protocol, Protocol):
            raise InputError(f"protocols: {name!r} is {protocol!r}; give a protocol")
        if type(protocol).output_types is not Protocol.output_types:
            raise InputError(f"protocols: {name!r} is a {type(protocol).__name__}, which cannot be a member")
        twin = self._names.setdefault(protocol.identity, name)
        if twin != name:
            raise InputError(f"protocols: {twin!r} and {name!r} are equal; name it once")

    def _member(self, protocol: Protocol | Member) -> Member:
        if isinstance(protocol, Member):
            return protocol
        inputs = self.wired(inputs_of(protocol))
        return Member(kind=type(protocol), inputs=inputs, identity=protocol.identity)

    def wired(self, value: Any) -> Any:
        """Return `value` with each reference to a member as the member's name; others stay."""
        return replace_references(value, self._named)

    def _named(self, reference: OutputReference) -> Current | OutputReference:
        name = self._names.get(reference.identity)
        return reference if name is None else Current(member=name, output=reference.name)


def check_sources(value: Any, members: Mapping[str, Member]) -> None:
    """Raise InputError unless every output of a member that `value` takes exists."""
    for source in instances_in(value, Current):
        member = members.get(source.member)
        if member is None:
            known = ", ".join(members)
            raise InputError(f"{str(source)!r}: the group has no member {source.member!r}; it has {known}")
        outputs = member.kind.Outputs.model_fields
        if source.output not in outputs:
            known = ", ".join(outputs) or "none"
            kind = member.kind.__name__
            raise InputError(
                f"{str(source)!r}: {kind} has no output {source.output!r}; its outputs are {known}"
            )


def in_order(members: Mapping[str, Member]) -> dict[str, Member]:
    """Return the members so that each comes after those that it takes this iteration's outputs of.

    Raises
    ------
    InputError
        There is no such order.
    """
    try:
        order = TopologicalSorter({name: member.required() for name, member in members.items()})
        return {name: members[name] for name in order.static_order()}
    except CycleError as error:
        circle = " <- ".join(error.args[1])
        raise InputError(
            f"protocols: {circle} take this iteration's outputs of each other; take one with Previous(...)"
        ) from None
