"""References: an output of one protocol as the input of another, before anything has been executed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, cast

from protocols.errors import InputError
from protocols.model import Model

if TYPE_CHECKING:
    from protocols.graphs.protocol import Protocol

__all__ = [
    "Holder",
    "OutputNames",
    "OutputReference",
    "Placeholder",
    "instances_in",
    "references_in",
    "replace_instances",
    "replace_references",
]

_T = TypeVar("_T")


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


class Holder:
    """Mixed into a model whose fields may hold references, which are found and replaced there.

    No model itself, because pydantic makes the question whether a value is an instance dear.
    """


class Placeholder(Holder):
    """Stands for a value that only a group of protocols knows, while it runs."""

    def checked(self, validate: Callable[[Any], Any]) -> Placeholder:  # noqa: ARG002
        """Return it with the values that it holds validated as the input's own."""
        return self


def references_in(value: Any) -> Iterator[OutputReference]:
    """Yield every reference in `value`, in lists, tuples, dicts and holders too."""
    return instances_in(value, OutputReference)


def instances_in(value: Any, kind: type[_T] | tuple[type[_T], ...]) -> Iterator[_T]:
    """Yield the outermost instances of a kind in `value`, in lists, tuples, dicts and holders too."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from instances_in(item, kind)
    elif isinstance(value, dict):
        for item in value.values():
            yield from instances_in(item, kind)
    elif isinstance(value, Holder):
        for _, item in cast(Model, value):
            yield from instances_in(item, kind)


def replace_references(value: Any, replacement: Callable[[OutputReference], Any]) -> Any:
    """Return `value` with every reference in it, in lists, tuples, dicts and holders too, replaced."""
    return replace_instances(value, OutputReference, replacement)


def replace_instances(value: Any, kind: type[_T], replacement: Callable[[_T], Any]) -> Any:
    """Return `value` with the instances of a kind that `instances_in` yields replaced."""
    if isinstance(value, kind):
        return replacement(value)
    if isinstance(value, list | tuple):
        return tuple(replace_instances(item, kind, replacement) for item in value)
    if isinstance(value, dict):
        return {key: replace_instances(item, kind, replacement) for key, item in value.items()}
    if isinstance(value, Holder):
        model = cast(Model, value)
        return model.model_copy(
            update={name: replace_instances(item, kind, replacement) for name, item in model}
        )
    return value
