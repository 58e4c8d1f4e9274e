"""The members of a group: protocols taken out of their graph, wired to each other by name."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from protocols.errors import InputError
from protocols.graphs.markers import told_of
from protocols.graphs.placeholders import Current, GroupValue, History, resolved
from protocols.graphs.protocol import Protocol, content_of, inputs_of
from protocols.graphs.references import Holder, OutputReference, instances_in, replace_references
from protocols.identity import content, digest
from protocols.model import Model

__all__ = ["Member", "Wiring", "check_kind", "check_sources", "in_order_of"]


class Member(Holder, Model):
    """A protocol of a group.

    Parameters
    ----------
    kind
        The protocol's class.
    inputs
        Its inputs: values, outputs of protocols outside, and what only the running group knows.
    identity
        Of the member as it was made, the same whether it was wired by attribute or by name.
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
        names: dict[str, str] = {}
        for name, member in self.members.items():
            twin = names.setdefault(member.identity, name)
            if twin != name:
                raise InputError(f"protocols: {twin!r} and {name!r} are equal; name it once")

    def _add(self, name: Any, protocol: Any) -> None:
        if not isinstance(name, str) or not name.isidentifier():
            raise InputError(f"protocols: the name {name!r} is not allowed; give one such as 'extend'")
        if not isinstance(protocol, Protocol):
            raise InputError(f"protocols: {name!r} is {protocol!r}; give a protocol")
        with told_of(f"protocols: {name!r}"):
            check_kind(type(protocol))
        self._names.setdefault(protocol.identity, name)

    def _member(self, protocol: Protocol | Member) -> Member:
        if isinstance(protocol, Member):
            return protocol
        kind, inputs = type(protocol), self.wired(inputs_of(protocol))
        return Member(kind=kind, inputs=inputs, identity=digest(content_of(kind, inputs)))

    def wired(self, value: Any) -> Any:
        """Return `value` with each reference to a member as the member's name; others stay."""
        return replace_references(value, self._named)

    def _named(self, reference: OutputReference) -> Current | OutputReference:
        name = self._names.get(reference.identity)
        return reference if name is None else Current(member=name, output=reference.name)


def check_kind(kind: type[Protocol]) -> None:
    """Raise InputError unless protocols of this class can be members."""
    if kind.output_types is not Protocol.output_types:
        raise InputError(f"a {kind.__name__} cannot be a member of a group")


def check_sources(value: Any, kinds: Mapping[str, type[Protocol]]) -> None:
    """Raise InputError unless every output of a member that `value` takes exists.

    Parameters
    ----------
    value
        In which the outputs are looked for.
    kinds
        The classes of the members.
    """
    for source in instances_in(value, Current):
        kind = kinds.get(source.member)
        if kind is None:
            known = ", ".join(kinds) or "none"
            raise InputError(f"{str(source)!r}: the group has no member {source.member!r}; it has {known}")
        outputs = kind.Outputs.model_fields
        if source.output not in outputs:
            known = ", ".join(outputs) or "none"
            raise InputError(
                f"{str(source)!r}: {kind.__name__} has no output {source.output!r}; its outputs are {known}"
            )


def in_order_of(required: Mapping[str, set[str]]) -> list[str]:
    """Return the members so that each comes after those that it takes this iteration's outputs of.

    Parameters
    ----------
    required
        The members of which each takes them.

    Raises
    ------
    InputError
        There is no such order.
    """
    try:
        return list(TopologicalSorter(required).static_order())
    except CycleError as error:
        circle = " <- ".join(error.args[1])
        raise InputError(
            f"protocols: {circle} take this iteration's outputs of each other; take one with Previous(...)"
        ) from None
