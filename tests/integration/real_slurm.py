"""A real SLURM of several nodes on this machine, for tests: its daemons are our children, on loopback only.

``python tests/integration/real_slurm.py DIRECTORY`` runs one until Ctrl-C, and prints what to export first.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil

__all__ = ["Slurm", "missing"]

_PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scontrol", "sinfo", "scancel")
_START_S, _EMPTY_S = 30.0, 10.0

_CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={place}/munge/socket
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=1
EnforcePartLimits=ALL
GresTypes=gpu
ReturnToService=2
KillWait=2
InactiveLimit=0
SlurmdParameters=config_overrides
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
StateSaveLocation={place}/state
SlurmctldPidFile={place}/slurmctld.pid
SlurmdSpoolDir={place}/spool-%n
SlurmdPidFile={place}/slurmd-%n.pid
PartitionName=main Nodes=ALL Default=YES MaxTime=3-00:00:00 State=UP
PartitionName=short Nodes=ALL MaxTime=00:10:00 State=UP
"""


def missing() -> str | None:
    """Say what this machine lacks for a SLURM; None when it can have one."""
    if absent := [name for name in _PROGRAMS if shutil.which(name, path=_path()) is None]:
        return f"SLURM's {', '.join(absent)} not installed"
    return None if os.geteuid() == 0 else "SLURM's daemons start only as root here"


class Slurm:
    """Starts the daemons on entering a ``with`` block and ends them on leaving it.

    Parameters
    ----------
    place
        An empty directory for all files.
    nodes, cpus, memory, gpus
        How many nodes there are, and the CPUs, MiB of memory and stand-in GPUs of each.
    """

    def __init__(
        self, place: Path, *, nodes: int = 3, cpus: int = 8, memory: int = 64000, gpus: int = 4
    ) -> None:
        self.place = place
        self._nodes, self._cpus, self._memory, self._gpus = nodes, cpus, memory, gpus
        self._daemons: list[subprocess.Popen[bytes]] = []
        self._conf = str(place / "slurm.conf")
        self.environment = {"SLURM_CONF": self._conf, "PATH": _path()}

    def __enter__(self) -> Slurm:
        try:
            self._configure()
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(self, *command: str) -> str:
        """Run one of SLURM's commands and return what it prints."""
        return subprocess.run(
            command, env=os.environ | self.environment, capture_output=True, text=True, check=True, timeout=30
        ).stdout

    def queue(self) -> list[str]:
        """The ids of all jobs that wait or run."""
        return self.run("squeue", "--noheader", "--format=%i").split()

    @staticmethod
    def hanging(name: str, place: Path) -> Path:
        """Put a command of a name into a folder, which says something and then hangs."""
        place.mkdir(exist_ok=True)
        command = place / name
        command.write_text("#!/bin/bash\necho 'trying again' >&2\nexec sleep 60\n")
        command.chmod(0o755)
        return command

    def stop(self) -> None:
        """End the daemons, jobs first."""
        with contextlib.suppress(OSError, subprocess.SubprocessError):  # where it never came up
            self._empty()
        for daemon in reversed(self._daemons):
            daemon.terminate()
        for daemon in reversed(self._daemons):
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self._daemons.clear()
        for process in psutil.process_iter():  # a job's keeper that its daemon left
            with contextlib.suppress(psutil.Error):
                if process.name() == "slurmstepd" and process.environ().get("SLURM_CONF") == self._conf:
                    process.kill()

    def _empty(self) -> None:
        deadline = time.monotonic() + _EMPTY_S
        while self._daemons and time.monotonic() < deadline and (jobs := self.queue()):
            self.run("scancel", *jobs)
            time.sleep(0.2)

    def _configure(self) -> None:
        for name in ("munge", "state", "log"):
            (self.place / name).mkdir(parents=True, exist_ok=True)
        (self.place / "munge").chmod(0o700)
        key = self.place / "munge" / "key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        host, ports = socket.gethostname().partition(".")[0], _free_ports(1 + self._nodes)
        conf = _CONF.format(host=host, port=ports[0], place=self.place)
        gres = ""
        for number in range(self._gpus):
            os.mknod(self.place / f"gpu{number}", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        for number, port in enumerate(ports[1:], start=1):
            (self.place / f"spool-n{number}").mkdir()
            conf += (
                f"NodeName=n{number} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={self._cpus}"
                f" RealMemory={self._memory} Gres=gpu:a100:{self._gpus} State=UNKNOWN\n"
            )
            devices = f"{self.place}/gpu[0-{self._gpus - 1}]"
            gres += f"NodeName=n{number} Name=gpu Type=a100 File={devices}\n"
        (self.place / "slurm.conf").write_text(conf)
        (self.place / "gres.conf").write_text(gres)

    def _start(self) -> None:
        munge, conf = self.place / "munge", self._conf
        self._daemon(
            *("munged", "--foreground", "--force", f"--key-file={munge}/key", f"--socket={munge}/socket"),
            *(f"--pid-file={munge}/pid", f"--log-file={munge}/log", f"--seed-file={munge}/seed"),
        )
        deadline = time.monotonic() + _START_S
        while not (munge / "socket").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        self._daemon("slurmctld", "-D", "-f", conf)
        for number in range(1, self._nodes + 1):
            self._daemon("slurmd", "-D", "-f", conf, "-N", f"n{number}")
        while time.monotonic() < deadline:
            try:
                if len(self.run("sinfo", "-h", "-N", "-t", "idle", "-o", "%N").split()) >= self._nodes:
                    return
            except subprocess.SubprocessError:
                time.sleep(0.2)
            time.sleep(0.2)
        logs = "\n".join(
            f"{p.name}: {p.read_text(encoding='utf-8')[-1500:]}" for p in (self.place / "log").iterdir()
        )
        raise RuntimeError(f"SLURM did not come up:\n{logs}")

    def _daemon(self, *command: str) -> None:
        name = f"{command[0]}-{len(self._daemons)}.log"
        with (self.place / "log" / name).open("wb") as log:
            self._daemons.append(
                subprocess.Popen(
                    command,
                    env=os.environ | self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [item.getsockname()[1] for item in sockets]
    for item in sockets:
        item.close()
    return ports


if __name__ == "__main__":
    with Slurm(Path(sys.argv[1]).absolute()) as cluster:
        print(f"export SLURM_CONF={cluster.environment['SLURM_CONF']}", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
