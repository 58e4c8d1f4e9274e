"""How much is still to do: roughly, from the speed so far and from errors that fall as 1 / sqrt(samples)."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from protocols.graphs.protocol import Protocol

__all__ = ["Pace", "rounds_left", "share_reached"]

_SUCCESSIVE_ROUNDS = 2  # that must meet a target


def share_reached(summary: Mapping[str, Any]) -> float | None:
    """Return how much of the samples that its target needs a property has, at most 1; None if unknown."""
    error, target = summary.get("standard_error"), summary.get("target")
    if target is None or error is None or summary.get("value") is None:
        return None
    return 1.0 if error <= target else float((target / error) ** 2)


def rounds_left(summary: Mapping[str, Any]) -> int:
    """Return how many more rounds a property probably takes after the present one."""
    share, most = share_reached(summary), summary.get("most_rounds")
    if share is None or share <= 0 or summary["status"] != "running":
        return 0
    ended = len(summary.get("history", [])) or 1
    needed = math.ceil(ended / share) if share < 1 else ended
    needed += _SUCCESSIVE_ROUNDS - 1
    needed = needed if most is None else min(needed, most)
    return max(0, needed - int(summary["round"]))


class Pace:
    """Measures how fast simulations go, between one look and the next."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[float, float]] = {}
        self._seconds_a_step: float | None = None

    def seconds_left(
        self,
        unfinished: Sequence[Protocol],
        fractions: Mapping[str, float],
        summaries: Iterable[Mapping[str, Any]],
    ) -> float | None:
        """Return about how long the run still takes; None while nothing tells, or nothing is left.

        Parameters
        ----------
        unfinished
            All protocols that are not.
        fractions
            By identity, how far those are that run.
        summaries
            Of the properties, for the rounds that are still to come.
        """
        steps = {each.identity: getattr(each, "steps", 0) for each in unfinished}
        self._measure(steps, fractions)
        if self._seconds_a_step is None:
            return None
        here = sum(number * (1 - fractions.get(identity, 0.0)) for identity, number in steps.items())
        to_come: dict[str, int] = {}  # properties that share their simulations share these too
        for summary in summaries:
            shared, number = summary.get("simulations", ""), summary.get("steps_a_round", 0)
            to_come[shared] = max(to_come.get(shared, 0), rounds_left(summary) * number)
        left = here + sum(to_come.values())
        return left * self._seconds_a_step / max(1, len(fractions)) if left else None

    def _measure(self, steps: Mapping[str, int], fractions: Mapping[str, float]) -> None:
        """Take the mean over what runs of the seconds a step has taken since it was first seen."""
        now = time.monotonic()
        paces = []
        for identity, fraction in fractions.items():
            first, began = self._seen.setdefault(identity, (fraction, now))
            moved = (fraction - first) * steps.get(identity, 0)
            if moved > 0:
                paces.append((now - began) / moved)
        self._seen = {identity: self._seen[identity] for identity in fractions}
        if paces:
            self._seconds_a_step = sum(paces) / len(paces)
