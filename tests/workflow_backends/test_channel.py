"""The channel: framing, large payloads, ends."""

from __future__ import annotations

import socket
import threading

import pytest

from workflow_backends.channel import Channel


def _pair() -> tuple[Channel, Channel]:
    one, other = socket.socketpair()
    return Channel(one), Channel(other)


@pytest.mark.parametrize("size", [0, 1, 2**20 - 1, 2**20, 5_000_000])
def test_messages_arrive_whole_and_in_order(size: int) -> None:
    here, there = _pair()
    payload = bytes(range(256)) * (size // 256) + bytes(size % 256)
    half = size // 2
    sender = threading.Thread(
        target=lambda: (here.send(7, payload[:half], payload[half:]), here.send(8, b"next"))
    )
    sender.start()
    kind, received = there.receive()
    assert (kind, received[:]) == (7, payload)
    assert there.receive() == (8, b"next")
    sender.join()


def test_ready_tells_of_messages_and_of_the_end() -> None:
    here, there = _pair()
    assert not there.ready(0)
    here.send(1, b"x")
    assert there.ready(0)
    there.receive()
    here.close()
    assert there.ready(1)
    with pytest.raises(EOFError):
        there.receive()
