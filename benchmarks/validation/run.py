"""Compute published values again: ``python benchmarks/validation/run.py [GROUP ...] --seed 1``.

Each group writes its rows as JSON, which page.py makes the page of. A run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
import math
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from cases import GROUPS
from rows import Group, Row

from protocols import PropertyResult, SimulationSettings, estimate
from workflow_backends import ComputeResources, ParslLocalBackend

RECORDS = Path(__file__).parents[2] / "docs" / "validation"


def compute(
    group: Group, backend: ParslLocalBackend, directory: Path, seed: int, scale: float
) -> list[dict[str, Any]]:
    """Return the rows of a group as plain data.

    Parameters
    ----------
    group
        Of rows.
    backend
        That is started.
    directory
        Of the run.
    seed
        Of the run.
    scale
        Of the production time and the segments of constant energy of each replica.
    """
    settings = SimulationSettings(**group.settings | {"seed": seed})
    longer = {
        "production_time": scale * settings.production_time,
        "nve_segments": math.ceil(scale * settings.nve_segments),
    }
    settings = settings.model_copy(update=longer)
    results = estimate(
        [row.property for row in group.rows],
        group.force_field,
        backend,
        directory=directory,
        settings=settings,
    )
    return [_record(row, result) for row, result in zip(group.rows, results, strict=True)]


def _record(row: Row, result: PropertyResult) -> dict[str, Any]:
    print(result)
    if result.value is None:
        raise SystemExit(f"{row.title}: {result.error or result.reason}")
    ours, error = row.compare(result)
    combined = (error**2 + row.uncertainty**2 + row.settings_term**2) ** 0.5
    return {
        "row": row.title,
        "unit": row.unit,
        "published": row.published,
        "published_error": row.uncertainty,
        "settings_term": row.settings_term,
        "source": row.source,
        "ours": ours,
        "error": error,
        "z": (ours - row.published) / combined,
        "status": str(result.status),
        "reason": result.reason,
        "n_effective": result.n_effective,
    }


def _seconds(directory: Path) -> float:
    """Return the wall-clock time that all simulations of a run took, also of earlier tries."""
    segments = directory.glob("*/segments/*/segment.json")
    return sum(float(json.loads(file.read_text(encoding="utf-8"))["seconds"]) for file in segments)


def _keep(path: Path, name: str, entry: dict[str, Any]) -> None:
    """Put a group's entry into the file of all groups of one seed."""
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        json.dumps(dict(sorted((kept | {name: entry}).items())), indent=1) + "\n", encoding="utf-8"
    )


def main() -> None:
    """Run the groups that are asked for, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; all unless given"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--scale", type=float, default=1.0, help="of the production time")
    parser.add_argument("--workers", type=int, default=2, help="with one thread each")
    parser.add_argument("--directory", type=Path, default=Path("validation"), help="of the runs")
    parser.add_argument("--records", type=Path, default=RECORDS, help="where the rows are kept")
    arguments = parser.parse_args()
    unknown = set(arguments.groups) - set(GROUPS)
    if unknown:
        parser.error(f"unknown group {', '.join(unknown)}; there are {', '.join(GROUPS)}")
    resources = ComputeResources(number_of_threads=1)
    for name in arguments.groups or GROUPS:
        began = datetime.now(UTC)
        home = arguments.directory / f"{name}-seed-{arguments.seed}-scale-{arguments.scale:g}"
        with ParslLocalBackend(arguments.workers, resources) as backend:
            rows = compute(GROUPS[name], backend, home, arguments.seed, arguments.scale)
        entry = {
            "date": began.date().isoformat(),
            "minutes": round(_seconds(home) / 60, 1),
            "settings": GROUPS[name].settings,
            "scale": arguments.scale,
            "openmm": metadata.version("openmm"),
            "rows": rows,
        }
        _keep(arguments.records / f"seed-{arguments.seed}.json", name, entry)


if __name__ == "__main__":
    main()
