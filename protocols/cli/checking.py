"""The commands that run nothing: check and script."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from protocols.calculations.calculation import read_calculation
from protocols.calculations.kept import check_directory
from protocols.calculations.plan import plan_of
from protocols.calculations.schema import calculation_schema
from protocols.cli.exits import reporting, say
from protocols.errors import InputError, ProtocolsError

__all__ = ["check_file", "show_schema", "show_script"]


def check_file(file: Path, *, speed: bool, as_json: bool) -> None:
    """Print what a calculation would do."""
    with reporting(as_json=as_json):
        calculation = read_calculation(file)
        calculation.check_backend()
        plan = plan_of(calculation, measure=speed)
        try:
            check_directory(calculation, Path(file.stem))
        except ProtocolsError as error:
            plan = replace(plan, notes=(*plan.notes, f"run would refuse: {error}"))
        say(f"{file} is fine.\n{plan}", plan.as_data(), as_json=as_json)


def show_script(file: Path, *, as_json: bool) -> None:
    """Print the job script of a calculation's backend."""
    with reporting(as_json=as_json):
        calculation = read_calculation(file)
        kind = (calculation.backend or {}).get("type", "none")
        backend = calculation.make_backend() if calculation.backend is not None else None
        job_script = getattr(backend, "job_script", None)
        if job_script is None:
            raise InputError(
                f"{file}: backend: type {kind} has no job script; one of a scheduler has, as parsl-slurm"
            )
        text = job_script()
        say(text.rstrip("\n"), {"script": text}, as_json=as_json)


def show_schema() -> None:
    """Print the JSON Schema of a calculation's file."""
    say("", calculation_schema(), as_json=True)
