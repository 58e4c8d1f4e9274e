"""Draw architecture.svg: ``python docs/pictures/architecture.py``."""

from __future__ import annotations

from pathlib import Path

WIDTH, MARGIN, GAP = 420, 20, 28
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
INK, GREY, EDGE = "#1d2733", "#5b6875", "#c3ccd5"
LAYERS = [
    ("#fff", GREY, "a script, a notebook, the command line", ["what you want to know"]),
    (
        "#e6eef8",
        "#1f5fa8",
        "protocols: what to compute",
        [
            "properties: a formula, and the protocols behind it",
            "dynamics, systems, analysis: what protocols do",
            "graphs: identity, wiring, merging",
            "running: locks, results, restart",
        ],
    ),
    (
        "#e4f3ec",
        "#0b6b4f",
        "workflow_backends: where and how it runs",
        [
            "futures, cancelling, limits, retries",
            "resources: threads, GPUs, memory, time",
            "platforms: which of OpenMM's works here",
            "workers: a process each, replaced when it dies",
        ],
    ),
    (
        "#fff",
        GREY,
        "engines",
        ["Parsl, Dask, Celery, or processes alone", "OpenMM, packmol, pymbar, openmmtools"],
    ),
]


def _text(x: float, y: float, words: str, more: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}"{more}>{words}</text>'


def draw() -> str:
    """Return the picture: layers from top to bottom, each using only what lies below."""
    parts, top = [], MARGIN
    for number, (fill, stroke, title, lines) in enumerate(LAYERS):
        height = 40 + 20 * len(lines)
        if number:
            parts.append(
                f'<path d="M{WIDTH / 2:g} {top - GAP + 3:g} V{top - 3:g}" stroke="{GREY}" stroke-width="1.5" '
                'marker-end="url(#tip)"/>'
            )
        parts.append(
            f'<rect x="{MARGIN}" y="{top}" width="{WIDTH - 2 * MARGIN}" height="{height}" rx="7" '
            f'fill="{fill}" stroke="{stroke}" stroke-width="1.5"/>'
        )
        parts.append(_text(MARGIN + 14, top + 25, title, ' font-weight="700"'))
        parts += [_text(MARGIN + 14, top + 47 + 20 * row, line) for row, line in enumerate(lines)]
        top += height + GAP
    height = top - GAP + MARGIN
    tip = '<path d="M0 1 L10 5 L0 9 z" fill="#5b6875"/>'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="560" height="{height * 4 / 3:g}" '
            f'viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title" font-family="{FONT}" '
            f'font-size="14" fill="{INK}">',
            '<title id="title">Layers, each using only what lies below: a script, protocols, '
            "workflow_backends, engines</title>",
            '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
            f'orient="auto">{tip}</marker></defs>',
            f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="10" fill="#fbfcfd" '
            f'stroke="{EDGE}"/>',
            *parts,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(draw())
