"""Talk to the server of runs.py, and compare run directories."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from runs import LOG

_RUNS = Path(__file__).with_name("runs.py")
_TELLS_TIMES = {"provenance.json", "progress.json"}
_TIMES = {"seconds", "digest", "ns_per_day"}


class Forks:
    """Runs the runs of runs.py, each in a fork of a process that has imported everything."""

    def __init__(self, inputs: Path) -> None:
        self._inputs = inputs
        self._server = subprocess.Popen(
            [sys.executable, str(_RUNS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(_RUNS.parents[2]), "OPENBLAS_NUM_THREADS": "1"},
        )
        assert self._answer() == {"threads": 1}

    def run(
        self, kind: str, directory: Path, at: int | None = None, variant: str = "before"
    ) -> dict[str, Any]:
        """Run; end it at an operation if told so; return whether it was killed, its operations and error."""
        request = {"kind": kind, "inputs": str(self._inputs), "directory": str(directory)}
        assert self._server.stdin
        self._server.stdin.write(json.dumps(request | {"at": at, "variant": variant}) + "\n")
        self._server.stdin.flush()
        return self._answer()

    def finish(self, kind: str, directory: Path) -> dict[str, Any]:
        """Run and see that nothing stopped it."""
        answer = self.run(kind, directory)
        assert (answer["killed"], answer["error"]) == (False, "")
        return answer

    def close(self) -> None:
        self._server.stdin.close()
        self._server.wait(60)
        self._server.stdout.close()

    def _answer(self) -> dict[str, Any]:
        assert self._server.stdout
        return json.loads(self._server.stdout.readline())


class Whole:
    """An uninterrupted run of a kind: what every other run must end as."""

    def __init__(self, forks: Forks, kind: str, place: Path) -> None:
        self.kind = kind
        self.directory = place / kind / "run"
        self.directory.mkdir(parents=True)
        self.operations = forks.finish(kind, self.directory)["operations"]
        self.contents = contents(self.directory)


def fresh(place: Path) -> Path:
    """Return an empty run directory, with nothing beside it."""
    shutil.rmtree(place / "try", ignore_errors=True)
    (place / "try" / "run").mkdir(parents=True)
    return place / "try" / "run"


def contents(directory: Path, ignored: Collection[str] = ()) -> dict[str, Any]:
    """Return all files below a directory, but for times in them and for those to be ignored."""
    files = {str(path.relative_to(directory)): path for path in directory.rglob("*") if path.is_file()}
    return {name: _content(path) for name, path in files.items() if name not in ignored}


def set_aside(directory: Path) -> set[str]:
    """Return the files that were kept because they were damaged."""
    paths = {path.relative_to(directory) for path in directory.rglob("*") if path.is_file()}
    return {str(path) for path in paths if ".corrupt-" in str(path)}


def _content(path: Path) -> Any:
    if path.name in _TELLS_TIMES:
        return None
    if path.name in {"result.json", "segment.json"}:
        data = json.loads(path.read_text(encoding="utf-8"))
        return [_without_times(data), _without_times(data.get("outputs", {}))]
    return path.read_bytes()


def _without_times(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in _TIMES | {"outputs"}}


def finished(directory: Path) -> dict[str, int]:
    """Return which protocols have a result, and since when."""
    return {path.parent.name: path.stat().st_mtime_ns for path in directory.glob("*/result.json")}


def executions(directory: Path) -> list[str]:
    """Return the names of the cheap protocols that were executed, in order."""
    log = directory.parent / LOG
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def warnings(directory: Path) -> str:
    """Return what runs in this directory logged."""
    log = directory.with_name(f"{directory.name}.log")
    return log.read_text(encoding="utf-8") if log.exists() else ""
