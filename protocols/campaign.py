"""One property on its way to its target: its rounds, what they gave, and when it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from protocols.convergence import Convergence, Limits, Verdict
from protocols.errors import ExecutionError, InputError
from protocols.forcefield import OpenMMForceField
from protocols.identity import digest
from protocols.model import Model
from protocols.properties.base import Property, PropertyWorkflow
from protocols.result import PropertyResult
from protocols.run import GraphRun
from protocols.schedule import Schedule
from protocols.settings import SimulationSettings
from protocols.statistics import Status

__all__ = ["Campaign"]


class Campaign:
    """One property: asks for its protocols, round by round, and gives its result.

    Parameters
    ----------
    item
        The property.
    force_field, settings, limits
        Of the simulations.
    directory
        Of the run.

    Raises
    ------
    InputError
        The property cannot be computed so.
    """

    def __init__(
        self,
        item: Property,
        force_field: OpenMMForceField,
        settings: SimulationSettings,
        limits: Limits,
        directory: Path,
    ) -> None:
        self.property = item
        self._force_field = force_field
        self._settings = settings
        self._directory = directory
        self._convergence = Convergence(item, limits)
        self._round = 0
        self._last: tuple[Model, PropertyWorkflow] | None = None
        self._verdict: Verdict | None = None
        self.workflow = item.workflow(force_field, settings)
        self.liquid = self.workflow.simulations[0][0].identity
        """What tells simulations of one system at one state from those of others."""
        target = None if item.target is None else str(item.target)
        key = digest([self.workflow.result.identity, settings.replicas, target])
        fixed = settings.replicas is not None or item.target is None
        file = directory / "schedules" / f"{key[:16]}.json"
        self._schedule = None if item.target is None else Schedule(file, settings.least_replicas, fixed=fixed)
        if limits.steps is not None and item.target is not None and self._steps > limits.steps:
            raise InputError(
                f"limits.steps: {limits.steps} is not allowed; one round of {item} has {self._steps} steps"
            )

    @property
    def _steps(self) -> int:
        return sum(run.steps for replica in self.workflow.simulations for run in replica)

    def ask(self, run: GraphRun, share_of_workers: int) -> None:
        """Ask for the next round."""
        if self._schedule is not None:
            rounds = self._schedule.rounds(self._round, share_of_workers)
            self.workflow = self.property.workflow(self._force_field, self._settings, rounds)
        self._round += 1
        run.need([self.workflow.result], self)

    def proceed(self, run: GraphRun) -> PropertyResult | None:
        """Look at the round that has ended; return the result, or None if another round is wanted."""
        outcome = run.outcome(self.workflow.result)
        if not isinstance(outcome, Model):
            return self._failed(run)
        simulations = self.workflow.simulations
        next_steps = sum(replica[-1].steps for replica in simulations)
        self._last = outcome, self.workflow
        self._verdict = self._convergence.judge(
            outcome, max(len(replica) for replica in simulations), self._steps, next_steps
        )
        return self._result(run, self._verdict) if self._verdict.finished else None

    def give_up(self, run: GraphRun, reason: str) -> PropertyResult:
        """Return what there is so far, as not converged."""
        verdict = Verdict(True, Status.unconverged, reason)
        if self._last is None:
            result = self.workflow.result
            return PropertyResult(
                self.property, verdict.status, result.label, run.home(result), reason=reason
            )
        return self._result(run, verdict)

    def summary(self) -> dict[str, Any]:
        """Return where the property stands, as plain data."""
        unit = self.property.unit
        if self._last is None or self._verdict is None:
            return {"property": str(self.property), "round": self._round, "value": None}
        last: Any = self._last[0]
        target = None if self.property.target is None else self.property.allowed_error(last.value.to(unit))
        return {
            "property": str(self.property),
            "round": self._round,
            "value": last.value.to(unit).magnitude,
            "standard_error": None if last.standard_error is None else last.standard_error.to(unit).magnitude,
            "target": None if target is None else target.magnitude,
            "unit": unit,
            "n_effective": last.n_effective,
            "status": str(self._verdict.status) if self._verdict.finished else "running",
            "reason": self._verdict.reason,
        }

    def _result(self, run: GraphRun, verdict: Verdict) -> PropertyResult:
        outputs, workflow = cast("tuple[Any, PropertyWorkflow]", self._last)
        unit, error, result = self.property.unit, outputs.standard_error, workflow.result
        finished = [run.outcome(each) for replica in workflow.simulations for each in replica]
        ran: list[Any] = [outcome for outcome in finished if isinstance(outcome, Model)]
        return PropertyResult(
            property=self.property,
            status=verdict.status,
            protocol=result.label,
            directory=run.home(result),
            value=outputs.value.to(unit),
            standard_error=None if error is None else error.to(unit),
            n_effective=outputs.n_effective,
            reason=verdict.reason,
            platform=", ".join(sorted({item.platform for item in ran})) or None,
            ns_per_day=sum(item.ns_per_day for item in ran) / len(ran) if ran else None,
            rounds=tuple(len(replica) for replica in workflow.simulations),
        )

    def _failed(self, run: GraphRun) -> PropertyResult:
        found = run.culprit(self.workflow.result)
        protocol, error = found if found is not None else (self.workflow.result, RuntimeError("unknown"))
        home = run.home(protocol)
        if not isinstance(error, ExecutionError):  # the engine's own, which knows neither
            message = " ".join(str(error).split())
            error = ExecutionError(protocol.label, home, f"{type(error).__name__}: {message}")
        return PropertyResult(self.property, Status.failed, protocol.label, home, error=error)
