"""Protocol: one step of a calculation, with typed inputs, typed outputs and an identity.

A protocol of your own is one small class:

    class Scale(Protocol):
        value: float
        factor: float = 2.0

        class Outputs(Protocol.Outputs):
            product: float

        def execute(self, directory, available_resources):
            return self.Outputs(product=self.factor * self.value)

and is wired to another by attribute: ``Scale(value=other.output.product)``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ValidatorFunctionWrapHandler, field_validator

from protocols.errors import InputError
from protocols.identity import content, digest, source_digest
from protocols.model import Model
from workflow_backends.resources import ComputeResources

__all__ = ["OutputReference", "Protocol", "replace_references"]


class OutputReference:
    """Stands for an output of a protocol that has not been executed yet.

    Parameters
    ----------
    protocol
        Whose output it is.
    name
        Of the output.
    """

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


class _OutputNames:
    """Gives a reference for each output of a protocol, by attribute."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    def __getattr__(self, name: str) -> Any:
        known = type(self._protocol).Outputs.model_fields
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in known:
            kind = type(self._protocol).__name__
            raise InputError(f"{kind} has no output {name!r}; its outputs are {', '.join(known) or 'none'}")
        return OutputReference(self._protocol, name)

    def __dir__(self) -> list[str]:
        return list(type(self._protocol).Outputs.model_fields)


class Protocol(Model, ABC):
    """One step of a calculation.

    A subclass declares its inputs as fields, its outputs in a nested class ``Outputs``, and what it does in
    `execute`. Every input may be given as a value or as an output of another protocol.

    Raises
    ------
    InputError
        An input is missing, unknown or not allowed; the message names it.
    """

    version: ClassVar[int] = 1
    """Raised when the same inputs give other results than before."""

    class Outputs(Model):
        """The outputs; paths lie inside the protocol's directory."""

    @abstractmethod
    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:
        """Do the work in `directory`, going on from what an interrupted run left there.

        Parameters
        ----------
        directory
            An existing directory that nobody else uses.
        available_resources
            What may be used.
        """

    @field_validator("*", mode="wrap")
    @classmethod
    def _accept_references(cls, value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
        if next(_references(value), None) is None:
            return validate(value)
        return tuple(value) if isinstance(value, list) else value

    @property
    def output(self) -> Any:
        """The outputs as inputs for other protocols: ``protocol.output.name``."""
        return _OutputNames(self)

    @cached_property
    def identity(self) -> str:
        """The hash of type, version, inputs and, outside installed packages, source code."""
        return digest(self.identity_content())

    def identity_content(self) -> Any:
        """Return what the identity is a hash of, as plain data."""
        cls = type(self)
        return {
            "type": cls.__qualname__ if source_digest(cls) else f"{cls.__module__}.{cls.__qualname__}",
            "version": cls.version,
            "source": source_digest(cls),
            "inputs": {
                name: content(getattr(self, name), f"{cls.__name__}.{name}") for name in cls.model_fields
            },
        }

    @property
    def label(self) -> str:
        """Type and short identity; the name of the protocol's directory."""
        return f"{type(self).__name__}-{self.identity[:16]}"

    @cached_property
    def upstream(self) -> tuple[Protocol, ...]:
        """The protocols whose outputs are inputs of this one, each once."""
        found = {
            reference.identity: reference.protocol
            for name in type(self).model_fields
            for reference in _references(getattr(self, name))
        }
        return tuple(found.values())

    def __hash__(self) -> int:
        return hash(self.identity)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Protocol) and self.identity == other.identity


def _references(value: Any) -> Iterator[OutputReference]:
    if isinstance(value, OutputReference):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _references(item)


def replace_references(value: Any, replacement: Callable[[OutputReference], Any]) -> Any:
    """Return `value` with every reference in it, in lists, tuples and dicts too, replaced."""
    if isinstance(value, OutputReference):
        return replacement(value)
    if isinstance(value, list | tuple):
        return tuple(replace_references(item, replacement) for item in value)
    if isinstance(value, dict):
        return {key: replace_references(item, replacement) for key, item in value.items()}
    return value
