"""bsub, bjobs and bkill of a stand-in for LSF: what its manual documents as far as we use it, no more."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from stand_in_jobs import CPUS, Job, Request
from stand_in_queue import ask_server, jobs_of

_QUEUES = {"normal": 3 * 86400, "gpu": 3 * 86400, "short": 600}  # the longest time of each
_WITH_VALUE = ("-J", "-o", "-e", "-n", "-R", "-M", "-W", "-q", "-P", "-gpu", "-sp")
_FLAGS = ("-rn", "-x")
_COLUMNS = ("jobid", "stat", "exit_reason")
_REASONS = {
    "deleted": "TERM_OWNER: job killed by owner",
    "time": "TERM_RUNLIMIT: job killed after reaching LSF run time limit",
}


class RefusedError(Exception):
    pass


def read_script(script: str, arguments: list[str]) -> tuple[Request, bool]:
    """What a script asks for, and whether it names its queue."""
    options = _options([word for line in _directives(script) for word in line] + arguments)
    return _request(script, options), "-q" in options


def _bsub(place: Path, arguments: list[str]) -> None:
    request, named = read_script(sys.stdin.read(), arguments)
    number = ask_server(place, do="submit", request=asdict(request))
    print(f"Job <{number}> is submitted to {'' if named else 'default '}queue <{request.queue}>.")


def _directives(script: str) -> Iterable[list[str]]:
    for line in script.splitlines():
        if line.strip() and not line.startswith("#"):
            return
        if line.startswith("#BSUB"):
            yield shlex.split(line.removeprefix("#BSUB"))


def _options(words: list[str]) -> dict[str, list[str]]:
    options: dict[str, list[str]] = {}
    while words:
        word = words.pop(0)
        if word in _FLAGS:
            options[word] = []
        elif word in _WITH_VALUE and words and not words[0].startswith("-"):
            options.setdefault(word, []).append(words.pop(0))
        else:
            raise RefusedError(f"{word}: Illegal option. Job not submitted.")
    return options


def _request(script: str, options: dict[str, list[str]]) -> Request:
    last = {name: values[-1] for name, values in options.items() if values}
    queue = last.get("-q", "normal")
    if queue not in _QUEUES:
        raise RefusedError(f"{queue}: No such queue. Job not submitted.")
    name, cpus = last.get("-J", "NONAME"), _number("-n", last.get("-n", "1"))
    if cpus > CPUS * 3:
        raise RefusedError("Too many processors requested. Job not submitted.")
    limit = re.fullmatch(r"(?:(\d+):)?(\d+)", last.get("-W", "60"))
    if limit is None:
        raise RefusedError(f"{last['-W']}: Bad RUNLIMIT specification. Job not submitted.")
    seconds = 60 * (60 * int(limit[1] or 0) + int(limit[2]))
    if seconds > _QUEUES[queue]:
        raise RefusedError("RUNLIMIT: Cannot exceed queue's hard limit(s). Job not submitted.")
    requirements = " ".join(options.get("-R", []))
    if not re.fullmatch(r"(span\[hosts=1\]|rusage\[mem=\d+[KMGT]B\]| )*", requirements):
        raise RefusedError(f"Error in resource requirement <{requirements}>. Job not submitted.")
    hosts = f"{{node}} {cpus}"
    gpus = _gpus(last.get("-gpu"))
    return Request(
        name=name,
        queue=queue,
        command=["/bin/bash", "-c", script],
        cpus=cpus,
        memory=_memory(last.get("-M", "256MB")),
        seconds=seconds,
        gpus=gpus,
        out=last.get("-o", "/dev/null"),
        err=last.get("-e", "/dev/null"),
        exclusive="-x" in options,
        environment={
            **{key: value.replace("{", "{{").replace("}", "}}") for key, value in os.environ.items()},
            "LSB_JOBID": "{id}",
            "LSB_JOBNAME": name,
            "LSB_QUEUE": queue,
            "LSB_HOSTS": " ".join(["{node}"] * cpus),
            "LSB_MCPU_HOSTS": hosts,
            "LSB_DJOB_HOSTFILE": "{nodefile}",
            "LSB_DJOB_NUMPROC": str(cpus),
            **({"CUDA_VISIBLE_DEVICES": "{gpus}"} if gpus else {}),
        },
    )


def _number(option: str, value: str) -> int:
    if not value.isdecimal():
        raise RefusedError(f"{value}: Bad {option} specification. Job not submitted.")
    return int(value)


def _memory(value: str) -> int:
    found = re.fullmatch(r"(\d+)([KMGT])B?", value)
    if found is None:
        raise RefusedError(f"{value}: Bad MEMLIMIT specification. Job not submitted.")
    return int(found[1]) * 2 ** (10 * (1 + "KMGT".index(found[2])))


def _gpus(value: str | None) -> int:
    if value is None:
        return 0
    terms = dict(term.split("=", 1) if "=" in term else (term, "") for term in value.split(":"))
    if set(terms) - {"num", "gmodel", "j_exclusive", "mode"} or terms.get("j_exclusive") not in (
        "yes",
        "no",
        None,
    ):
        raise RefusedError(f"Error in GPU requirement <{value}>. Job not submitted.")
    return _number("-gpu", terms.get("num", "1"))


def _bjobs(place: Path, arguments: list[str]) -> None:
    name = columns = None
    show_all = False
    words = list(arguments)
    while words:
        match words.pop(0):
            case "-a":
                show_all = True
            case "-noheader":
                pass
            case "-J":
                name = words.pop(0)
            case "-o":
                *columns, delimiter = words.pop(0).split()
                if tuple(columns) != _COLUMNS or delimiter != "delimiter='|'":
                    raise RefusedError("bjobs: the stand-in does not know these columns")
            case other:
                raise RefusedError(f"{other}: Illegal option.")
    jobs = [job for job in jobs_of(place) if name in (None, job.asked.name)]
    jobs = [job for job in jobs if show_all or job.state != "ended"]
    if not jobs:
        raise RefusedError(f"Job <{name}> is not found" if name else "No unfinished job found")
    for job in jobs:
        print(f"{job.number}|{_stat(job)}|{_REASONS.get(job.reason, '-') if job.state == 'ended' else '-'}")


def _stat(job: Job) -> str:
    ended = "DONE" if job.exit_code == 0 and not job.reason else "EXIT"
    return {"waits": "PEND", "runs": "RUN", "ended": ended}[job.state]


def _bkill(place: Path, ids: list[str]) -> None:
    jobs = {str(job.number): job for job in jobs_of(place)}
    status = 0
    for name in ids:
        if name not in jobs:
            print(f"Job <{name}>: No matching job found", file=sys.stderr)
            status = 255
        elif jobs[name].state == "ended":
            print(f"Job <{name}>: Job has already finished", file=sys.stderr)
            status = 255
        else:
            ask_server(place, do="delete", number=jobs[name].number)
            print(f"Job <{name}> is being terminated")
    sys.exit(status)


def main(place: Path, program: str, arguments: list[str]) -> None:
    try:
        {"bsub": _bsub, "bjobs": _bjobs, "bkill": _bkill}[program](place, arguments)
    except RefusedError as error:
        print(error, file=sys.stderr)
        sys.exit(255)
    except OSError:
        print("LSF is down. Please wait ...", file=sys.stderr)
        sys.exit(255)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
