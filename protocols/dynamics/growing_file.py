"""A file to which one piece after the other is added, whatever dies in between."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from protocols.errors import CorruptFileError
from protocols.running.storage import sync_directory

__all__ = ["GrowingFile"]

_CHUNK = 1 << 20


class GrowingFile:
    """A header, and pieces whose lengths and digests somebody else keeps.

    What lies beyond the pieces that are known was left by a kill, and is written over.

    Parameters
    ----------
    path
        Of the file.
    header
        Which it starts with.
    """

    def __init__(self, path: Path, header: bytes = b"") -> None:
        self.path = path
        self._header = header

    def append(self, piece: Path, start: int) -> tuple[int, str]:
        """Add the content of a file; it is on disk when this returns.

        Parameters
        ----------
        piece
            The file.
        start
            Length of the pieces before it.

        Returns
        -------
        tuple
            Its length and SHA-256.
        """
        new = start == 0
        with self.path.open("wb" if new else "r+b") as file, piece.open("rb") as source:
            if new:
                file.write(self._header)
            file.seek(len(self._header) + start)
            file.truncate()
            shutil.copyfileobj(source, file, _CHUNK)
            length = file.tell() - len(self._header) - start
            file.flush()
            os.fsync(file.fileno())
        if new:
            sync_directory(self.path.parent)
        with piece.open("rb") as source:
            return length, hashlib.file_digest(source, "sha256").hexdigest()

    def check(self, start: int, length: int, digest: str) -> None:
        """Raise CorruptFileError unless a piece is what was written."""
        found, left = hashlib.sha256(), length
        try:
            with self.path.open("rb") as file:
                file.seek(len(self._header) + start)
                while left > 0 and (data := file.read(min(left, _CHUNK))):
                    found.update(data)
                    left -= len(data)
        except FileNotFoundError:
            raise CorruptFileError(f"{self.path} is missing") from None
        if found.hexdigest() != digest:
            raise CorruptFileError(f"{self.path} is not what was written")

    def finish(self, header: bytes, length: int) -> None:
        """End the file after its pieces, and replace the header by one as long that knows them.

        Parameters
        ----------
        header
            The new one.
        length
            Of all pieces.
        """
        with self.path.open("r+b") as file:
            file.write(header)
            file.truncate(len(self._header) + length)
