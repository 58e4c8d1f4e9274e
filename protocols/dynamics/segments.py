"""Segments of a simulation on disk: frames and checkpoint appear together, by the rename of one directory."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from protocols.dynamics.growing_file import GrowingFile
from protocols.errors import CorruptFileError
from protocols.identity import digest
from protocols.running.storage import set_aside, sync_directory

__all__ = ["Checkpoint", "Segment", "SegmentStore"]

_INFO, _FRAMES, _CHECKPOINT, _PIECE = "segment.json", "frames.csv", "checkpoint.npz", "trajectory"
_GONE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)  # other errors of the disk may pass
_CHECKPOINTS_KEPT = 2  # the last but one, too, in case the last is damaged
_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """All that the next segment starts from, in double precision and on any platform.

    Parameters
    ----------
    positions
        In nanometres, shape (particles, 3).
    velocities
        In nm/ps, shape (particles, 3).
    box
        Box vectors in nanometres, shape (3, 3).
    integrator
        Serialised OpenMM State with what the integrator itself keeps; empty if it keeps nothing.
    """

    positions: NDArray[np.float64]
    velocities: NDArray[np.float64]
    box: NDArray[np.float64]
    integrator: str = ""

    def to_bytes(self) -> bytes:
        """Return the checkpoint as the content of an .npz file."""
        stream = io.BytesIO()
        np.savez(
            stream,
            positions=self.positions,
            velocities=self.velocities,
            box=self.box,
            integrator=np.array(self.integrator),
        )
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Checkpoint:
        """Read what `to_bytes` wrote."""
        with np.load(io.BytesIO(data)) as arrays:
            own = str(arrays["integrator"]) if "integrator" in arrays else ""  # older ones have none
            return cls(arrays["positions"], arrays["velocities"], arrays["box"], own)


@dataclass(frozen=True)
class Segment:
    """What is known of one finished segment.

    Parameters
    ----------
    frames
        Number of frames in its table.
    seconds
        Wall-clock time that the steps took.
    platform
        The OpenMM platform, from `describe_platform`; its name alone in older ones.
    digests
        SHA-256 of its files by name, and of its piece of the trajectory.
    trajectory_bytes
        Length of that piece.
    restarts
        How often it was begun again, because numbers became meaningless.
    """

    frames: int
    seconds: float
    platform: str
    digests: dict[str, str]
    trajectory_bytes: int = 0
    restarts: int = 0


class SegmentStore:
    """The finished segments of one simulation, in order.

    Parameters
    ----------
    directory
        Holds one directory a segment, and at most one draft.
    trajectory
        The file to which segments add their pieces, if one is kept.
    """

    def __init__(self, directory: Path, trajectory: GrowingFile | None = None) -> None:
        self._directory = directory
        self._trajectory = trajectory
        self._draft = directory / "draft"
        directory.mkdir(exist_ok=True)
        self.segments: list[Segment] = []

    @property
    def number_of_frames(self) -> int:
        """Frames in all finished segments."""
        return sum(segment.frames for segment in self.segments)

    @property
    def trajectory_bytes(self) -> int:
        """Length of the trajectory of all finished segments."""
        return sum(segment.trajectory_bytes for segment in self.segments)

    def recover(self) -> Checkpoint | None:
        """Find the intact segments, set aside what follows a damaged one, return the last checkpoint."""
        shutil.rmtree(self._draft, ignore_errors=True)
        problems, checkpoint = [], None
        while self._path(len(self.segments)).exists():
            try:
                self.segments.append(self._read(len(self.segments)))
            except (*_GONE, CorruptFileError) as error:
                problems.append(str(error))
                break
        if not problems and any(int(path.name) >= len(self.segments) for path in self._numbered()):
            problems.append(f"{self._path(len(self.segments))} is missing")
        while self.segments and checkpoint is None:
            try:
                checkpoint = Checkpoint.from_bytes(self._checked(len(self.segments) - 1, _CHECKPOINT))
            except (*_GONE, CorruptFileError) as error:
                problems.append(str(error))
                self.segments.pop()
        for path in self._numbered():
            if int(path.name) >= len(self.segments):
                set_aside(path, problems[0])
            elif int(path.name) < len(self.segments) - _CHECKPOINTS_KEPT:
                (path / _CHECKPOINT).unlink(missing_ok=True)  # left by a kill right before its removal
        return checkpoint

    @property
    def restarts(self) -> int:
        """Restarts in all finished segments."""
        return sum(segment.restarts for segment in self.segments)

    def commit(
        self,
        frames: list[str],
        seconds: float,
        platform: str,
        end: Checkpoint,
        *,
        piece: Path | None = None,
        more: Mapping[str, str] = _NONE,
        restarts: int = 0,
    ) -> None:
        """Add a segment; it is there whole or not at all, and on disk when this returns.

        Parameters
        ----------
        frames
            The rows of its table.
        seconds
            Wall-clock time that the steps took.
        platform
            The OpenMM platform, from `describe_platform`.
        end
            From which the next one starts.
        piece
            A file with what it adds to the trajectory.
        more
            The content of further files by name, the same ones in each segment.
        restarts
            How often it was begun again.
        """
        files = {name: text.encode() for name, text in more.items()}
        files |= {_FRAMES: "".join(frames).encode(), _CHECKPOINT: end.to_bytes()}
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        length = 0
        if self._trajectory is not None and piece is not None:
            length, digests[_PIECE] = self._trajectory.append(piece, self.trajectory_bytes)
        segment = Segment(len(frames), seconds, platform, digests, length, restarts)
        info = asdict(segment)
        files[_INFO] = json.dumps(info | {"digest": digest(info)}).encode()
        shutil.rmtree(self._draft, ignore_errors=True)
        self._draft.mkdir()
        for name, data in files.items():
            with (self._draft / name).open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        sync_directory(self._draft)
        self._draft.rename(self._path(len(self.segments)))
        sync_directory(self._directory)
        if not self.segments:  # the directories above are new as well
            for directory in self._directory.absolute().parents[:2]:
                sync_directory(directory)
        self.segments.append(segment)
        self._drop_old_checkpoint()

    def frames(self, name: str = _FRAMES) -> str:
        """Return the rows of all segments, or what one of their further files has, one after the other.

        Raises
        ------
        CorruptFileError
            A file is not what was written.
        """
        return "".join(self._checked(i, name).decode() for i in range(len(self.segments)))

    def _drop_old_checkpoint(self) -> None:
        if len(self.segments) > _CHECKPOINTS_KEPT:
            old = self._path(len(self.segments) - 1 - _CHECKPOINTS_KEPT)
            (old / _CHECKPOINT).unlink(missing_ok=True)

    def _numbered(self) -> list[Path]:
        return sorted(path for path in self._directory.iterdir() if path.name.isdigit())

    def _path(self, index: int) -> Path:
        return self._directory / f"{index:06d}"

    def _read(self, index: int) -> Segment:
        path = self._path(index) / _INFO
        try:
            info = json.loads(path.read_text(encoding="utf-8"))
            if info.pop("digest") != digest(info):
                raise CorruptFileError(f"{path} is not what was written")
            segment = Segment(**info)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise CorruptFileError(f"{path}: {error}") from error
        for name in segment.digests.keys() - {_CHECKPOINT, _PIECE}:
            self._compare(index, name, segment)
        if self._trajectory is not None:
            self._trajectory.check(self.trajectory_bytes, segment.trajectory_bytes, segment.digests[_PIECE])
        return segment

    def _checked(self, index: int, name: str) -> bytes:
        return self._compare(index, name, self.segments[index])

    def _compare(self, index: int, name: str, segment: Segment) -> bytes:
        data = (self._path(index) / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != segment.digests[name]:
            raise CorruptFileError(f"{self._path(index) / name} is not what was written")
        return data
