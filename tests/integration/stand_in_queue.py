"""A stand-in scheduler for tests: a server that keeps the jobs, and the programs by which users reach it.

What the programs understand and print is in stand_in_pbs.py and stand_in_lsf.py. Kubernetes has an API
instead, which is in stand_in_kubernetes.py.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stand_in_jobs import Job, Keeper, Request

__all__ = ["StandIn", "ask_server", "jobs_of"]

_START_S = 20.0


def ask_server(place: Path, **question: Any) -> Any:
    """Ask the server something; OSError where there is none."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(place / "socket"))
        with line.makefile("rw") as file:
            file.write(json.dumps(question) + "\n")
            file.flush()
            return json.loads(file.readline())


def jobs_of(place: Path) -> list[Job]:
    """All jobs there ever were."""
    return [Job(**facts | {"asked": Request(**facts["asked"])}) for facts in ask_server(place, do="jobs")]


class StandIn:
    """Starts the server on entering a ``with`` block, and ends it with all its jobs on leaving it.

    Parameters
    ----------
    module
        What the programs do.
    programs
        Their names, which are put on PATH.
    image_environment
        With it, the module is run as a server, the variables of whose containers these are.
    """

    def __init__(
        self, module: str, programs: tuple[str, ...] = (), image_environment: dict[str, str] | None = None
    ) -> None:
        self._module = Path(__file__).with_name(f"{module}.py")
        self._programs = programs
        self._image_environment = image_environment
        self._servers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> StandIn:
        self.place = Path(tempfile.mkdtemp(prefix="queue-"))  # short, for the socket is in it
        programs = self.place / "bin"
        programs.mkdir()
        for name in self._programs:
            command = shlex.join([sys.executable, "-S", "-E", str(self._module), str(self.place), name])
            (programs / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
            (programs / name).chmod(0o755)
        self.environment = {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
        self._serve([sys.executable, __file__, str(self.place)], "socket")
        if self._image_environment is not None:
            variables = json.dumps(self._image_environment)
            self._serve([sys.executable, str(self._module), str(self.place), variables], "config")
            self.environment["KUBECONFIG"] = str(self.place / "config")
        return self

    def __exit__(self, *_: object) -> None:
        for server in reversed(self._servers):
            server.terminate()
            server.wait()
        shutil.rmtree(self.place)

    def _serve(self, command: list[str], sign: str) -> None:
        self._servers.append(server := subprocess.Popen(command))
        deadline = time.monotonic() + _START_S
        while not (self.place / sign).exists():
            if time.monotonic() > deadline or server.poll() is not None:
                raise RuntimeError("the stand-in scheduler did not come up")
            time.sleep(0.02)

    def jobs(self) -> list[Job]:
        return jobs_of(self.place)

    def queue(self) -> list[Job]:
        """The jobs that wait or run."""
        return [job for job in self.jobs() if job.state != "ended"]

    def submit(self, request: Request) -> None:
        ask_server(self.place, do="submit", request=asdict(request))

    def delete(self, job: Job) -> None:
        ask_server(self.place, do="delete", number=job.number)


class _Server(socketserver.UnixStreamServer):
    request_queue_size = 64

    def __init__(self, place: Path) -> None:
        super().__init__(str(place / "socket.new"), _Handler)
        (place / "socket.new").rename(place / "socket")  # which listens from its first moment on
        self.keeper = Keeper(place)

    def service_actions(self) -> None:
        self.keeper.tick()


class _Handler(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        question = json.loads(self.rfile.readline())
        keeper, answer = self.server.keeper, None
        match question["do"]:
            case "submit":
                answer = keeper.submit(Request(**question["request"]))
            case "delete":
                keeper.delete(question["number"])
            case "jobs":
                answer = [asdict(job) for job in keeper.jobs.values()]
        with contextlib.suppress(BrokenPipeError):
            self.wfile.write(json.dumps(answer).encode() + b"\n")


def _serve(place: Path) -> None:
    with _Server(place) as server:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        try:
            server.serve_forever(poll_interval=0.05)
        finally:
            server.keeper.stop()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
