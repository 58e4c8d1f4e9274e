"""The exceptions of this package: ordinary, picklable, each with one line that says what to do."""

from __future__ import annotations

from pathlib import Path

from workflow_backends.errors import DeviceError

__all__ = [
    "CorruptFileError",
    "DeviceFailedError",
    "DirectoryLockedError",
    "DiskFullError",
    "ExecutionError",
    "InputError",
    "InterruptedRunError",
    "NotFiniteError",
    "OutOfMemoryError",
    "PackingError",
    "ParameterError",
    "ProtocolsError",
    "SimulationError",
]


class ProtocolsError(Exception):
    """The root of every error that this package raises itself."""


class InputError(ProtocolsError, ValueError):
    """An input that is not allowed; the message names it, its value and what is allowed."""

    problems: tuple[tuple[tuple[str | int, ...], str], ...] = ()
    """Of a model with fields inside of fields: where each problem is, and its own message."""


class PackingError(ProtocolsError):
    """Packmol could not place the molecules in a box of any density that was tried."""


class ParameterError(ProtocolsError):
    """A program could not find the force-field parameters of a molecule; the message names it."""


class SimulationError(ProtocolsError):
    """A simulation whose numbers became meaningless, for example an energy that is not finite."""


class NotFiniteError(SimulationError):
    """Coordinates or an energy that are not finite; the message says at which step."""


class OutOfMemoryError(SimulationError):
    """Too little memory for the system; the message has the number of atoms and the memory."""


class DeviceFailedError(SimulationError, DeviceError):
    """A GPU or its driver failed; a backend tries again on another worker."""


class InterruptedRunError(ProtocolsError):
    """The work was told to stop; the same command goes on from its last checkpoint."""


class CorruptFileError(ProtocolsError):
    """A file that is truncated, or is not what was written.

    Parameters
    ----------
    message
        What is wrong.
    path
        The file, if it is to be set aside.
    """

    def __init__(self, message: str, path: Path | None = None) -> None:
        super().__init__(message, path)
        self.path = path

    def __str__(self) -> str:
        return str(self.args[0])


class DirectoryLockedError(ProtocolsError):
    """Another run is writing into the directory; the message says which."""


class DiskFullError(ProtocolsError):
    """The disk, or the user's share of it, is full; the message names the directory."""


class ExecutionError(ProtocolsError):
    """A protocol failed while it was executed.

    Parameters
    ----------
    protocol
        The protocol's type and identity, such as ``OpenMMSimulation-1a2b3c4d5e6f``.
    directory
        Where it ran; what it had written is still there.
    cause
        The error in one line, its type first.
    """

    def __init__(self, protocol: str, directory: Path, cause: str) -> None:
        super().__init__(protocol, directory, cause)
        self.protocol = protocol
        self.directory = directory
        self.cause = cause

    @classmethod
    def caused_by(cls, error: Exception, protocol: str, directory: Path) -> ExecutionError:
        """Return the failure of a protocol that raised this error."""
        return cls(protocol, directory, f"{type(error).__name__}: {' '.join(str(error).split())}")

    def __str__(self) -> str:
        return f"{self.protocol} failed in {self.directory}: {self.cause}"
