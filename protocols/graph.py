"""WorkflowGraph: protocols wired by their outputs, equal ones merged, run by a backend or in this process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Self

from protocols.graphs.document import read_document, write_document
from protocols.graphs.drawing import dot, mermaid
from protocols.graphs.protocol import Protocol, upstream_first
from protocols.model import Model
from protocols.running.run import GraphRun
from protocols.running.workers import BackendWorkers, CallersThread
from protocols.text import json_text, parse_json, parse_yaml, yaml_text
from workflow_backends.backend import CalculationBackend
from workflow_backends.errors import InputFailedError
from workflow_backends.resources import ComputeResources

__all__ = ["WorkflowGraph"]


class WorkflowGraph:
    """A set of protocols with everything upstream of them.

    References hold the protocols that they refer to, so that a cycle cannot be built and nothing dangles.

    Parameters
    ----------
    protocols
        The ends of the graph; what they depend on comes along.
    """

    def __init__(self, protocols: Iterable[Protocol] = ()) -> None:
        self._protocols = {protocol.identity: protocol for protocol in upstream_first(protocols)}

    def add(self, protocol: Protocol) -> None:
        """Add a protocol and all upstream of it; those already there, by identity, are merged."""
        for each in upstream_first([protocol]):
            self._protocols.setdefault(each.identity, each)

    def __iter__(self) -> Iterator[Protocol]:
        """Iterate upstream first."""
        return iter(self._protocols.values())

    def __len__(self) -> int:
        return len(self._protocols)

    def submit(self, backend: CalculationBackend, directory: Path | str) -> dict[str, Any]:
        """Submit every unfinished protocol.

        Parameters
        ----------
        backend
            That is started.
        directory
            Of the run; each protocol gets a directory in it.

        Returns
        -------
        dict
            By identity: the outputs of a protocol that was finished before, else a future of them; either has
            them as attributes.
        """
        run = GraphRun(directory, BackendWorkers(backend))
        run.need(self, owner=self)
        return run.handles()

    def execute(
        self, directory: Path | str, resources: ComputeResources | None = None
    ) -> dict[str, Model | Exception]:
        """Execute every unfinished protocol in this process, one after the other.

        Returns
        -------
        dict
            By identity: the outputs, or the error of a protocol that failed. What depends on a failed one
            is left out.
        """
        run = GraphRun(directory, CallersThread(resources or ComputeResources()))
        run.need(self, owner=self)
        list(run.wait(0))  # notes what failed
        outcomes = {protocol.identity: run.outcome(protocol) for protocol in self}
        return {
            identity: outcome
            for identity, outcome in outcomes.items()
            if isinstance(outcome, Model | Exception) and not isinstance(outcome, InputFailedError)
        }

    def to_json(self) -> str:
        """Return every protocol and its wiring as a JSON document.

        Raises
        ------
        InputError
            A class or an input could not be read back as it is.
        """
        return json_text(write_document(self))

    def to_yaml(self) -> str:
        """Return the document of `to_json` as YAML."""
        return yaml_text(write_document(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return the graph of a JSON document; equal protocols are merged.

        Raises
        ------
        InputError
            The document is not one; the message names the protocol and the input.
        """
        return cls(read_document(parse_json(text), Protocol).values())

    @classmethod
    def from_yaml(cls, text: str) -> Self:
        """Return the graph of a YAML document, as `from_json` does."""
        return cls(read_document(parse_yaml(text), Protocol).values())

    def to_mermaid(self) -> str:
        """Return the graph as a Mermaid flowchart; what runs on a GPU has a colour of its own."""
        return mermaid(self)

    def to_dot(self) -> str:
        """Return the graph in the DOT language of Graphviz; what runs on a GPU has a colour of its own."""
        return dot(self)
