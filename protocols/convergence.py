"""When a property is good enough: its target met twice in a row, or a limit reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from protocols.analysis.statistics import Status
from protocols.model import Model
from protocols.properties.base import Property
from protocols.quantities import Quantity, WallTime, unit_symbol

__all__ = ["Convergence", "Limits", "Verdict"]

_SUCCESSIVE_ROUNDS = 2  # an error bar is itself uncertain, and stopping at the first low one would be biased


class Limits(Model):
    """Where to stop although a target is not met; properties without a target are simulated once.

    Parameters
    ----------
    rounds
        Of each replica, each of the settings' production_time.
    steps
        Molecular-dynamics steps of one property in production, over all its replicas.
    time
        Wall-clock time of the whole estimate, from the call on; what runs then is stopped and can be resumed.
    """

    rounds: Annotated[int, Field(ge=1)] = 20
    steps: Annotated[int, Field(ge=1)] | None = None
    time: WallTime | None = None


@dataclass(frozen=True)
class Verdict:
    """What to make of a property after a round.

    Parameters
    ----------
    finished
        Whether no further round is run.
    status, reason
        Of the property if it ends here.
    """

    finished: bool
    status: Status
    reason: str


class Convergence:
    """Judges the rounds of one property, one after the other.

    Parameters
    ----------
    item
        The property, with its target.
    limits
        Of rounds and steps.
    """

    def __init__(self, item: Property, limits: Limits) -> None:
        self._property = item
        self._limits = limits
        self._met = 0

    def judge(self, outputs: Any, rounds: int, steps_after_next: int) -> Verdict:
        """Judge one more round.

        Parameters
        ----------
        outputs
            Of the protocol that gives the value, over all rounds so far.
        rounds
            That the longest replica has run.
        steps_after_next
            Of production, over all replicas, that there would be after another round.
        """
        if self._property.target is None:
            return Verdict(True, outputs.status, outputs.reason)
        if outputs.status is Status.unconverged:  # longer runs would not mend it
            return Verdict(True, Status.unconverged, outputs.reason)
        if outputs.standard_error is None and outputs.status is Status.converged:  # known exactly
            return Verdict(True, Status.converged, outputs.reason)
        problem = self._problem(outputs)
        self._met = 0 if problem else self._met + 1
        if self._met >= _SUCCESSIVE_ROUNDS:
            return Verdict(True, Status.converged, "")
        problem = problem or "the target is met in one round, not yet in two in a row"
        limit = self._limit(rounds, steps_after_next)
        return Verdict(bool(limit), Status.unconverged, f"{problem}; {limit}" if limit else problem)

    def _problem(self, outputs: Any) -> str:
        """Say why this round does not meet the target; empty if it does."""
        if outputs.standard_error is None or outputs.status is not Status.converged:
            return str(outputs.reason)
        allowed = self._property.allowed_error(outputs.value.to(self._property.unit))
        error: Quantity = outputs.standard_error.to(self._property.unit)
        if error <= allowed:
            return ""
        return f"the standard error, {_short(error)}, is above the target, {_short(allowed)}"

    def _limit(self, rounds: int, steps_after_next: int) -> str:
        """Name the limit that forbids another round; empty if none does."""
        if rounds >= self._limits.rounds:
            return f"the limit of {self._limits.rounds} rounds is reached"
        if self._limits.steps is not None and steps_after_next > self._limits.steps:
            return f"another round would pass the limit of {self._limits.steps} steps"
        return ""


def _short(value: Quantity) -> str:
    """Return the quantity with two significant digits."""
    return f"{value.magnitude:.2g} {unit_symbol(value)}".rstrip()
