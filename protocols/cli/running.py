"""The commands that compute: run and resume."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import typer

from protocols.analysis.statistics import Status
from protocols.calculations.calculation import Calculation, read_calculation
from protocols.calculations.kept import check_directory, keep_calculation, kept_calculation
from protocols.cli.exits import Exit, reporting, say
from protocols.estimate import estimate
from protocols.export import result_record
from protocols.result import PropertyResult
from protocols.running.run import CALCULATION_NAME

__all__ = ["resume_run", "run_file"]


def run_file(file: Path, directory: Path | None, *, as_json: bool) -> None:
    """Run the calculation of a file in a directory, and end with what became of it."""
    home = Path(file.stem) if directory is None else directory
    with reporting(as_json=as_json, after_interruption=lambda: _how_to_resume(home)):
        calculation = read_calculation(file)
        check_directory(calculation, home)
        _run(calculation, home, as_json=as_json)


def resume_run(directory: Path, *, as_json: bool) -> None:
    """Go on with the calculation that a directory keeps."""
    with reporting(as_json=as_json, after_interruption=lambda: _how_to_resume(directory)):
        _run(kept_calculation(directory), directory, as_json=as_json)


def _how_to_resume(home: Path) -> str:
    if not (home / CALCULATION_NAME).exists():
        return "Nothing had begun."
    return f"Nothing is lost; go on with: estimate-properties resume {home}"


def _run(calculation: Calculation, home: Path, *, as_json: bool) -> None:
    with calculation.started_backend() as backend:
        keep_calculation(calculation, home)
        results = estimate(
            calculation.properties,
            calculation.force_field,
            backend,
            directory=home,
            settings=calculation.settings,
            limits=calculation.limits,
        )
    comparisons = calculation.compare(results)
    compared = ["", "Beside measured values:", *map(str, comparisons)] if comparisons else []
    text = "\n".join([*map(str, results), *compared, "", f"Report: estimate-properties report {home}"])
    data = {
        "results": list(map(result_record, results)),
        "comparisons": [each.as_data() for each in comparisons],
    }
    say(text, data, as_json=as_json)
    raise typer.Exit(_exit_code(results))


def _exit_code(results: Iterable[PropertyResult]) -> Exit:
    found = {result.status for result in results}
    if Status.failed in found:
        return Exit.failed
    return Exit.fine if found <= {Status.converged} else Exit.not_converged
