"""WorkflowGraph: protocols wired by their outputs, equal ones merged, run by a backend or in this process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from protocols.model import Model
from protocols.protocol import Protocol, upstream_first
from protocols.run import GraphRun
from protocols.workers import BackendWorkers, CallersThread
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
