"""GraphRun: executes protocols as they are asked for, each once, for as long as somebody needs it."""

from __future__ import annotations

import contextlib
import json
import queue
from collections.abc import Hashable, Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

from protocols.errors import ExecutionError, InterruptedRunError
from protocols.graphs.protocol import Protocol, upstream_first
from protocols.model import Model
from protocols.running.execution import Task, finished_outputs
from protocols.running.storage import ERROR_NAME, name_full_disk, write_atomically
from protocols.running.workers import Upstream, Workers
from workflow_backends.errors import InputFailedError

__all__ = ["CALCULATION_NAME", "ESTIMATES_NAME", "INDEX_NAME", "GraphRun"]

INDEX_NAME = "protocols.jsonl"
"""One line for each protocol of a run: its label and what it depends on."""

ESTIMATES_NAME = "estimates.json"
"""Where each property of a run stands."""

CALCULATION_NAME = "calculation.yaml"
"""The calculation of a run that the command line has started."""


class _Node:
    """One protocol, whoever asked for it."""

    __slots__ = ("future", "outputs", "owners", "protocol")

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol
        self.outputs: Model | None = None
        self.future: Future[SimpleNamespace] | None = None
        self.owners: set[Hashable] = set()

    @property
    def outcome(self) -> Model | BaseException | None:
        """The outputs, the error, or None while there is neither."""
        if self.outputs is not None or self.future is None or not self.future.done():
            return self.outputs
        if self.given_up:
            return InputFailedError(f"{self.protocol.label} was cancelled")
        error = self.future.exception()
        if error is None:
            self.outputs = self.protocol.parse_outputs(vars(self.future.result()))
        return error or self.outputs

    @property
    def given_up(self) -> bool:
        """Whether it was stopped and so can be asked for again."""
        if self.future is None or not self.future.done():
            return False
        return self.future.cancelled() or isinstance(self.future.exception(), InterruptedRunError)


class GraphRun:
    """A growing graph that is being executed.

    Parameters
    ----------
    directory
        Of the run; each protocol gets a directory in it.
    workers
        That execute.
    """

    def __init__(self, directory: Path | str, workers: Workers) -> None:
        self.directory = Path(directory).resolve()
        self._workers = workers
        self._nodes: dict[str, _Node] = {}
        self._ended: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._unlisted: list[str] = []

    def need(self, protocols: Iterable[Protocol], owner: Hashable) -> None:
        """Execute these protocols and all upstream of them, unless they are finished or under way.

        `wait` yields each of these protocols when it has ended, also when it ended for another owner before.

        Parameters
        ----------
        protocols
            The ends.
        owner
            Who needs them, until `release`.
        """
        ends = list(protocols)
        late = [end.identity for end in ends if self._has_ended(end.identity)]
        for protocol in upstream_first(ends):
            node = self._nodes.get(protocol.identity)
            if node is None or node.given_up:
                node = self._begin(protocol)
            node.owners.add(owner)
        for identity in late:
            self._ended.put(identity)
        self._list()

    def release(self, owner: Hashable) -> None:
        """Take back what nobody else needs."""
        for node in self._nodes.values():
            if owner in node.owners:
                node.owners.remove(owner)
                if not node.owners and node.future is not None and not node.future.done():
                    self._workers.cancel(node.future, "nothing needs it any more")

    def wait(self, timeout: float | None = None) -> Iterator[Protocol]:
        """Wait until something ends, or `wake`, or so many seconds; yield the protocols that have ended."""
        with contextlib.suppress(queue.Empty):
            identity = self._ended.get(timeout=timeout)
            while True:
                if identity is not None:
                    self._record_error(self._nodes[identity])
                    yield self._nodes[identity].protocol
                identity = self._ended.get_nowait()

    def wake(self) -> None:
        """Let `wait` return."""
        self._ended.put(None)

    def outcome(self, protocol: Protocol) -> Model | BaseException | None:
        """Return a protocol's outputs or error; None while it has neither."""
        node = self._nodes.get(protocol.identity)
        return None if node is None else node.outcome

    def culprit(self, protocol: Protocol) -> tuple[Protocol, BaseException] | None:
        """Return the protocol, this one or the first upstream of it, that failed by itself, and its error."""
        failed = []
        for each in upstream_first([protocol]):
            outcome = self.outcome(each)
            if isinstance(outcome, BaseException):
                failed.append((each, outcome))
        own = [item for item in failed if not isinstance(item[1], InputFailedError)]
        return next(iter(own or failed), None)

    def handles(self) -> dict[str, Model | Future[SimpleNamespace]]:
        """Return, by identity, the outputs of what was finished before, and futures of the rest's."""
        return {identity: _handle(node) for identity, node in self._nodes.items()}

    def home(self, protocol: Protocol) -> Path:
        """Return a protocol's directory."""
        return self.directory / protocol.label

    @property
    def number_done(self) -> int:
        """How many protocols are finished."""
        return sum(isinstance(node.outcome, Model) for node in list(self._nodes.values()))

    @property
    def number_of_workers(self) -> int:
        """How many protocols can run at the same time."""
        return self._workers.number_of_workers

    def unfinished(self) -> list[Protocol]:
        """Return the protocols that have neither outputs nor an error yet."""
        return [node.protocol for node in list(self._nodes.values()) if node.outcome is None]

    def ready(self) -> list[Protocol]:
        """Return the protocols that run, or could if there were a worker."""
        return [
            node.protocol
            for node in list(self._nodes.values())  # progress looks while the run grows
            if node.outcome is None
            and all(isinstance(self.outcome(p), Model) for p in node.protocol.upstream)
        ]

    def __len__(self) -> int:
        return len(self._nodes)

    def _has_ended(self, identity: str) -> bool:
        node = self._nodes.get(identity)
        return node is not None and node.outcome is not None and not node.given_up

    def _begin(self, protocol: Protocol) -> _Node:
        node = _Node(protocol)
        identity, home = protocol.identity, self.home(protocol)
        known = self._nodes.get(identity)
        self._nodes[identity] = node
        if known is None:
            upstream = [p.label for p in protocol.upstream]
            self._unlisted.append(json.dumps({"label": protocol.label, "upstream": upstream}))
        node.outputs = finished_outputs(protocol, home, identity)
        if node.outputs is not None:
            self._ended.put(identity)
            return node
        upstream_of: Upstream = {p.identity: _handle(self._nodes[p.identity]) for p in protocol.upstream}
        node.future = self._workers.submit(
            Task.of(protocol, home),
            upstream_of,
            uses_gpu=protocol.uses_gpu,
            done=lambda: self._ended.put(identity),
        )
        return node

    def _list(self) -> None:
        """Write what is new into the run's index, for whoever asks for the status."""
        if not self._unlisted:
            return
        first = len(self._unlisted) == len(self._nodes)
        with name_full_disk(self.directory):
            self.directory.mkdir(parents=True, exist_ok=True)
            with (self.directory / INDEX_NAME).open("w" if first else "a", encoding="utf-8") as file:
                file.write("\n".join(self._unlisted) + "\n")
        self._unlisted.clear()

    def _record_error(self, node: _Node) -> None:
        error = node.outcome
        if not isinstance(error, BaseException) or isinstance(error, InputFailedError):
            return
        cause = error.cause if isinstance(error, ExecutionError) else f"{type(error).__name__}: {error}"
        with contextlib.suppress(OSError):  # the error itself reaches the caller
            home = self.home(node.protocol)
            home.mkdir(parents=True, exist_ok=True)
            write_atomically(home / ERROR_NAME, json.dumps({"error": cause}))


def _handle(node: _Node) -> Model | Future[SimpleNamespace]:
    return node.future if node.future is not None else node.outputs  # type: ignore[return-value]
