"""The calculation that a run's directory keeps: the run is resumed from it, and no other takes it over."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pint

from protocols.calculations.calculation import Calculation, read_calculation
from protocols.calculations.problems import CalculationFileError
from protocols.errors import DirectoryLockedError, InputError
from protocols.identity import content, digest
from protocols.properties.base import Property
from protocols.quantities import describe_quantity
from protocols.running.run import CALCULATION_NAME
from protocols.running.storage import write_atomically
from protocols.settings import SimulationSettings
from protocols.status import RunStatus, run_status
from protocols.text import json_text

__all__ = ["check_directory", "keep_calculation", "kept_calculation"]

_ORIGIN_NAME = "calculation.json"
_SHOWN = 3
_MORE_OR_LONGER = {"production_time", "nve_segments", "replicas", "trajectory", "trajectory_interval"}


def keep_calculation(calculation: Calculation, directory: Path) -> None:
    """Write the text of a calculation's file into a run's directory."""
    directory.mkdir(parents=True, exist_ok=True)
    write_atomically(directory / _ORIGIN_NAME, json_text({"folder": str(calculation.folder)}))
    write_atomically(directory / CALCULATION_NAME, calculation.text)


def kept_calculation(directory: Path | str) -> Calculation:
    """Read the calculation that is kept in a run's directory.

    Raises
    ------
    InputError
        There is none.
    CalculationFileError
        It is no longer right, because a file that it names is gone, for example.
    """
    home = Path(directory)
    try:
        folder = Path(json.loads((home / _ORIGIN_NAME).read_text(encoding="utf-8"))["folder"])
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"directory: {str(home)!r} holds no run of the command line; {CALCULATION_NAME} is missing"
        ) from None
    return read_calculation(home / CALCULATION_NAME, folder)


def check_directory(calculation: Calculation, directory: Path) -> None:
    """Refuse a directory in which a run is under way, or that holds another calculation.

    A calculation goes on in the directory of one that has the same force field and settings and estimates no
    property that it lacks. Targets, limits, the backend, references and `_MORE_OR_LONGER` may differ.

    Raises
    ------
    DirectoryLockedError
        A run is under way there.
    InputError
        It holds another calculation; the message says what is in it and what differs.
    """
    try:
        status = run_status(directory)
    except InputError:  # no run has begun there
        return
    if status.holder is not None:
        raise DirectoryLockedError(
            f"{directory}: a run is under way there, driven by {status.holder}; wait, or stop it"
        )
    differences = list(_differences(calculation, directory, status))
    if differences:
        raise InputError(
            f"directory: {directory} holds another calculation, of {_listed(_names(status))}; "
            f"{', '.join(differences)}; run this one in a directory of its own with --directory, or delete "
            f"{directory} if it is not needed"
        )


def _names(status: RunStatus) -> list[str]:
    """Return the properties of a run."""
    return [str(estimate["property"]) for estimate in status.estimates]


def _differences(new: Calculation, directory: Path, status: RunStatus) -> Iterator[str]:
    """Say what would be lost from sight, or mixed with something else, if a calculation went on there."""
    if not (directory / CALCULATION_NAME).exists():  # a script's, of which only the properties are known
        asked_for = set(map(str, new.properties))
        yield from _lacking([name for name in _names(status) if name not in asked_for], _names(status))
        return
    try:
        old = kept_calculation(directory)
    except InputError as error:
        reason = error.found[0] if isinstance(error, CalculationFileError) else error
        yield f"it can no longer be read ({reason})"
        return
    if (new.text, new.folder) == (old.text, old.folder):
        return
    if new.force_field.identity_content() != old.force_field.identity_content():
        yield f"its force_field is {old.force_field}"
    yield from _other_settings(old.settings, new.settings)
    asked = set(map(_without_target, new.properties))
    lost = [str(item) for item in old.properties if _without_target(item) not in asked]
    yield from _lacking(lost, old.properties)


def _lacking(names: Sequence[str], of: Sequence[object]) -> Iterator[str]:
    if names:
        yield f"this one does not estimate {_listed(names) if len(names) < len(of) else 'that'}"


def _without_target(item: Property) -> str:
    return digest(item.model_copy(update={"target": None}).identity_content())


def _other_settings(old: SimulationSettings, new: SimulationSettings) -> Iterator[str]:
    for name in SimulationSettings.model_fields.keys() - _MORE_OR_LONGER:
        before, now = getattr(old, name), getattr(new, name)
        if content(before, name) != content(now, name):
            shown = describe_quantity(before) if isinstance(before, pint.Quantity) else before
            yield f"its settings.{name} is {shown}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more if names else "no property"
