"""A message channel between a runner and its worker: large payloads are copied once on each side."""

from __future__ import annotations

import select
import socket
import struct

__all__ = ["Channel"]

_HEADER = struct.Struct("!BQ")
_JOIN_BELOW = 1 << 16


class Channel:
    """Sends and receives messages, each a kind (0 to 255) and a payload, over a connected socket.

    Parameters
    ----------
    connected
        The socket, which the channel owns from now on.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._poll = select.poll()
        self._poll.register(connected, select.POLLIN)

    def send(self, kind: int, payload: bytes) -> None:
        """Send one message.

        Raises
        ------
        OSError
            The other side is gone.
        """
        header = _HEADER.pack(kind, len(payload))
        if len(payload) < _JOIN_BELOW:
            self._socket.sendall(header + payload)
        else:
            self._socket.sendall(header)
            self._socket.sendall(payload)

    def receive(self) -> tuple[int, bytearray]:
        """Return the next message's kind and payload, waiting for it.

        Raises
        ------
        EOFError, OSError
            The other side is gone.
        """
        kind, size = _HEADER.unpack(self._exactly(_HEADER.size))
        return kind, self._exactly(size)

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
