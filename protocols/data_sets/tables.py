"""Data sets as CSV and JSON.

Both have the columns of `COLUMNS`. A pure substance has one SMILES and the mole fraction 1; a mixture has
several, which CSV separates by semicolons. A mole fraction of 0 is that of one molecule of a solute.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from protocols.data_sets.measurement import DataSet, Measurement
from protocols.data_sets.thermoml import read_thermoml
from protocols.data_sets.thermoml_writing import thermoml_text
from protocols.errors import InputError
from protocols.paths import located
from protocols.quantities import registry
from protocols.running.storage import write_atomically
from protocols.state import ThermodynamicState
from protocols.substance import Role, Substance
from protocols.text import json_text, parse_json
from workflow_backends.spelling import did_you_mean

__all__ = ["COLUMNS", "read_data_set", "write_data_set"]

COLUMNS = (
    "smiles",
    "mole_fractions",
    "temperature_K",
    "pressure_bar",
    "phase",
    "property",
    "component",
    "value",
    "uncertainty",
    "unit",
    "source",
)
"""Of the table; those after the unit and pressure, component, phase and uncertainty may be empty."""

_NEEDED = ("smiles", "temperature_K", "property", "value", "unit")
_SEPARATOR = ";"  # no SMILES has one


def read_data_set(file: Path | str) -> DataSet:
    """Read measured values.

    Parameters
    ----------
    file
        CSV, JSON or ThermoML (.xml), by its suffix; or the name of a set of this package: ``water.csv``,
        ``liquids.csv``.

    Raises
    ------
    InputError
        The file cannot be read, or a row of a table is wrong; the message names the row.
    """
    path = _found(located(file), Path(file).name == str(file))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"data set: {str(file)!r} cannot be read: {error}") from None
    match path.suffix:
        case ".csv":
            rows = _rows_of_csv(text)
        case ".json":
            rows = _rows_of_json(text)
        case ".xml":
            return read_thermoml(text, path.name)
        case _:
            raise InputError(f"data set: {str(file)!r} is not allowed; give a .csv, .json or .xml file")
    return DataSet(measurements=tuple(_measurement(row, f"{path.name}, {where}") for where, row in rows))


def write_data_set(data: DataSet, file: Path | str) -> Path:
    """Write measured values as CSV, JSON or ThermoML, by the file's suffix.

    Raises
    ------
    InputError
        The suffix is another one than .csv, .json or .xml, or ThermoML cannot hold these values.
    """
    path, rows = Path(file), [_row(item) for item in data.measurements]
    if path.suffix == ".json":
        write_atomically(path, json_text(rows))
    elif path.suffix == ".csv":
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            joined = {name: _SEPARATOR.join(map(str, row[name])) for name in ("smiles", "mole_fractions")}
            writer.writerow(row | joined)
        write_atomically(path, text.getvalue())
    elif path.suffix == ".xml":
        write_atomically(path, thermoml_text(data))
    else:
        raise InputError(f"data set: {str(file)!r} is not allowed; give a .csv, .json or .xml file")
    return path


def _found(path: Path, plain: bool) -> Path:
    """Return the path, or that of the set of this package where a name without folders is no file."""
    shipped = Path(str(resources.files("protocols") / "data")) / path.name
    return shipped if plain and not path.is_file() and shipped.is_file() else path


def _rows_of_csv(text: str) -> list[tuple[str, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text))
    _check_columns(list(reader.fieldnames or ()))
    rows = []
    for row in reader:
        given: dict[str, Any] = {name: value.strip() for name, value in row.items() if name and value}
        for name in ("smiles", "mole_fractions"):
            given[name] = [part.strip() for part in given.get(name, "").split(_SEPARATOR) if part.strip()]
        rows.append((f"line {reader.line_num}", given))
    return rows


def _rows_of_json(text: str) -> list[tuple[str, dict[str, Any]]]:
    data = parse_json(text)
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise InputError(f"data set: it must be a list of objects with the keys {', '.join(COLUMNS)}")
    for row in data:
        _check_columns(list(row))
    return [(f"entry {number}", row) for number, row in enumerate(data, 1)]


def _check_columns(given: list[str]) -> None:
    unknown = next((name for name in given if name not in COLUMNS), None)
    if unknown is not None:
        raise InputError(
            f"data set: the column {unknown!r} is not known{did_you_mean(unknown, COLUMNS)}; "
            f"known are {', '.join(COLUMNS)}"
        )
    missing = [name for name in _NEEDED if name not in given]
    if missing:
        raise InputError(f"data set: the columns {', '.join(missing)} are missing")


def _measurement(row: Mapping[str, Any], where: str) -> Measurement:
    try:
        pressure, unit = _number(row, "pressure_bar"), str(row.get("unit", ""))
        uncertainty = _number(row, "uncertainty")
        return Measurement(
            property=str(row.get("property")),
            substance=_substance(row),
            state=ThermodynamicState(
                temperature=registry.Quantity(_needed(row, "temperature_K"), "kelvin"),
                pressure=None if pressure is None else registry.Quantity(pressure, "bar"),
            ),
            value=_quantity(_needed(row, "value"), unit),
            uncertainty=None if uncertainty is None else _quantity(uncertainty, unit),
            phase=row.get("phase") or "liquid",
            component=row.get("component") or None,
            source=str(row.get("source") or ""),
        )
    except InputError as error:
        raise InputError(f"data set: {where}: {error}") from None


def _quantity(number: float, unit: str) -> Any:
    try:
        return registry.Quantity(number, "dimensionless" if unit in {"", "1"} else unit)
    except Exception as error:  # pint has many errors for units that it cannot read
        raise InputError(f"unit: {unit!r} is not known; give one such as 'g/mL' or 'kJ/mol'") from error


def _needed(row: Mapping[str, Any], name: str) -> float:
    number = _number(row, name)
    if number is None:
        raise InputError(f"{name}: missing")
    return number


def _number(row: Mapping[str, Any], name: str) -> float | None:
    given = row.get(name)
    if given is None or given == "":
        return None
    try:
        return float(given)
    except (TypeError, ValueError):
        raise InputError(f"{name}: {given!r} is not a number") from None


def _substance(row: Mapping[str, Any]) -> Substance:
    smiles, given = list(row.get("smiles") or ()), list(row.get("mole_fractions") or ())
    fractions = [_number({"mole_fractions": part}, "mole_fractions") for part in given] or [1.0]
    if len(smiles) != len(fractions):
        raise InputError(
            f"mole_fractions: {len(fractions)} are given for {len(smiles)} SMILES; give one each"
        )
    if len(smiles) == 1:
        return Substance.pure(smiles[0])
    solutes = [name for name, part in zip(smiles, fractions, strict=True) if part == 0]
    if solutes:
        solvents = [name for name in smiles if name not in solutes]
        if len(solutes) != 1 or len(solvents) != 1:
            raise InputError("mole_fractions: 0 is that of one solute in one pure solvent")
        return Substance.solution(solutes[0], solvents[0])
    return Substance.mixture({name: part or 0.0 for name, part in zip(smiles, fractions, strict=True)})


def _row(item: Measurement) -> dict[str, Any]:
    pressure, uncertainty = item.state.pressure, item.uncertainty
    parts = item.substance.components
    return {
        "smiles": [part.smiles for part in parts],
        "mole_fractions": [0 if part.role is Role.solute else part.mole_fraction for part in parts],
        "temperature_K": float(item.state.temperature.to("kelvin").magnitude),
        "pressure_bar": None if pressure is None else float(pressure.to("bar").magnitude),
        "phase": item.phase,
        "property": item.property,
        "component": item.component,
        "value": item.value.magnitude,
        "uncertainty": None if uncertainty is None else uncertainty.magnitude,
        "unit": item.estimated().unit,
        "source": item.source,
    }
