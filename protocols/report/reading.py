"""What a run directory holds for its report: records of properties, and the series behind them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protocols.running.locking import PROVENANCE_NAME
from protocols.running.storage import RESULT_NAME
from protocols.status import ProtocolStatus, RunStatus, run_status

__all__ = ["FinishedProtocol", "RunReading"]


@dataclass(frozen=True)
class FinishedProtocol:
    """What a finished protocol has left.

    Parameters
    ----------
    label
        Type and identity.
    directory
        Its own.
    provenance, outputs
        As plain data; empty where they cannot be read.
    """

    label: str
    directory: Path
    provenance: dict[str, Any]
    outputs: dict[str, Any]

    @property
    def kind(self) -> str:
        """Its type."""
        return self.label.rpartition("-")[0]

    @property
    def inputs(self) -> dict[str, Any]:
        """As they were hashed: quantities and outputs of others are mappings."""
        found = self.provenance.get("protocol", {}).get("inputs", {})
        return found if isinstance(found, dict) else {}


class RunReading:
    """A run directory, read once.

    Parameters
    ----------
    directory
        That was given to `estimate`.

    Raises
    ------
    InputError
        There is no run in this directory.
    """

    def __init__(self, directory: Path | str) -> None:
        self.status: RunStatus = run_status(directory)
        self.directory = self.status.directory
        self.estimates: list[dict[str, Any]] = list(self.status.estimates)
        self._by_label = {protocol.label: protocol for protocol in self.status.protocols}
        self._finished: dict[str, FinishedProtocol] = {}

    def protocol(self, label: str) -> ProtocolStatus | None:
        """Return the status of a protocol of this run."""
        return self._by_label.get(label)

    def finished(self, label: str) -> FinishedProtocol:
        """Return what a protocol has left."""
        if label not in self._finished:
            home = self.directory / label
            self._finished[label] = FinishedProtocol(
                label, home, _mapping(home / PROVENANCE_NAME), _mapping(home / RESULT_NAME).get("outputs", {})
            )
        return self._finished[label]

    def upstream_first(self, label: str) -> Iterator[FinishedProtocol]:
        """Yield what this protocol depends on and itself, each once, upstream first."""
        seen: set[str] = set()
        stack = [(label, False)]
        while stack:
            current, expanded = stack.pop()
            if expanded:
                yield self.finished(current)
            elif current in self._by_label and current not in seen:
                seen.add(current)
                stack.append((current, True))
                stack += ((each, False) for each in reversed(self._by_label[current].upstream))

    def file(self, reference: Any) -> Path:
        """Return a file that an input names: an output of another protocol.

        Raises
        ------
        KeyError, TypeError
            It names none of this run.
        """
        identity = reference["protocol"][:16]
        label = next(name for name in self._by_label if name.endswith(f"-{identity}"))
        return self.directory / label / str(self.finished(label).outputs[reference["output"]])


def _mapping(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
