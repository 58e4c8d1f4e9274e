"""Trajectories in DCD and XTC, which grow by one piece a segment."""

from __future__ import annotations

import io
import math
import struct
from pathlib import Path
from typing import Any

from openmm import app

from protocols.dynamics.growing_file import GrowingFile
from protocols.dynamics.segments import SegmentStore
from protocols.errors import InputError

__all__ = ["Trajectory"]

_DCD_FRAMES, _DCD_LAST = 8, 20  # where the header of a DCD file has the number of frames, and the last step

_DCD_TITLE, _DCD_LINE = b"Created by OpenMM", 80  # the date is on the line after the title


class Trajectory:
    """Positions of whole molecules and the box, as the simulation runs.

    Molecules are not moved into one periodic image. OpenMM's own writers make the frames, for each segment
    in a file of its own, whose content the trajectory grows by.

    Parameters
    ----------
    file
        Of the trajectory, whose suffix is its format, .dcd or .xtc.
    topology_file
        PDB with the particles of the System.
    number_of_particles
        In the System.
    timestep
        In picoseconds.
    first_step
        At which the simulation begins.
    frames_of_table
        Table frames from one frame to the next.
    steps_a_frame
        Steps from one frame of the table to the next.

    Raises
    ------
    InputError
        The topology is of another number of particles.
    """

    def __init__(
        self,
        file: Path,
        topology_file: Path,
        *,
        number_of_particles: int,
        timestep: float,
        first_step: int,
        frames_of_table: int,
        steps_a_frame: int,
    ) -> None:
        self._topology = app.PDBFile(str(topology_file)).topology
        if self._topology.getNumAtoms() != number_of_particles:
            raise InputError(
                f"topology_file: {topology_file} has {self._topology.getNumAtoms()} particles, "
                f"the system {number_of_particles}"
            )
        self._is_dcd = file.suffix == ".dcd"
        self._every = frames_of_table
        self._steps_a_frame = steps_a_frame
        # Step numbers in the file are 32 bits wide: count what the frames are multiples of.
        self._unit = math.gcd(first_step, steps_a_frame)
        self._first_step, self._interval_ps = first_step, timestep * self._unit
        self._piece = file.with_name("trajectory.piece")
        self.file = GrowingFile(file, self._header(0))
        self._stream: Any = None
        self._writer: Any = None

    def is_due(self, frame: int) -> bool:
        """Return whether a frame of the table, counted from 1, is one of the trajectory as well."""
        return frame % self._every == 0

    def start_piece(self, frames_before: int) -> None:
        """Begin what a segment adds.

        Parameters
        ----------
        frames_before
            Of the table.
        """
        self._piece.write_bytes(b"")
        first, interval = self._numbers(frames_before // self._every + 1)
        if self._is_dcd:
            self._stream = io.BytesIO()
            self._writer = app.DCDFile(self._stream, self._topology, self._interval_ps, first, interval)
        else:
            self._writer = app.XTCFile(str(self._piece), self._topology, self._interval_ps, first, interval)

    def write(self, state: Any) -> None:
        """Add a frame, of an OpenMM State with positions."""
        positions = state.getPositions(asNumpy=True)
        self._writer.writeModel(positions, periodicBoxVectors=state.getPeriodicBoxVectors())

    def end_piece(self) -> Path:
        """Return the file that a segment adds."""
        if self._is_dcd:
            self._piece.write_bytes(self._stream.getbuffer()[len(self._header(0)) :])
        return self._piece

    def finish(self, store: SegmentStore) -> Path:
        """Complete the file of finished segments, and return its path."""
        self.file.finish(self._header(store.number_of_frames // self._every), store.trajectory_bytes)
        self._piece.unlink(missing_ok=True)
        return self.file.path

    def _numbers(self, frame: int) -> tuple[int, int]:
        """Return the step of a frame of the trajectory, from 1, and the steps between frames, in units."""
        interval = self._every * self._steps_a_frame
        return (self._first_step + frame * interval) // self._unit, interval // self._unit

    def _header(self, frames: int) -> bytes:
        """Return what the file starts with when it has so many frames."""
        if not self._is_dcd:
            return b""
        stream, (first, interval) = io.BytesIO(), self._numbers(1)
        app.DCDFile(stream, self._topology, self._interval_ps, first, interval)
        header = bytearray(stream.getvalue())
        struct.pack_into("<i", header, _DCD_FRAMES, frames)
        struct.pack_into("<i", header, _DCD_LAST, first + max(0, frames - 1) * interval)
        date = header.index(_DCD_TITLE) + _DCD_LINE  # equal simulations have equal files
        header[date : date + _DCD_LINE] = bytes(_DCD_LINE)
        return bytes(header)
