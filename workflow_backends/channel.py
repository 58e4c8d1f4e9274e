"""A message channel between a runner and its worker; large payloads go through shared memory."""

from __future__ import annotations

import mmap
import os
import select
import socket
import struct

__all__ = ["Channel"]

_HEADER = struct.Struct("!BQ")
_LARGE = 1 << 20


class Channel:
    """Sends and receives messages, each a kind (0 to 255) and a payload, over a connected Unix socket.

    Parameters
    ----------
    connected
        The socket, which the channel owns from now on.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._poll = select.poll()
        self._poll.register(connected, select.POLLIN)

    def send(self, kind: int, *parts: bytes) -> None:
        """Send one message, whose payload is all parts one after the other.

        Raises
        ------
        OSError
            The other side is gone.
        """
        size = sum(map(len, parts))
        header = _HEADER.pack(kind, size)
        if size < _LARGE or not hasattr(os, "memfd_create"):
            self._socket.sendall(b"".join((header, *parts)))
            return
        descriptor = os.memfd_create("message")  # a copy in and one out, where a socket needs two each
        try:
            for part in parts:
                _write(descriptor, part)
            socket.send_fds(self._socket, [header], [descriptor])
        finally:
            os.close(descriptor)

    def receive(self) -> tuple[int, bytearray | mmap.mmap]:
        """Return the next message's kind and payload, waiting for it.

        Raises
        ------
        EOFError, OSError
            The other side is gone.
        """
        head, descriptors, _, _ = socket.recv_fds(self._socket, _HEADER.size, 1)
        head += self._exactly(_HEADER.size - len(head)) if len(head) < _HEADER.size else b""
        kind, size = _HEADER.unpack(head)
        if not descriptors:
            return kind, self._exactly(size)
        try:
            return kind, mmap.mmap(descriptors[0], size, prot=mmap.PROT_READ)
        finally:
            os.close(descriptors[0])

    def ready(self, timeout: float) -> bool:
        """Wait for `timeout` seconds at most until there is something to receive, if only the end."""
        return bool(self._poll.poll(timeout * 1000))

    def close(self) -> None:
        """Close the socket; the other side sees the end."""
        self._socket.close()

    def _exactly(self, size: int) -> bytearray:
        buffer = bytearray(size)
        view = memoryview(buffer)
        while view:
            received = self._socket.recv_into(view)
            if received == 0:
                raise EOFError
            view = view[received:]
        return buffer


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
