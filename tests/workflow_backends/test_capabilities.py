from __future__ import annotations

import re
from pathlib import Path

import pytest

import workflow_backends
from workflow_backends import CeleryBackend
from workflow_backends.engine import Capability

_PAGE = Path(__file__).parents[2] / "docs" / "backends.md"
_ROWS = {
    "several pools": Capability.pools,
    "starts again after `stop()`": Capability.restart,
    "workers end when the script is killed": Capability.end_with_script,
    "pins workers to GPUs, counts threads": Capability.placement,
}


def _told() -> dict[str, dict[str, str]]:
    """What the page tells of each column's backends: cells by the row's name."""
    told: dict[str, dict[str, str]] = {}
    for table in re.findall(
        r"^\| \| `.*\n(?:\|.*\n)+", _PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE
    ):
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
        for row in rows[2:]:
            for column, cell in zip(rows[0][1:], row[1:], strict=True):
                told.setdefault(column, {})[row[0]] = cell
    return told


def _backends(column: str) -> list[str]:
    first, *others = re.findall(r"`\.*(\w+)`", column)
    own = ["CeleryBackend"] if "queue_name" in others else []
    family = re.sub(r"Slurm", "{}", first)
    return own or [first, *(family.format(other.removesuffix("Backend")) for other in others)]


@pytest.mark.parametrize("column", _told())
def test_the_table_of_the_page_says_what_backends_declare(column: str) -> None:
    cells = _told()[column]
    for name in _backends(column):
        kind = getattr(workflow_backends, name)
        cannot = kind.cannot
        if "queue_name" in column:
            cannot = CeleryBackend(broker="redis://localhost", queue_name="ours").cannot
        assert {item for row, item in _ROWS.items() if re.match(r"no\b", cells[row])} == cannot, name


def test_every_capability_has_a_row_and_every_backend_a_column() -> None:
    assert set(_ROWS.values()) == set(Capability)
    named = {name for column in _told() for name in _backends(column)}
    assert named == {name for name in workflow_backends.__all__ if name.endswith("Backend")} - {
        "CalculationBackend"
    }
