"""Draw convergence.svg from a run of 200 argon atoms at 90 K: two minutes, kept in a directory.

``python docs/pictures/convergence.py DIRECTORY``; another machine gives other numbers.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from protocols import (
    Density,
    Limits,
    OpenMMForceField,
    PropertyResult,
    SimulationSettings,
    Status,
    Substance,
    ThermodynamicState,
    estimate,
)
from protocols.analysis.observables import read_observable
from protocols.analysis.statistics import MINIMUM_EFFECTIVE_SAMPLES, pooled_mean

STATE = ThermodynamicState(temperature="90 K", pressure="1 bar")
DENSITY = Density(Substance.pure("[Ar]"), STATE, "0.2 %")
FORCE_FIELD = OpenMMForceField("argon.xml")
TARGET = 0.2  # %
SETTINGS = SimulationSettings(
    number_of_molecules=200, initial_density="1.3 g/mL", cutoff="0.85 nm", timestep="5 fs",
    output_interval="0.1 ps", equilibration_time="10 ps", production_time="60 ps",
)  # fmt: skip

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 420, 400, 66, 404, 46, 290
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
BLUE, GREEN, GREY, RED = "#1f5fa8", "#0b6b4f", "#5b6875", "#a8281a"


def rounds_of(directory: Path) -> list[PropertyResult]:
    """Return the result after each round; one round more goes on from those before."""
    results: list[PropertyResult] = []
    while not results or results[-1].status is Status.unconverged:
        limits = Limits(rounds=len(results) + 1)
        results += estimate([DENSITY], FORCE_FIELD, directory=directory, settings=SETTINGS, limits=limits)
    return results


def replica_errors(directory: Path, rounds: tuple[int, ...]) -> list[float]:
    """Return the standard error, in %, that each replica has by itself."""
    errors = []
    for replica in DENSITY.workflow(FORCE_FIELD, SETTINGS, rounds).simulations:
        tables = [directory / each.label / "observables.csv" for each in replica]
        alone = pooled_mean([np.concatenate([read_observable(table, "density")[0] for table in tables])])
        errors.append(100 * (alone.standard_error or 0.0) / alone.mean)
    return errors


def draw(results: list[PropertyResult], alone: list[list[float]]) -> str:
    """Return the picture."""
    pooled = [100 * float(result.standard_error / result.value) for result in results]
    samples = [float(result.n_effective or 0) for result in results]
    top = 1.08 * max(pooled + [error for errors in alone for error in errors])
    met = [
        error <= TARGET and n >= MINIMUM_EFFECTIVE_SAMPLES for error, n in zip(pooled, samples, strict=True)
    ]
    xs = np.linspace(LEFT + 28, RIGHT - 28, len(results))

    def y(error: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * error / top

    def line(errors: list[float], style: str) -> str:
        points = " ".join(f"{x:.1f},{y(error):.1f}" for x, error in zip(xs, errors, strict=True))
        return f'<polyline points="{points}" fill="none" {style}/>'

    parts = [
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="10" fill="#fbfcfd" '
        'stroke="#c3ccd5"/>',
        '<text x="20" y="30" font-weight="700">Standard error of the density, %</text>',
        f'<path d="M{LEFT} {TOP} V{BOTTOM} H{RIGHT}" fill="none" stroke="{GREY}"/>',
    ]
    for tick in np.arange(0, top, 0.1):
        parts.append(
            f'<text x="{LEFT - 8}" y="{y(tick) + 4.5:.1f}" text-anchor="end" font-size="13">{tick:.1f}</text>'
        )
    parts.append(
        f'<path d="M{LEFT} {y(TARGET):.1f} H{RIGHT}" stroke="{RED}" stroke-width="1.5" '
        'stroke-dasharray="6 4"/>'
    )
    for number, errors in enumerate(zip(*alone, strict=True)):
        dashes = ' stroke-dasharray="2 3"' if number else ""
        parts.append(line(list(errors), f'stroke="{GREY}" stroke-width="1.5"{dashes}'))
    parts.append(line(pooled, f'stroke="{BLUE}" stroke-width="2.5"'))
    for number, (x, error, n, good) in enumerate(zip(xs, pooled, samples, met, strict=True), start=1):
        enough = n >= MINIMUM_EFFECTIVE_SAMPLES
        fill, edge = (GREEN, GREEN) if good else (BLUE if enough else "#fff", BLUE)
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y(error):.1f}" r="7" fill="{fill}" stroke="{edge}" '
            'stroke-width="2.5"/>'
        )
        parts.append(f'<text x="{x:.1f}" y="{BOTTOM + 20}" text-anchor="middle">{number}</text>')
        weight = "" if enough else f' fill="{RED}"'
        parts.append(
            f'<text x="{x:.1f}" y="{BOTTOM + 38}" text-anchor="middle" font-size="13"{weight}>{n:.0f}</text>'
        )
    parts += [
        f'<text x="{LEFT - 8}" y="{BOTTOM + 20}" text-anchor="end" font-size="13">round</text>',
        f'<text x="{LEFT - 8}" y="{BOTTOM + 38}" text-anchor="end" font-size="13">samples</text>',
        f'<text x="{xs[len(xs) // 2]:.1f}" y="{y(TARGET) + 18:.1f}" text-anchor="middle" font-size="13" '
        f'fill="{RED}">target</text>',
        *_legend(BOTTOM + 62),
    ]
    return _svg(parts, pooled, samples)


def _legend(top: int) -> list[str]:
    """Return what the marks mean, in two columns."""
    return [
        f'<circle cx="28" cy="{top}" r="7" fill="#fff" stroke="{BLUE}" stroke-width="2.5"/>',
        f'<text x="44" y="{top + 4.5}" font-size="13">fewer than 50 samples</text>',
        f'<circle cx="28" cy="{top + 26}" r="7" fill="{GREEN}"/>',
        f'<text x="44" y="{top + 30.5}" font-size="13">target met; twice: stop</text>',
        f'<path d="M216 {top} h26" stroke="{BLUE}" stroke-width="2.5"/>',
        f'<text x="250" y="{top + 4.5}" font-size="13">both replicas, pooled</text>',
        f'<path d="M216 {top + 22} h26" stroke="{GREY}" stroke-width="1.5"/>',
        f'<path d="M216 {top + 29} h26" stroke="{GREY}" stroke-width="1.5" stroke-dasharray="2 3"/>',
        f'<text x="250" y="{top + 30.5}" font-size="13">each replica alone</text>',
    ]


def _svg(parts: list[str], pooled: list[float], samples: list[float]) -> str:
    told = "; ".join(
        f"round {number}: {error:.2f} %, {n:.0f} effective samples"
        for number, (error, n) in enumerate(zip(pooled, samples, strict=True), start=1)
    )
    body = "\n  ".join(parts)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="560" height="{560 * HEIGHT / WIDTH:.0f}" \
viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="title desc" font-family="{FONT}" \
font-size="14" fill="#1d2733">
  <title id="title">The standard error against rounds, until it meets the target twice in a row</title>
  <desc id="desc">Two replicas of 200 argon atoms at 90 K, rounds of 60 ps, target {TARGET} %. \
Pooled standard error: {told}.</desc>
  {body}
</svg>
"""


if __name__ == "__main__":
    home = Path(sys.argv[1])
    after_each = rounds_of(home)
    errors_alone = [replica_errors(home, result.rounds) for result in after_each]
    Path(__file__).with_suffix(".svg").write_text(draw(after_each, errors_alone))
