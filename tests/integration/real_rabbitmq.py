"""A real RabbitMQ for tests: our children, on the loopback, with a password and folders of its own."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import kombu
from processes import descendants, listening

from workflow_backends.testing.base import kill

__all__ = ["RabbitMQ", "missing"]

_SERVER = "/usr/lib/rabbitmq/bin/rabbitmq-server"  # that on PATH insists on the system's folders
_START_S = 180.0  # on a busy machine


def missing() -> str | None:
    """Say what this machine lacks for a RabbitMQ; None when it can have one."""
    return None if shutil.which(_SERVER) and shutil.which("epmd") else "rabbitmq-server is not installed"


class RabbitMQ:
    """Starts the broker on entering a ``with`` block and ends it on leaving it.

    Parameters
    ----------
    settings
        More lines for its configuration.
    """

    def __init__(self, *settings: str) -> None:
        self._settings = settings
        self._processes: list[subprocess.Popen[bytes]] = []
        self.password = secrets.token_hex(16)

    def __enter__(self) -> RabbitMQ:
        self.place = Path(tempfile.mkdtemp(prefix="rabbitmq-"))
        ports = _free_ports(3)
        self.url = f"amqp://ours:{self.password}@127.0.0.1:{ports[0]}//"
        configuration = [
            f"listeners.tcp.1 = 127.0.0.1:{ports[0]}",
            "default_user = ours",
            f"default_pass = {self.password}",
            *self._settings,
        ]
        (self.place / "rabbitmq.conf").write_text("\n".join(configuration) + "\n")
        (self.place / "empty").touch()
        self._environment = os.environ | {
            "HOME": str(self.place),  # for Erlang's cookie
            "ERL_CRASH_DUMP": "/dev/null",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(ports[1]),
            "RABBITMQ_NODENAME": f"test-{os.getpid()}@localhost",
            "RABBITMQ_DIST_PORT": str(ports[2]),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}",
            "RABBITMQ_CONF_ENV_FILE": str(self.place / "empty"),
            "RABBITMQ_CONFIG_FILE": str(self.place / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.place / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.place / "data"),
            "RABBITMQ_LOG_BASE": str(self.place / "log"),
        }
        try:
            self._start("epmd", "-address", "127.0.0.1", "-port", str(ports[1]))
            self._start(_SERVER)
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._processes):
            if process.poll() is None:
                kill(part.pid for part in descendants(process.pid) or [process])
            process.wait()  # a shell that has lost its child ends
        shutil.rmtree(self.place, ignore_errors=True)

    def addresses(self) -> set[str]:
        """Where it listens."""
        return {address for own in self._processes for address, _ in listening(own.pid)}

    def names(self) -> set[str]:
        """The names of all queues and exchanges."""
        listed = self.evaluate("{rabbit_amqqueue:list_names(), rabbit_exchange:list_names()}.")
        return set(re.findall(r'<<"([^"]*)">>', listed)) - {"/"}

    def log(self) -> str:
        """All that it wrote."""
        files = [self.place / "output", *(self.place / "log").glob("*.log")]
        return "".join(file.read_text(encoding="utf-8") for file in files)

    def evaluate(self, expression: str) -> str:
        """Evaluate an expression of Erlang in the broker."""
        program = Path(_SERVER).with_name("rabbitmqctl")
        return subprocess.run(
            [program, "--node", self._environment["RABBITMQ_NODENAME"], "eval", expression],
            env=self._environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout

    def _start(self, *command: str) -> None:
        with (self.place / "output").open("ab") as log:
            self._processes.append(
                subprocess.Popen(
                    command,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_S
        while True:
            try:
                with kombu.Connection(self.url, connect_timeout=5) as connection:
                    connection.connect()
                    return
            except OSError:
                if time.monotonic() > deadline or self._processes[-1].poll() is not None:
                    words = self.log()[-3000:]
                    raise RuntimeError(f"RabbitMQ did not come up:\n{words}") from None
                time.sleep(0.1)


def _free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    try:
        return [free.getsockname()[1] for free in sockets]
    finally:
        for free in sockets:
            free.close()
