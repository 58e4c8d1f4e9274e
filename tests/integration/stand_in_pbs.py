"""qsub, qstat and qdel of a stand-in for OpenPBS: what its manual documents as far as we use it, no more."""

from __future__ import annotations

import getopt
import json
import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from stand_in_jobs import CPUS, GPUS, MEMORY, Job, Request
from stand_in_queue import ask_server, jobs_of

_SERVER = "pbs"
_QUEUES = {"workq": 3 * 86400, "gpu": 3 * 86400, "short": 600}  # the longest time of each
_OPTIONS = "A:e:l:m:N:o:p:q:r:S:"
_UNKNOWN_JOB, _BAD_VALUE, _UNKNOWN_QUEUE, _UNKNOWN_RESOURCE, _OVER_LIMIT, _FINISHED = (
    153,
    166,
    172,
    187,
    188,
    35,
)
_UNITS = {"": 1, "b": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40}
_VALUES = {
    "A": r"\S+", "e": r"\S+", "o": r"\S+", "m": r"n|[abej]+", "N": r"[A-Za-z_+][\w.+-]{0,235}",
    "p": r"-?\d{1,4}", "q": r"[\w@.]+", "r": r"[yn]", "S": r"/\S+",
}  # fmt: skip


class RefusedError(Exception):
    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


def read_script(script: str, arguments: list[str]) -> Request:
    """What a script asks for."""
    given: dict[str, str] = {}
    resources: dict[str, str] = {}
    for directive in [*_directives(script), *([shlex.join(arguments)] if arguments else [])]:
        _take(directive, given, resources)
    return _request(script, given, resources)


def _qsub(place: Path, arguments: list[str]) -> None:
    request = read_script(sys.stdin.read(), arguments)
    number = ask_server(place, do="submit", request=asdict(request))
    print(f"{number}.{_SERVER}")


def _directives(script: str) -> Iterable[str]:
    for line in script.splitlines():
        if line.strip() and not line.startswith("#"):
            return  # the first command: what follows are comments
        if line.startswith("#PBS"):
            yield line.removeprefix("#PBS").strip()


def _take(directive: str, given: dict[str, str], resources: dict[str, str]) -> None:
    try:
        options, rest = getopt.getopt(shlex.split(directive), _OPTIONS)
    except getopt.GetoptError as error:
        raise RefusedError(1, f"qsub: directive error: {directive} ({error})") from error
    if rest or not options:
        raise RefusedError(1, f"qsub: directive error: {directive}")
    for option, value in options:
        name = option[1:]
        if name == "l":
            resources.update(item.split("=", 1) if "=" in item else (item, "") for item in value.split(","))
        elif re.fullmatch(_VALUES[name], value):
            given[name] = value
        else:
            raise RefusedError(2, f"qsub: illegal -{name} value")


def _request(script: str, given: dict[str, str], resources: dict[str, str]) -> Request:
    if unknown := set(resources) - {"select", "place", "walltime"}:
        raise RefusedError(_UNKNOWN_RESOURCE, f"qsub: Unknown resource Resource_List.{min(unknown)}")
    count, *chunk = resources.get("select", "1:ncpus=1").split(":")
    amounts = dict(item.split("=", 1) if "=" in item else (item, "") for item in chunk)
    if unknown := set(amounts) - {"ncpus", "mem", "ngpus", "gpu_type"}:
        raise RefusedError(_UNKNOWN_RESOURCE, f"qsub: Unknown resource: {min(unknown)}")
    memory = re.fullmatch(r"(\d+)([kmgt]?b)?", amounts.get("mem", "256mb"), re.IGNORECASE)
    numbers = (count, amounts.get("ncpus", "1"), amounts.get("ngpus", "0"))
    if memory is None or count != "1" or not all(number.isdecimal() for number in numbers):
        raise RefusedError(_BAD_VALUE, "qsub: Illegal attribute or resource value Resource_List.select")
    if resources.get("place", "pack") not in ("pack", "free", "scatter", "excl"):
        raise RefusedError(_BAD_VALUE, "qsub: Illegal attribute or resource value Resource_List.place")
    queue = given.get("q", "workq")
    if queue not in _QUEUES:
        raise RefusedError(_UNKNOWN_QUEUE, "qsub: Unknown queue")
    seconds = _seconds(resources.get("walltime", "1:00:00"))
    if seconds > _QUEUES[queue]:
        raise RefusedError(_OVER_LIMIT, "qsub: Job violates queue and/or server resource limits")
    user = {name: os.environ[name] for name in ("HOME", "LOGNAME", "USER") if name in os.environ}
    return Request(
        name=given.get("N", "STDIN"),
        queue=queue,
        command=[given.get("S", "/bin/sh"), "-c", script],
        cpus=int(numbers[1]),
        memory=int(memory[1]) * _UNITS[(memory[2] or "").lower()],
        seconds=seconds,
        gpus=int(numbers[2]),
        out=given.get("o", "/dev/null"),
        err=given.get("e", "/dev/null"),
        exclusive=resources.get("place") == "excl",
        environment={
            **user,
            **{f"PBS_O_{name}": value for name, value in user.items()},
            "PATH": os.defpath,  # not the user's own, without -V
            "PBS_ENVIRONMENT": "PBS_BATCH",
            "PBS_JOBID": f"{{id}}.{_SERVER}",
            "PBS_JOBNAME": given.get("N", "STDIN"),
            "PBS_NODEFILE": "{nodefile}",
            "PBS_QUEUE": queue,
            "NCPUS": numbers[1],
            "OMP_NUM_THREADS": numbers[1],
            **({"CUDA_VISIBLE_DEVICES": "{gpus}"} if numbers[2] != "0" else {}),
        },
    )


def _seconds(walltime: str) -> int:
    if not re.fullmatch(r"(\d+:){0,2}\d+", walltime):
        raise RefusedError(_BAD_VALUE, "qsub: Illegal attribute or resource value Resource_List.walltime")
    seconds = 0
    for part in walltime.split(":"):
        seconds = seconds * 60 + int(part)
    return seconds


def _qstat(place: Path, arguments: list[str]) -> None:
    options, ids = getopt.getopt(arguments, "xfF:")
    if dict(options).get("-F") != "json" or ("-f", "") not in options:
        raise RefusedError(2, "qstat: illegal -F value")
    history = ("-x", "") in options
    jobs = {f"{job.number}.{_SERVER}": job for job in jobs_of(place)}
    shown, refused = {}, None
    for name in ids or jobs:
        if name not in jobs:
            refused = RefusedError(_UNKNOWN_JOB, f"qstat: Unknown Job Id {name}")
            print(refused, file=sys.stderr)
        elif jobs[name].state == "ended" and not history:
            if ids:
                hint = "use -x or -H to obtain historical job information"
                refused = RefusedError(_FINISHED, f"qstat: {name} Job has finished, {hint}")
                print(refused, file=sys.stderr)
        else:
            shown[name] = _facts(jobs[name])
    answer = {"timestamp": int(time.time()), "pbs_version": "stand-in", "pbs_server": _SERVER, "Jobs": shown}
    print(json.dumps(answer, indent=4))
    if refused is not None:
        sys.exit(refused.status)


def _facts(job: Job) -> dict[str, object]:
    asked = job.asked
    minutes, seconds = divmod(asked.seconds, 60)
    facts: dict[str, object] = {
        "Job_Name": asked.name,
        "job_state": {"waits": "Q", "runs": "R", "ended": "F"}[job.state],
        "queue": asked.queue,
        "Resource_List": {
            "mem": f"{asked.memory // 2**10}kb",
            "ncpus": asked.cpus,
            "ngpus": asked.gpus,
            "walltime": ":".join(f"{part:02d}" for part in (minutes // 60, minutes % 60, seconds)),
        },
    }
    if job.state == "waits":
        too_much = {"ncpus": asked.cpus > CPUS, "mem": asked.memory > MEMORY, "ngpus": asked.gpus > GPUS}
        never = next((name for name, over in too_much.items() if over), None)
        insufficient = f"Insufficient amount of resource: {never or 'ncpus'}"
        facts["comment"] = f"{'Can Never Run' if never else 'Not Running'}: {insufficient}"
    if job.node:
        facts["exec_host"] = f"{job.node}/0*{asked.cpus}"
    if job.exit_code is not None:
        code = job.exit_code if job.exit_code >= 0 else 256 - job.exit_code
        facts["Exit_status"] = -29 if job.reason == "time" else code
    return facts


def _qdel(place: Path, ids: list[str]) -> None:
    if not ids or any(name.startswith("-") for name in ids):
        raise RefusedError(2, "usage: qdel [-W force|suppress_email=X] job_identifier...")
    jobs = {f"{job.number}.{_SERVER}": job for job in jobs_of(place)}
    status = 0
    for name in ids:
        if name not in jobs:
            print(f"qdel: Unknown Job Id {name}", file=sys.stderr)
            status = _UNKNOWN_JOB
        elif jobs[name].state == "ended":
            print(f"qdel: Job has finished {name}", file=sys.stderr)
            status = _FINISHED
        else:
            ask_server(place, do="delete", number=jobs[name].number)
    sys.exit(status)


def main(place: Path, program: str, arguments: list[str]) -> None:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        {"qsub": _qsub, "qstat": _qstat, "qdel": _qdel}[program](place, arguments)
    except RefusedError as error:
        print(error, file=sys.stderr)
        sys.exit(error.status)
    except getopt.GetoptError as error:
        print(f"{program}: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError:
        print(f"{program}: cannot connect to server {_SERVER} (errno=15034)", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
