"""Pictures for the report: SVG whose colours come from the page, so that one picture is light and dark."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from numpy.typing import NDArray

from protocols.analysis.autocorrelation import autocovariance, block_means, is_constant
from protocols.report.series import Curve, Series

__all__ = [
    "autocorrelation",
    "curve",
    "histogram",
    "parity",
    "replica_agreement",
    "rounds",
    "time_series",
    "unit_text",
]

_Array = NDArray[np.float64]

_UPRIGHT = 28  # letters
_POINTS = 200  # a line; more cannot be told apart
_INK, _MUTED, _GRID, _BAND = "#010101", "#020202", "#030303", "#040404"
_REPLICAS = tuple(f"#0505{number:02d}" for number in range(7))
_VARIABLES = {_INK: "ink", _MUTED: "muted", _GRID: "grid", _BAND: "accent"} | {
    colour: f"series-{number}" for number, colour in enumerate(_REPLICAS)
}
"""Colours that only stand for variables of the page's style sheet."""

_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "report",
    "font.family": "sans-serif",
    "font.size": 10,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _MUTED,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.2,
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-4, 5),
    "path.simplify": True,
}


class _Picture:
    """A figure with one pair of axes, drawn in the page's colours."""

    def __init__(self, x: str, y: str, height: float = 2.7) -> None:
        self._context = rc_context(_STYLE)
        self._labels, self._height = (x, y), height

    def __enter__(self) -> Any:
        self._context.__enter__()
        self.figure = Figure(figsize=(4.0, self._height))
        self.figure.subplots_adjust(
            left=0.22, bottom=0.54 / self._height, right=0.94, top=1 - 0.2 / self._height
        )
        FigureCanvasSVG(self.figure)
        axes = self.figure.subplots()
        axes.set_xlabel(self._labels[0])
        axes.set_ylabel(_in_lines(self._labels[1]))
        axes.locator_params(nbins=6)
        return axes

    def __exit__(self, *_: object) -> None:
        text = io.StringIO()
        try:
            self.figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
        finally:
            self._context.__exit__(None, None, None)
        self.svg = _for_the_page(text.getvalue())


def _for_the_page(svg: str) -> str:
    """Return the picture without what a page has no use for, its colours as variables of the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(
        r'<svg [^>]*?viewBox="([^"]+)"[^>]*>', r'<svg viewBox="\1" aria-hidden="true">', svg, count=1
    )
    referenced = set(re.findall(r'(?:url\(|href=")#([^)"]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in referenced else "", svg)
    svg = re.sub(r' d="[^"]*"', lambda found: re.sub(r"(\d\.\d)\d+", r"\1", found[0]), svg)
    for colour, name in _VARIABLES.items():
        svg = svg.replace(colour, f"var(--{name})")
    return re.sub(r">\s+<", "><", svg)


def unit_text(unit: str) -> str:
    """Return a unit as it is printed; empty for a pure number."""
    text = unit.replace("dimensionless", "").replace("*", "·")
    return text.replace("^2", "²").replace("^3", "³")


def _in_lines(label: str) -> str:
    """Return the label of an upright axis, with its unit in a second line where it would be too long."""
    return label.replace(" / ", "\n/ ") if len(label) > _UPRIGHT else label


def _with_unit(name: str, unit: str) -> str:
    text = unit_text(unit)
    return f"{name} / {text}" if text else name


def _times(series: Series, frames: int) -> tuple[float, str]:
    """Return the time of a frame and its unit, nanoseconds for a long series."""
    return (series.interval / 1000, "ns") if frames * series.interval >= 2000 else (series.interval, "ps")


def time_series(series: Series) -> str:
    """Draw each replica, where it is cut, and the running mean of all with its band."""
    longest = max(map(len, series.replicas))
    step, unit = _times(series, longest)
    with (picture := _Picture(f"time / {unit}", _with_unit(series.name, series.unit))) as axes:
        for number, replica in enumerate(series.replicas):
            colour = _REPLICAS[number % len(_REPLICAS)]
            length = max(1, math.ceil(len(replica) / _POINTS))
            blocks = block_means(replica, length)
            first = len(replica) % length
            x = (first + (np.arange(len(blocks)) + 0.5) * length) * step
            axes.plot(x, blocks, color=colour, linewidth=0.8, alpha=0.75)
            cut = series.estimate.discarded[number] * step
            axes.axvline(cut, color=colour, linestyle=(0, (4, 2)), linewidth=1.2)
        x, mean, band = _running_mean(series)
        if len(x):
            axes.fill_between(x * step, mean - band, mean + band, color=_BAND, alpha=0.3, linewidth=0)
            axes.plot(x * step, mean, color=_INK, linewidth=1.8)
        axes.set_xlim(0, longest * step)
    return picture.svg


def _running_mean(series: Series) -> tuple[_Array, _Array, _Array]:
    """Return frames, the mean of all that is kept up to there, and its error.

    The error is that of the whole, scaled by the square root of the frames that are kept.
    """
    kept = [
        (start, replica[start:])
        for start, replica in zip(series.estimate.discarded, series.replicas, strict=True)
    ]
    longest = max(map(len, series.replicas))
    sums, counts = np.zeros(longest), np.zeros(longest)
    for start, part in kept:
        sums[start : start + len(part)] += part
        counts[start : start + len(part)] += 1
    total, number = np.cumsum(sums), np.cumsum(counts)
    frames = np.flatnonzero(number >= max(1.0, 0.02 * number[-1]))
    frames = frames[:: max(1, len(frames) // _POINTS)]
    error = series.estimate.standard_error or 0.0
    return (
        frames.astype(float),
        total[frames] / number[frames],
        error * np.sqrt(number[-1] / number[frames]),
    )


def _kept(series: Series) -> list[_Array]:
    return [
        replica[start:] for start, replica in zip(series.estimate.discarded, series.replicas, strict=True)
    ]


def histogram(series: Series) -> str:
    """Draw how the kept values of each replica are distributed, and the mean."""
    kept = _kept(series)
    pooled = np.concatenate(kept)
    bins = np.histogram_bin_edges(pooled, bins=min(40, max(8, int(len(pooled) ** 0.5))))
    with (picture := _Picture(_with_unit(series.name, series.unit), "share of frames / %")) as axes:
        for number, part in enumerate(kept):
            weights = np.full(len(part), 100 / len(part))
            axes.hist(
                part,
                bins=bins,
                weights=weights,
                histtype="step",
                color=_REPLICAS[number % len(_REPLICAS)],
                linewidth=1.4,
            )
        axes.axvline(series.estimate.mean, color=_INK, linewidth=1.8)
    return picture.svg


def replica_agreement(series: Series) -> str:
    """Draw the mean of each replica with its error beside that of all."""
    kept, estimate = _kept(series), series.estimate
    error = estimate.standard_error or 0.0
    total = sum(map(len, kept))
    with (picture := _Picture("replica", _with_unit(series.name, series.unit))) as axes:
        axes.axhspan(estimate.mean - error, estimate.mean + error, color=_BAND, alpha=0.3, linewidth=0)
        axes.axhline(estimate.mean, color=_INK, linewidth=1.8)
        for number, part in enumerate(kept):
            axes.errorbar(
                [number + 1],
                [part.mean()],
                yerr=[error * math.sqrt(total / len(part))],
                fmt="o",
                capsize=4,
                color=_REPLICAS[number % len(_REPLICAS)],
            )
        axes.set_xlim(0.4, len(kept) + 0.6)
        axes.set_xticks(range(1, len(kept) + 1) if len(kept) <= 12 else range(1, len(kept) + 1, 5))
    return picture.svg


def autocorrelation(series: Series) -> str | None:
    """Draw the autocorrelation of what is kept, and the time between uncorrelated samples."""
    kept = _kept(series)
    if is_constant(np.concatenate(kept)):
        return None
    covariance = autocovariance(kept)
    lags = min(len(covariance), max(10, math.ceil(4 * series.estimate.statistical_inefficiency)))
    step, unit = _times(series, lags)
    every = max(1, lags // _POINTS)
    with (picture := _Picture(f"lag / {unit}", "autocorrelation")) as axes:
        axes.axhline(0, color=_MUTED, linewidth=0.8)
        axes.plot(
            np.arange(lags)[::every] * step,
            (covariance[:lags] / covariance[0])[::every],
            color=_REPLICAS[0],
            linewidth=1.6,
        )
        apart = series.estimate.statistical_inefficiency * step
        axes.axvline(apart, color=_INK, linestyle=(0, (4, 2)), linewidth=1.4)
        axes.set_xlim(0, max((lags - 1) * step, 1.05 * apart))
        axes.set_ylim(top=1.05)
    return picture.svg


def rounds(history: Sequence[Sequence[float | None]], target: float | None, unit: str) -> str:
    """Draw the value after each round with its standard error, and the target about the last."""
    numbers = range(1, len(history) + 1)
    values = [row[0] for row in history]
    errors = [row[1] or 0.0 for row in history]
    with (picture := _Picture("round", _with_unit("value", unit))) as axes:
        if target is not None and values[-1] is not None:
            axes.axhspan(values[-1] - target, values[-1] + target, color=_BAND, alpha=0.3, linewidth=0)
        axes.errorbar(numbers, values, yerr=errors, fmt="o", capsize=4, color=_REPLICAS[0])
        axes.set_xlim(0.5, len(history) + 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True)
    return picture.svg


def curve(drawn: Curve) -> str:
    """Draw a curve with its errors."""
    every = max(1, len(drawn.x) // _POINTS)
    x, y, errors = (part[::every] for part in (drawn.x, drawn.y, np.nan_to_num(drawn.errors)))
    with (picture := _Picture(_slashed(drawn.x_name), _slashed(drawn.name))) as axes:
        axes.fill_between(x, y - errors, y + errors, color=_BAND, alpha=0.3, linewidth=0)
        axes.plot(x, y, color=_REPLICAS[0], linewidth=1.6)
    return picture.svg


def _slashed(name: str) -> str:
    """Return "area / nm²" of the "area (nm^2)" that tables have."""
    return re.sub(r" \((.+)\)$", lambda found: f" / {unit_text(found[1])}", name)


def parity(points: Sequence[tuple[float, float, float, float]], name: str, unit: str) -> str:
    """Draw estimates against references.

    Parameters
    ----------
    points
        Reference, its uncertainty, value, its standard error.
    name, unit
        Of the property.
    """
    reference, uncertainty, value, error = (np.array(column) for column in zip(*points, strict=True))
    reached = np.concatenate([reference - uncertainty, reference + uncertainty, value - error, value + error])
    least, most = float(reached.min()), float(reached.max())
    room = 0.08 * (most - least) or 0.05 * abs(most) or 1.0
    ends = (least - room, most + room)
    with (picture := _Picture(_with_unit("reference", unit), _with_unit("estimate", unit), 3.6)) as axes:
        axes.set_title(name, fontsize=10)
        axes.plot(ends, ends, color=_MUTED, linewidth=1.0)
        axes.errorbar(
            reference,
            value,
            xerr=uncertainty,
            yerr=error,
            fmt="o",
            capsize=3,
            color=_REPLICAS[0],
            markersize=5,
        )
        axes.set_xlim(ends)
        axes.set_ylim(ends)
        axes.set_aspect("equal")
    return picture.svg
