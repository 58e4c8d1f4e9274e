"""Execute one protocol in its directory: what a worker does, and what happens without a worker."""

from __future__ import annotations

import contextlib
import pickle
import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import cloudpickle

from protocols.errors import CorruptFileError, ExecutionError, InputError, InterruptedRunError
from protocols.graphs.protocol import Protocol, inputs_of
from protocols.graphs.references import replace_instances, replace_references
from protocols.model import Model
from protocols.running.locking import DirectoryLock, is_locked
from protocols.running.storage import (
    ERROR_NAME,
    load_outputs,
    name_full_disk,
    read_outputs,
    save_outputs,
)
from workflow_backends.resources import ComputeResources

__all__ = ["Slot", "Task", "execute_in", "execute_task", "finished_outputs"]

_TOLD_BY_OUTPUTS = (
    *("platform", "platform_reason", "device", "driver", "precision", "threads", "openmm_version"),
    *("integrator", "ns_per_day", "incidents", "platforms"),
)
_PACKAGES = ("estimate-properties", "openmm", "numpy", "pymbar", "packmol", "rdkit", "pint", "pydantic")


class _Origin(NamedTuple):
    """Whose work it is: the identity, and what it is a hash of."""

    identity: str
    content: Any


class Slot(NamedTuple):
    """The place of an upstream output among the inputs of a task."""

    identity: str
    output: str


class Task(NamedTuple):
    """A protocol taken from its graph: what a worker needs of it and no more.

    Parameters
    ----------
    kind
        The protocol's class, or its pickle for another process.
    inputs
        Its inputs, with a `Slot` for every reference.
    label, identity
        As in the graph, where inputs are references.
    provenance
        What the identity is a hash of.
    directory
        Where it is executed.
    """

    kind: type[Protocol] | bytes
    inputs: dict[str, Any]
    label: str
    identity: str
    provenance: Any
    directory: Path

    @classmethod
    def of(cls, protocol: Protocol, directory: Path) -> Task:
        """Return the task that executes this protocol in this directory."""
        inputs = replace_references(
            inputs_of(protocol), lambda reference: Slot(reference.identity, reference.name)
        )
        about = (protocol.label, protocol.identity, protocol.identity_content())
        return cls(type(protocol), inputs, *about, directory)

    def portable(self) -> Task:
        """Return the task for another process."""
        return self if isinstance(self.kind, bytes) else self._replace(kind=_pickled_class(self.kind))


# A class of a script travels by value, which takes a millisecond on either side: once is enough.
@lru_cache
def _pickled_class(kind: type[Protocol]) -> bytes:
    return bytes(cloudpickle.dumps(kind))


@lru_cache
def _unpickled_class(data: bytes) -> type[Protocol]:
    kind: type[Protocol] = pickle.loads(data)
    return kind


def execute_task(
    task: Task, upstream: Mapping[str, Any], available_resources: ComputeResources
) -> SimpleNamespace:
    """Execute a task of a graph.

    Parameters
    ----------
    task
        What to execute.
    upstream
        The outputs of the protocols it depends on, by identity, each with its outputs as attributes.
    available_resources
        What the worker owns.

    Returns
    -------
    SimpleNamespace
        The outputs by name, without their class, which not every process has.

    Raises
    ------
    ExecutionError
        Whatever went wrong, with the protocol and its directory.
    """
    try:
        inputs = replace_instances(
            task.inputs, Slot, lambda slot: getattr(upstream[slot.identity], slot.output)
        )
        kind = _unpickled_class(task.kind) if isinstance(task.kind, bytes) else task.kind
        origin = _Origin(task.identity, task.provenance)
        outputs = _execute(kind(**inputs), task.directory, available_resources, origin)
        return SimpleNamespace(**dict(outputs))
    except InterruptedRunError:
        raise
    except Exception as error:
        raise ExecutionError.caused_by(error, task.label, task.directory) from error


def execute_in(
    protocol: Protocol,
    directory: Path | str,
    available_resources: ComputeResources,
    identity: str | None = None,
) -> Any:
    """Execute one protocol in `directory`, or return what it gave there before.

    Parameters
    ----------
    protocol
        Without references.
    directory
        Of its own; made if it is not there.
    available_resources
        What may be used.
    identity
        By which the directory is known to be the protocol's; its own identity unless told.

    Raises
    ------
    InputError
        An input is an output of another protocol, or a placeholder; or the directory is another protocol's.
    """
    if protocol.upstream:
        needed = ", ".join(other.label for other in protocol.upstream)
        raise InputError(f"{protocol.label} takes outputs of {needed}; execute them in a WorkflowGraph")
    origin = _Origin(identity or protocol.identity, protocol.identity_content())
    return _execute(protocol, Path(directory).resolve(), available_resources, origin)


def finished_outputs(protocol: Protocol, directory: Path, identity: str) -> Model | None:
    """Return what a protocol gave before; None if it is not finished, damaged, or being worked on.

    Raises
    ------
    InputError
        The directory holds the result of another protocol.
    """
    with contextlib.suppress(CorruptFileError):  # looked at again with the lock
        finished = read_outputs(directory, protocol.parse_outputs, identity)
        if finished is not None and not is_locked(directory):  # who died before unlocking?
            return finished
    return None


def _execute(protocol: Protocol, directory: Path, resources: ComputeResources, origin: _Origin) -> Model:
    finished = finished_outputs(protocol, directory, origin.identity)
    if finished is not None:
        return finished
    with name_full_disk(directory):
        return _execute_locked(protocol, directory, resources, origin)


def _execute_locked(
    protocol: Protocol, directory: Path, resources: ComputeResources, origin: _Origin
) -> Model:
    directory.mkdir(parents=True, exist_ok=True)
    with DirectoryLock(directory) as lock:
        finished = load_outputs(directory, protocol.parse_outputs, origin.identity)
        if finished is not None:
            return finished
        (directory / ERROR_NAME).unlink(missing_ok=True)
        outputs = protocol.execute(directory, resources)
        lock.record(_provenance(origin.content, outputs, resources), durable=protocol.durable)
        save_outputs(directory, outputs, origin.identity, durable=protocol.durable)
        return outputs


def _provenance(inputs: Any, outputs: Model, resources: ComputeResources) -> dict[str, Any]:
    return {
        "protocol": inputs,
        **{name: getattr(outputs, name) for name in _TOLD_BY_OUTPUTS if hasattr(outputs, name)},
        "resources": str(resources),
        **_surroundings(),
        "finished": datetime.now(UTC).isoformat(),
    }


@cache
def _surroundings() -> dict[str, Any]:
    """Return what stays the same while this process runs."""
    return {
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "packages": {name: _version(name) for name in _PACKAGES},
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
