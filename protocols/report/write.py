"""write_report: reads a run directory and writes its report."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from protocols.errors import InputError
from protocols.properties.base import Property
from protocols.report.reading import RunReading
from protocols.report.references import references_of
from protocols.running.storage import write_atomically

__all__ = ["write_report"]

REPORT_NAME = "report.html"


def write_report(
    directory: Path | str,
    path: Path | str | None = None,
    reference: Mapping[str | Property, object] | None = None,
) -> Path:
    """Write the report of a run: one HTML file that needs nothing else, whether the run goes on or has ended.

    Parameters
    ----------
    directory
        That was given to `estimate`.
    path
        Of the file; None writes ``report.html`` into the directory. A file that is there is replaced.
    reference
        Values to compare with, such as experiment, by property or by its text, such as "Density of O at
        298.15 K, 1 atm": a quantity, or a pair of quantity and standard uncertainty.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        There is no run in the directory, a reference is of no property of it or of another dimension, or the
        extra ``report`` is not installed.
    """
    missing = [name for name in ("jinja2", "matplotlib") if find_spec(name) is None]
    if missing:
        raise InputError(
            f"write_report: {' and '.join(missing)} not installed; pip install 'estimate-properties[report]'"
        )
    from protocols.report.page import html_of  # noqa: PLC0415  # needs the extra

    run = RunReading(directory)
    references = references_of(reference or {}, run.estimates)
    file = run.directory / REPORT_NAME if path is None else Path(path).resolve()
    write_atomically(file, html_of(run, references))
    return file
