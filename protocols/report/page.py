"""The page of a report: what the template shows, in plain words and numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from protocols.quantities import with_error
from protocols.report import plots
from protocols.report.machines import machines_of, runs_of
from protocols.report.reading import RunReading
from protocols.report.references import Reference
from protocols.report.series import Series, curves_of, series_of
from protocols.status import ProtocolState

__all__ = ["html_of"]

_WORDS = {
    "converged": "Good enough: the value can be used with its standard error.",
    "not converged": "A limit came before the target was met; value and error are those so far. "
    "With a higher limit, the same command goes on from here.",
    "too short": "The simulations are too short to tell; take value and error as a first impression. "
    "Give a target, or longer simulations.",
    "failed": "No value: a protocol failed.",
    "running": "Still being simulated; value and error are those of the last round.",
    "interrupted": "The run was interrupted before this was good enough; shown are the rounds that ended.",
}
_ITS_ERROR = " standard error"
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_DOUBTFUL = (
    "The standard error is small enough, but a check did not pass: look at it before you use the value."
)
_CLASSES = {
    "converged": "good",
    "not converged": "warn",
    "too short": "warn",
    "failed": "bad",
    "interrupted": "warn",
    "running": "run",
}


def html_of(run: RunReading, references: Mapping[str, Reference]) -> str:
    """Return the report of a run.

    Parameters
    ----------
    run
        Its directory.
    references
        By the text of their property.
    """
    environment = Environment(
        loader=PackageLoader("protocols.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pictures = _Pictures()
    properties = [
        _property(run, number, estimate, references.get(estimate["property"]), pictures)
        for number, estimate in enumerate(run.estimates, start=1)
    ]
    labels = {item["protocol"] for item in properties if item["protocol"]}
    return environment.get_template("page.html.j2").render(
        name=run.directory.name,
        directory=str(run.directory),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        holder=run.status.holder,
        interrupted=run.status.interrupted,
        driver=run.status.driver,
        counts=_counts([item["status"] for item in properties]),
        protocols={str(state): number for state, number in run.status.counts.items() if number},
        failed=[each for each in run.status.protocols if each.state is ProtocolState.failed],
        properties=properties,
        with_references=any(item["reference"] for item in properties),
        parity=_parity(properties, pictures),
        machines=machines_of(run, labels),
    )


class _Pictures:
    """Marks pictures as safe HTML, with names of their own so that many fit into one page."""

    def __init__(self) -> None:
        self._number = 0

    def __call__(self, svg: str) -> Markup:
        self._number += 1
        mark = f"p{self._number}-"
        return Markup(re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{mark}", svg))  # our own


def _counts(statuses: list[str]) -> list[tuple[int, str, str]]:
    return [(statuses.count(status), status, kind) for status, kind in _CLASSES.items() if status in statuses]


def _property(
    run: RunReading,
    number: int,
    estimate: dict[str, Any],
    reference: Reference | None,
    pictures: _Pictures,
) -> dict[str, Any]:
    status, label = str(estimate["status"]), estimate.get("protocol")
    warnings = [check for check in estimate.get("checks", []) if not check["passed"]]
    has_value = status != "failed" and estimate.get("value") is not None
    series, problems = series_of(run, label) if has_value and label else ([], [])
    failing = run.protocol(label) if status == "failed" and label else None
    return {
        "number": number,
        "property": estimate["property"],
        "type": estimate.get("type", estimate["property"].partition(" of ")[0]),
        "status": status,
        "class": _CLASSES.get(status, "warn"),
        "words": _DOUBTFUL if warnings and status == "converged" else _WORDS.get(status, ""),
        "warnings": warnings,
        "reason": estimate.get("reason", ""),
        "round": estimate.get("round"),
        "unit": plots.unit_text(estimate["unit"]),
        "value": estimate.get("value") if has_value else None,
        "standard_error": estimate.get("standard_error"),
        "shown": _shown(estimate) if has_value else None,
        "target": _short(estimate.get("target")) if has_value else None,
        "n_effective": estimate.get("n_effective") if has_value else None,
        "reference": reference,
        "reference_shown": reference and _value(reference.value, reference.uncertainty or None),
        "deviation": _deviation(estimate, reference) if has_value else None,
        "protocol": label,
        "directory": str(run.directory / label) if label else None,
        "error": failing.error if failing else None,
        "checks": estimate.get("checks", []),
        "notes": estimate.get("notes", []),
        "incidents": estimate.get("incidents", []),
        "details": _details(estimate.get("details", {})),
        "mole_fractions": estimate.get("mole_fractions", {}),
        "problems": problems,
        "series": [_series(each, pictures) for each in series],
        "panels": _panels(run, estimate, pictures) if has_value else [],
        "runs": runs_of(run, label) if label else [],
    }


def _series(series: Series, pictures: _Pictures) -> dict[str, Any]:
    """Return the pictures of a series, each with what a reader who does not see it needs."""
    estimate, unit = series.estimate, plots.unit_text(series.unit)
    mean = f"{_value(estimate.mean, estimate.standard_error)} {unit}".strip()
    left_out = " and ".join(f"{frames * series.interval:g}" for frames in estimate.discarded)
    apart = estimate.statistical_inefficiency * series.interval
    several = f"{len(series.replicas)} replicas" if len(series.replicas) > 1 else "one replica"
    panels = [
        (
            "Over time",
            f"Time series of {several}. Dashed: where each was cut, {left_out} ps from its start. "
            f"Thick line: running mean of the rest, {mean} at the end, and a band of one standard "
            "error.",
            plots.time_series(series),
        ),
        (
            "Distribution",
            f"How often each value occurs in what is kept of {several}; the line is the mean.",
            plots.histogram(series),
        ),
        (
            "Agreement of replicas",
            f"Mean of each replica with one standard error; line and band are those of all: {mean}.",
            plots.replica_agreement(series),
        ),
    ]
    memory = plots.autocorrelation(series)
    if memory is not None:
        text = f"How long values remember each other. Dashed: uncorrelated samples are {apart:.3g} ps apart."
        panels.append(("Autocorrelation", text, memory))
    return {
        "name": series.name,
        "protocol": series.protocol,
        "text": mean,
        "n_effective": estimate.n_effective,
        "frames": sum(map(len, series.replicas)),
        "replicas": len(series.replicas),
        "reason": estimate.reason,
        "panels": [{"title": title, "text": text, "svg": pictures(svg)} for title, text, svg in panels],
    }


def _panels(run: RunReading, estimate: dict[str, Any], pictures: _Pictures) -> list[dict[str, Any]]:
    """Return the pictures of a property itself: its rounds, and curves that it is read from."""
    panels = []
    history = estimate.get("history", [])
    if len(history) > 1:
        text = "The value after each round with one standard error"
        target = estimate.get("target")
        text += "." if target is None else "; the band is the target about the last value."
        svg = plots.rounds(history, target, estimate["unit"])
        panels.append({"title": "Rounds", "text": text, "svg": pictures(svg)})
    for curve in curves_of(run, estimate.get("protocol") or ""):
        text = "Mean over segments with a band of one standard error."
        title = curve.name.partition(" (")[0].capitalize()
        panels.append({"title": title, "text": text, "svg": pictures(plots.curve(curve))})
    return panels


def _parity(properties: list[dict[str, Any]], pictures: _Pictures) -> list[dict[str, Any]]:
    """Return a picture for each kind of property that has references."""
    kinds: dict[tuple[str, str], list[tuple[float, float, float, float]]] = {}
    for item in properties:
        if item["reference"] and item["value"] is not None:
            point = (*item["reference"], item["value"], item["standard_error"] or 0.0)
            kinds.setdefault((item["type"], item["unit"]), []).append(point)
    panels = []
    for (kind, unit), points in kinds.items():
        number = f"{len(points)} value" + ("s" if len(points) > 1 else "")
        text = f"{number}; on the line estimate and reference are equal. Bars are one standard error."
        panels.append({"title": kind, "text": text, "svg": pictures(plots.parity(points, kind, unit))})
    return panels


def _details(details: Mapping[str, str]) -> dict[str, str]:
    """Return what else is known, each number with its error where that is known too."""
    shown = {}
    for name, text in details.items():
        number, _, unit = text.partition(" ")
        error, _, unit_of_error = details.get(f"{name}{_ITS_ERROR}", "").partition(" ")
        if error and unit == unit_of_error:
            shown[name] = f"{_value(float(number), float(error))} {unit}".rstrip()
        elif not name.endswith(_ITS_ERROR):
            shown[name] = text
    return shown


def _shown(estimate: Mapping[str, Any]) -> str:
    return _value(estimate["value"], estimate.get("standard_error"))


def _value(value: float, error: float | None) -> str:
    """Return a number with its error, as people write it."""
    return _plain(value, error).replace("+/-", "±")


def _plain(value: float, error: float | None) -> str:
    if error is None or not error > 0:
        return f"{value:.6g}"
    if abs(value) >= 1e5 or 0 < abs(value) < 1e-3:
        exponent = int(f"{value:e}".partition("e")[2])
        power = 10.0**exponent
        return f"({with_error(value / power, error / power)}) · 10{str(exponent).translate(_RAISED)}"
    return with_error(value, error)


def _short(number: float | None) -> str | None:
    return None if number is None else f"{number:.2g}"


def _deviation(estimate: Mapping[str, Any], reference: Reference | None) -> str | None:
    """Return estimate minus reference, in per cent and in standard errors of the difference."""
    if reference is None:
        return None
    difference = estimate["value"] - reference.value
    text = (
        f"{difference:+.2g}" if reference.value == 0 else f"{100 * difference / abs(reference.value):+.2g} %"
    )
    error = ((estimate.get("standard_error") or 0.0) ** 2 + reference.uncertainty**2) ** 0.5
    return text if error == 0 else f"{text} ({abs(difference) / error:.1f} SE)"
