"""Put the records of run.py into docs/validation.md and draw its picture."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "validation.md"
PICTURE = DOCS / "pictures" / "validation.svg"
_RECALLED = "as recalled"  # a value that nobody looked up does not count
_BEGIN, _END = "<!-- made of docs/validation/*.json by benchmarks/validation/page.py -->", "<!-- end -->"


def rounds() -> dict[str, dict[str, Any]]:
    """Return the records of each seed, by the name of its file."""
    return {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((DOCS / "validation").glob("*.json"))
    }


def page(text: str) -> str:
    """Return the page's text with the tables made anew."""
    made = "\n\n".join(_section(name, record) for name, record in rounds().items()) or "Nothing yet."
    before, rest = text.split(_BEGIN)
    return f"{before}{_BEGIN}\n\n{made}\n\n{_END}{rest.split(_END)[1]}"


def _section(name: str, record: dict[str, Any]) -> str:
    rows = [row for group in record.values() for row in group["rows"]]
    sourced = [row for row in rows if not row["source"].endswith(_RECALLED)]
    every = [row["z"] for row in sourced]
    judged = [row["z"] for row in sourced if row["status"] == "converged"]
    beyond = sum(abs(z) > 3 for z in every)
    dates = sorted({group["date"] for group in record.values()})
    minutes = sum(group["minutes"] for group in record.values())
    lines = [
        f"### {name.replace('-', ' ').capitalize()}",
        "",
        f"{' to '.join(dict.fromkeys((dates[0], dates[-1])))}, {minutes / 60:.1f} hours of simulation on one"
        f" core. Root mean square of z: {_rms(judged):.2f} over the {len(judged)} rows that ran long"
        f" enough, {_rms(every):.2f} over all {len(every)} with a source; {beyond} beyond 3. Settings,"
        f" versions and digits: [{name}.json](validation/{name}.json).",
        "",
        "| | unit | published | other codes | ours | z | source |",
        "|---|---|---|---|---|---|---|",
        *(_line(row) for row in rows),
    ]
    return "\n".join(lines)


def _rms(values: list[float]) -> float:
    return math.sqrt(sum(value * value for value in values) / len(values))


def _line(row: dict[str, Any]) -> str:
    published = with_error(row["published"], row["published_error"])
    note = "" if row["status"] == "converged" else f" ({row['status']})"
    ours = with_error(row["ours"], row["error"]) + note
    term = f"±{row['settings_term']:g}" if row["settings_term"] else ""
    cells = (row["row"], row["unit"], published, term, ours, f"{row['z']:+.1f}", row["source"])
    return f"| {' | '.join(cells)} |"


def with_error(value: float, error: float) -> str:
    """Return a value with the error of its last digits in brackets, as 0.7017(6)."""
    if error <= 0:
        return f"{value:g}"
    exponent = math.floor(math.log10(error))
    if error < 2 * 10.0**exponent:
        exponent -= 1
    shift = math.floor(math.log10(abs(value))) if value and abs(value) < 1e-3 else 0
    decimals = max(0, shift - exponent)
    digits = round(error / 10.0 ** (shift - decimals))
    text = f"{value / 10.0**shift:.{decimals}f}({digits})"
    if exponent > 0:
        text = f"{value:.0f}({error:.0f})"
    return text if shift == 0 else f"{text}e{shift}"


def draw(path: Path) -> None:
    """Draw z of every row of every seed."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "validation"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    records = rounds()
    titles = list(
        dict.fromkeys(row["row"] for record in records.values() for g in record.values() for row in g["rows"])
    )
    figure, axes = plt.subplots(figsize=(8, 1.2 + 0.27 * len(titles)), layout="constrained")
    axes.axvspan(-3, 3, color="0.94")
    axes.axvspan(-1, 1, color="0.87")
    for marker, (name, record) in zip("osD^v", records.items(), strict=False):
        rows = [row for group in record.values() for row in group["rows"]]
        places = [len(titles) - titles.index(row["row"]) for row in rows]
        axes.plot([row["z"] for row in rows], places, marker, label=name.replace("-", " "), alpha=0.8)
    axes.set_yticks(range(len(titles), 0, -1), titles, fontsize=8)
    axes.set_xlabel("z = (ours - published) / combined standard error")
    axes.legend(loc="lower right", fontsize=8)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Write page and picture."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    draw(PICTURE)


if __name__ == "__main__":
    main()
