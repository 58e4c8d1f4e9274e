"""References: an output of one protocol as the input of another, before anything has been executed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from protocols.errors import InputError

if TYPE_CHECKING:
    from protocols.protocol import Protocol

__all__ = ["OutputNames", "OutputReference", "references_in", "replace_references"]


class OutputReference:
    """Stands for an output of a protocol that has not been executed yet.

    Parameters
    ----------
    protocol
        Whose output it is.
    name
        Of the output.
    """

    __slots__ = ("identity", "name", "protocol")

    def __init__(self, protocol: Protocol, name: str) -> None:
        self.protocol = protocol
        self.name = name
        self.identity = protocol.identity  # now, upstream first, so that a long chain needs no deep recursion

    def identity_content(self) -> Any:
        """Return the upstream protocol's identity and the output's name."""
        return {"protocol": self.identity, "output": self.name}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OutputReference) and self.identity_content() == other.identity_content()

    def __hash__(self) -> int:
        return hash((self.identity, self.name))

    def __repr__(self) -> str:
        return f"{self.protocol.label}.output.{self.name}"


class OutputNames:
    """Gives a reference for each output of a protocol, by attribute."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        known = self._protocol.output_types
        if name not in known:
            kind = type(self._protocol).__name__
            raise InputError(f"{kind} has no output {name!r}; its outputs are {', '.join(known) or 'none'}")
        return OutputReference(self._protocol, name)

    def __dir__(self) -> list[str]:
        return list(self._protocol.output_types)


def references_in(value: Any) -> Iterator[OutputReference]:
    """Yield every reference in `value`, in lists, tuples and dicts too."""
    if isinstance(value, OutputReference):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from references_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from references_in(item)


def replace_references(value: Any, replacement: Callable[[OutputReference], Any]) -> Any:
    """Return `value` with every reference in it, in lists, tuples and dicts too, replaced."""
    if isinstance(value, OutputReference):
        return replacement(value)
    if isinstance(value, list | tuple):
        return tuple(replace_references(item, replacement) for item in value)
    if isinstance(value, dict):
        return {key: replace_references(item, replacement) for key, item in value.items()}
    return value
