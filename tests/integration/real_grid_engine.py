"""A real Grid Engine of one host, for tests where there is only loopback: it listens on every address."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

from processes import descendants

from workflow_backends.testing.base import kill

__all__ = ["GridEngine", "missing"]

_PROGRAMS = ("sge_qmaster", "sge_execd", "qsub", "qstat", "qconf", "ip", "unshare")
_SHARE, _LIB = Path("/usr/share/gridengine"), Path("/usr/lib/gridengine")
_HOST = "localhost"
_START_S = 30.0

_BOOTSTRAP = """admin_user root
default_domain none
ignore_fqdn true
spooling_method classic
spooling_lib libspoolc
spooling_params {common};{place}/spool/qmaster
binary_path /usr/sbin
qmaster_spool_dir {place}/spool/qmaster
security_mode none
listener_threads 2
worker_threads 2
scheduler_threads 1
"""
_CONFIGURATION = {
    "execd_spool_dir": "{place}/spool/execd",
    "min_uid": "0",
    "min_gid": "0",
    "load_report_time": "00:00:02",
    "mailer": "/bin/true",
    "xterm": "/bin/false",
    "gid_range": "20000-20200",
}
_SCHEDULING = {"schedule_interval": "0:0:1", "flush_submit_sec": "1", "flush_finish_sec": "1"}
_EXEC_HOST = """hostname {host}
load_scaling NONE
complex_values slots={slots},gpu={gpus}
user_lists NONE
xuser_lists NONE
projects NONE
xprojects NONE
usage_scaling NONE
report_variables NONE
"""
_PARALLEL_ENVIRONMENT = """pe_name smp
slots 999
user_lists NONE
xuser_lists NONE
start_proc_args NONE
stop_proc_args NONE
allocation_rule $pe_slots
control_slaves FALSE
job_is_first_task TRUE
urgency_slots min
accounting_summary FALSE
qsort_args NONE
"""
_QUEUE = {
    "qname": "all.q",
    "hostlist": _HOST,
    "pe_list": "smp",
    "shell": "/bin/bash",
    "load_thresholds": "NONE",
    "shell_start_mode": "posix_compliant",
}


def missing() -> str | None:
    """Say what this machine lacks for a Grid Engine; None when it can have one."""
    if absent := [name for name in _PROGRAMS if shutil.which(name) is None]:
        return f"Grid Engine's {', '.join(absent)} not installed"
    return None if os.geteuid() == 0 else "Grid Engine's daemons start only as root here"


class GridEngine:
    """Starts the daemons on entering a ``with`` block and ends them on leaving it.

    Parameters
    ----------
    place
        An empty directory for all files.
    slots, gpus
        How many slots and stand-in GPUs the host has.
    """

    def __init__(self, place: Path, *, slots: int = 8, gpus: int = 4) -> None:
        self.place = place
        self._slots, self._gpus = slots, gpus
        self._daemons: list[subprocess.Popen[bytes]] = []
        self.environment = {
            "SGE_ROOT": str(place),
            "SGE_CELL": "default",
            "SGE_CLUSTER_NAME": "test",
            "SGE_QMASTER_PORT": "26844",
            "SGE_EXECD_PORT": "26845",
            "SGE_ND": "1",  # daemons in the foreground
        }

    def __enter__(self) -> GridEngine:
        try:
            self._initialise()
            self._daemon("sge_qmaster")
            self._until(lambda: self.run("qconf", "-sss"))
            self._configure()
            self._daemon("sge_execd")
            self._until(lambda: "lx-" in self.run("qhost", "-h", _HOST).splitlines()[-1] or None)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run(self, *command: str) -> str:
        """Run one of Grid Engine's commands and return what it prints."""
        return subprocess.run(
            command, env=os.environ | self.environment, capture_output=True, text=True, check=True, timeout=30
        ).stdout

    def queue(self) -> list[str]:
        """The ids of all jobs that wait or run."""
        return [line.split()[0] for line in self.run("qstat", "-u", "*").splitlines()[2:]]

    def stop(self) -> None:
        """End the daemons and what their jobs left; the master would take 9 s to save what nobody reads."""
        for daemon in reversed(self._daemons):
            kill(process.pid for process in [*descendants(daemon.pid), daemon])
            daemon.wait()
        self._daemons.clear()

    def _until(self, ready: object) -> None:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            try:
                if ready():  # type: ignore[operator]
                    return
            except subprocess.SubprocessError:
                pass
            time.sleep(0.2)
        logs = "\n".join(p.read_text(encoding="utf-8")[-1500:] for p in self.place.glob("*.log"))
        raise RuntimeError(f"Grid Engine did not come up:\n{logs}")

    def _initialise(self) -> None:
        common = self.place / "default" / "common"
        for folder in (
            common,
            self.place / "spool" / "qmaster" / "job_scripts",
            self.place / "spool" / "execd",
        ):
            folder.mkdir(parents=True)
        for name in ("bin", "lib", "util", "utilbin"):
            (self.place / name).symlink_to(f"/var/lib/gridengine/{name}")
        (common / "bootstrap").write_text(_BOOTSTRAP.format(common=common, place=self.place))
        names = dict.fromkeys([_HOST, socket.gethostname(), *_names_of_loopback()])
        (common / "host_aliases").write_text(" ".join(names) + "\n")  # all of them are one host
        (common / "act_qmaster").write_text(f"{_HOST}\n")
        wanted = {key: value.format(place=self.place) for key, value in _CONFIGURATION.items()}
        (self.place / "global").write_text(
            _changed((_SHARE / "default-configuration").read_text(encoding="utf-8"), wanted)
        )
        spool = f"{common};{self.place}/spool/qmaster"
        resources = _SHARE / "util" / "resources"
        self.run(f"{_LIB}/spoolinit", "classic", "libspoolc", spool, "init")
        for kind, given in (
            ("configuration", self.place / "global"),
            ("complexes", resources / "centry"),
            ("usersets", resources / "usersets"),
            ("managers", "root"),
        ):
            self.run(f"{_LIB}/spooldefaults", kind, str(given))

    def _configure(self) -> None:
        self.run("qconf", "-as", _HOST)
        self._give("-Msconf", "scheduling", _changed(self.run("qconf", "-ssconf"), _SCHEDULING))
        self._give("-Mc", "complexes", self.run("qconf", "-sc") + "gpu gpu INT <= YES JOB 0 0\n")
        host = _EXEC_HOST.format(host=_HOST, slots=self._slots, gpus=self._gpus)
        self._give("-Ae", "host", host)
        self._give("-Ap", "environment", _PARALLEL_ENVIRONMENT)
        queue = _changed(self.run("qconf", "-sq"), _QUEUE | {"slots": str(self._slots)})
        self._give("-Aq", "queue", queue)

    def _give(self, option: str, name: str, text: str) -> None:
        (self.place / name).write_text(text)
        self.run("qconf", option, str(self.place / name))

    def _daemon(self, name: str) -> None:
        with (self.place / f"{name}.log").open("wb") as log:
            self._daemons.append(
                subprocess.Popen(
                    [name],
                    env=os.environ | self.environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )


def _changed(text: str, settings: dict[str, str]) -> str:
    lines = (line.split(maxsplit=1) for line in text.splitlines())
    return "".join(
        f"{line[0]} {settings.get(line[0], line[1] if len(line) > 1 else '')}\n" for line in lines if line
    )


def _names_of_loopback() -> list[str]:
    lines = (
        line.split("#")[0].split() for line in Path("/etc/hosts").read_text(encoding="utf-8").splitlines()
    )
    return [name for line in lines if line and line[0].startswith("127.") for name in line[1:]]
