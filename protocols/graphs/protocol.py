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
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import ValidationInfo, ValidatorFunctionWrapHandler, field_validator
from pydantic.fields import FieldInfo

from protocols.errors import InputError
from protocols.graphs.document import only_end, read_document, write_document
from protocols.graphs.markers import refuse_group_values, told_of
from protocols.graphs.references import OutputNames, OutputReference, Placeholder, instances_in, references_in
from protocols.graphs.wiring import wired
from protocols.identity import content, digest, source_digest
from protocols.model import Model
from protocols.text import json_text, parse_json, parse_yaml, yaml_text
from workflow_backends.resources import ComputeResources

__all__ = ["Protocol", "content_of", "inputs_of", "protocols_in", "upstream_first"]


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

    uses_gpu: ClassVar[bool] = False
    """Whether it runs on the workers with the most GPUs, and else threads; others run on the smallest."""

    durable: ClassVar[bool] = False
    """Whether it waits until the disk has its outputs: worth it where they took long to compute."""

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
    def _accept_references(
        cls, value: Any, validate: ValidatorFunctionWrapHandler, info: ValidationInfo
    ) -> Any:
        if next(instances_in(value, (OutputReference, Placeholder)), None) is None:
            return validate(value)
        if isinstance(value, Placeholder):
            return value.checked(validate)
        return wired(cls, str(info.field_name), value)

    def to_json(self) -> str:
        """Return the protocol and everything upstream of it as a JSON document.

        Raises
        ------
        InputError
            A class or an input could not be read back as it is.
        """
        return json_text(self._document())

    def to_yaml(self) -> str:
        """Return the document of `to_json` as YAML."""
        return yaml_text(self._document())

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the protocol in which a JSON document ends.

        Raises
        ------
        InputError
            The document is not one (the message names the protocol and the input), ends in several protocols,
            or in one of another class.
        """
        return only_end(read_document(parse_json(text), Protocol), cls)

    @classmethod
    def from_yaml(cls, text: str) -> Self:
        """Return the protocol in which a YAML document ends, as `from_json` does."""
        return only_end(read_document(parse_yaml(text), Protocol), cls)

    def document_inputs(self, type_name: Callable[[type[Protocol]], str]) -> dict[str, Any]:  # noqa: ARG002
        """Return the inputs as a document holds them; values in them are written as their types say.

        Parameters
        ----------
        type_name
            Gives the name of a class in documents.
        """
        return inputs_of(self)

    @classmethod
    def read_inputs(cls, inputs: dict[str, Any], where: str) -> dict[str, Any]:
        """Return what the constructor takes for inputs as a document holds them.

        Parameters
        ----------
        inputs
            Plain data, with references to protocols outside and with placeholders.
        where
            The protocol's place in the document.

        Raises
        ------
        InputError
            Something in them is not allowed; the message says where.
        """
        with told_of(where):
            refuse_group_values(inputs)
        return inputs

    def _document(self) -> dict[str, Any]:
        return write_document(upstream_first([self]))

    @property
    def output(self) -> Any:
        """The outputs as inputs for other protocols: ``protocol.output.name``."""
        return OutputNames(self)

    @property
    def output_types(self) -> Mapping[str, FieldInfo]:
        """The declared type of each output, by name."""
        return type(self).Outputs.model_fields

    def parse_outputs(self, data: dict[str, Any]) -> Outputs:
        """Return the outputs that were saved as plain data."""
        return self.Outputs(**data)

    @cached_property
    def identity(self) -> str:
        """The hash of type, version, inputs and, outside installed packages, source code."""
        return digest(self.identity_content())

    def identity_content(self) -> Any:
        """Return what the identity is a hash of, as plain data."""
        return content_of(type(self), inputs_of(self))

    @property
    def label(self) -> str:
        """Type and short identity; the name of the protocol's directory."""
        return f"{type(self).__name__}-{self.identity[:16]}"

    @cached_property
    def upstream(self) -> tuple[Protocol, ...]:
        """The protocols whose outputs are inputs of this one, each once.

        Raises
        ------
        InputError
            An input is a placeholder, which only a group that has this protocol as a member can fill.
        """
        inputs = inputs_of(self)
        for placeholder in instances_in(inputs, Placeholder):
            raise InputError(
                f"{self.label}: {placeholder} is known in a ConditionalGroup only; make it a member of one"
            )
        return protocols_in(inputs)

    def __hash__(self) -> int:
        return hash(self.identity)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Protocol) and self.identity == other.identity


def upstream_first(protocols: Iterable[Protocol]) -> list[Protocol]:
    """Return protocols and all upstream of them, each identity once, none before what it depends on."""
    found: dict[str, Protocol] = {}
    for protocol in protocols:
        pending = [protocol]
        while pending:
            last = pending[-1]
            missing = [p for p in last.upstream if p.identity not in found]
            if missing:
                pending.extend(missing)
            else:
                found.setdefault(pending.pop().identity, last)
    return list(found.values())


def inputs_of(protocol: Protocol) -> dict[str, Any]:
    """Return the inputs by name: values, references and placeholders."""
    return {name: getattr(protocol, name) for name in type(protocol).model_fields}


def content_of(kind: type[Protocol], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the identity of a protocol of this kind with these inputs is a hash of."""
    source = source_digest(kind)
    return {
        "type": kind.__qualname__ if source else f"{kind.__module__}.{kind.__qualname__}",
        "version": kind.version,
        "source": source,
        "inputs": {name: content(value, f"{kind.__name__}.{name}") for name, value in inputs.items()},
    }


def protocols_in(value: Any) -> tuple[Protocol, ...]:
    """Return the protocols whose outputs are referred to in `value`, each once."""
    found = {reference.identity: reference.protocol for reference in references_in(value)}
    return tuple(found.values())
