"""A real Redis for tests: our child, on a port of the loopback, with a password and nothing on disk."""

from __future__ import annotations

import secrets
import shutil
import socket
import subprocess
import time

__all__ = ["Redis", "missing"]

_START_S = 20.0


def missing() -> str | None:
    """Say what this machine lacks for a Redis; None when it can have one."""
    return None if shutil.which("redis-server") else "redis-server is not installed"


class Redis:
    """Starts the server on entering a ``with`` block and ends it on leaving it."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.password = secrets.token_hex(16)
        self.url = f"redis://:{self.password}@127.0.0.1:{self.port}/0"

    def __enter__(self) -> Redis:
        self.process = subprocess.Popen(
            ["redis-server", "-"],  # its configuration, password and all, on no command line
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self.process.stdin is not None
        settings = ("bind 127.0.0.1", f"port {self.port}", f"requirepass {self.password}", 'save ""')
        self.process.stdin.write("\n".join(settings).encode())
        self.process.stdin.close()
        deadline = time.monotonic() + _START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                assert time.monotonic() < deadline, "redis-server did not come up"
                time.sleep(0.05)
            else:
                return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def keys(self) -> list[str]:
        """All keys."""
        import redis

        with redis.Redis.from_url(self.url, decode_responses=True) as client:
            return sorted(client.keys())

    def received(self) -> int:
        """How many bytes were sent to it."""
        import redis

        with redis.Redis.from_url(self.url) as client:
            return int(client.info("stats")["total_net_input_bytes"])
