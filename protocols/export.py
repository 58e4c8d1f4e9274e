"""Results as plain data: records, JSON, CSV and a pandas frame."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from protocols.errors import InputError
from protocols.properties.base import Property
from protocols.quantities import Quantity, describe_quantity
from protocols.result import PropertyResult
from protocols.running.storage import write_atomically
from protocols.text import json_text

__all__ = ["about_property", "result_record", "results_frame", "write_results"]

_COLUMNS = (
    "property",
    "type",
    "substance",
    "temperature_K",
    "pressure_bar",
    "value",
    "standard_error",
    "unit",
    "target",
    "n_effective",
    "status",
    "reason",
    "warnings",
    "details",
    "platform",
    "ns_per_day",
    "protocol",
    "directory",
)
"""Of the table: what has one value a result."""


def about_property(item: Property) -> dict[str, Any]:
    """Return what tells one property from another, as plain data."""
    pressure = item.state.pressure
    return {
        "property": str(item),
        "type": type(item).__name__,
        "substance": str(item.substance),
        "temperature_K": _number(item.state.temperature, "kelvin"),
        "pressure_bar": None if pressure is None else _number(pressure, "bar"),
        "unit": item.unit,
    }


def result_record(result: PropertyResult) -> dict[str, Any]:
    """Return a result as plain data; numbers that are not finite become None.

    Parameters
    ----------
    result
        Value, error and target are given in the unit of its property.
    """
    item, value = result.property, result.value
    target = None if value is None or item.target is None else item.allowed_error(value.to(item.unit))
    return about_property(item) | {
        "value": _number(value, item.unit),
        "standard_error": _number(result.standard_error, item.unit),
        "target": _number(target, item.unit),
        "n_effective": _finite(result.n_effective),
        "status": str(result.status),
        "reason": str(result.error or result.reason),
        "warnings": [str(check) for check in result.warnings],
        "checks": [
            {"name": check.name, "passed": bool(check.passed), "text": check.text} for check in result.checks
        ],
        "notes": list(result.notes),
        "incidents": list(result.incidents),
        "details": {name: describe_quantity(each) for name, each in result.details.items()},
        "mole_fractions": dict(result.mole_fractions),
        "rounds": list(result.rounds),
        "platform": result.platform,
        "ns_per_day": _finite(result.ns_per_day),
        "protocol": result.protocol,
        "directory": str(result.directory),
    }


def write_results(results: Sequence[PropertyResult], path: Path | str) -> Path:
    """Write results as JSON, with everything that is known, or as CSV, one line each.

    Parameters
    ----------
    results
        Of `estimate`, in the order to keep.
    path
        Whose suffix, ``.json`` or ``.csv``, says which.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        The suffix is another one.
    """
    file = Path(path)
    records = [result_record(result) for result in results]
    if file.suffix == ".json":
        write_atomically(file, json_text(records))
    elif file.suffix == ".csv":
        write_atomically(file, _csv(records))
    else:
        raise InputError(f"path: {str(file)!r} is not allowed; give a file that ends in .json or .csv")
    return file


def results_frame(results: Sequence[PropertyResult]) -> Any:
    """Return results as a pandas DataFrame, one row each; it has the columns of the CSV.

    Raises
    ------
    InputError
        pandas is not installed.
    """
    try:
        import pandas  # noqa: PLC0415  # optional
    except ImportError:
        raise InputError("results_frame: pandas is not installed; pip install pandas") from None
    rows = [_row(result_record(result)) for result in results]
    return pandas.DataFrame(rows, columns=list(_COLUMNS))


def _row(record: dict[str, Any]) -> dict[str, Any]:
    details = (f"{name}: {value}" for name, value in record["details"].items())
    flat = record | {"warnings": "; ".join(record["warnings"]), "details": "; ".join(details)}
    return {name: flat[name] for name in _COLUMNS}


def _csv(records: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(_row, records))
    return text.getvalue()


def _number(value: Quantity | None, unit: str) -> float | None:
    return None if value is None else _finite(value.to(unit).magnitude)


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
