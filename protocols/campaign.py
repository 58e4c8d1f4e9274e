"""One property on its way to its target: its rounds, what they gave, and when it ends."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from protocols.analysis.statistics import Status
from protocols.caveats import checks_of, sampling_of
from protocols.convergence import Convergence, Limits, Verdict
from protocols.errors import ExecutionError, InputError
from protocols.export import about_property, result_record
from protocols.identity import digest
from protocols.model import Model
from protocols.notes import notes_on
from protocols.properties.base import Property, PropertyWorkflow
from protocols.result import PropertyResult
from protocols.running.run import GraphRun
from protocols.schedule import Schedule
from protocols.settings import SimulationSettings
from protocols.systems.sources import ParameterSource

__all__ = ["Campaign", "share_of_workers"]


class Campaign:
    """One property: asks for its protocols, round by round, and gives its result.

    Parameters
    ----------
    item
        The property.
    force_field, settings, limits
        Of the simulations.
    directory
        Of the run; None for a plan, which keeps nothing.

    Raises
    ------
    InputError
        The property cannot be computed so.
    """

    def __init__(
        self,
        item: Property,
        force_field: ParameterSource,
        settings: SimulationSettings,
        limits: Limits,
        directory: Path | None,
    ) -> None:
        self.property = item
        self._force_field = force_field
        self._settings = settings
        self._own = item.settings_for(settings)
        self._limits = limits
        self._convergence = Convergence(item, limits)
        self._round = 0
        self._last: tuple[Model, PropertyWorkflow] | None = None
        self._result: PropertyResult | None = None
        self._history: list[list[float | None]] = []
        self.workflow = item.workflow(force_field, settings)
        self.liquids = frozenset(replicas[0][0].identity for replicas in self.workflow.liquids)
        """What tells simulations of one system at one state from those of others."""
        self._schedule = None if item.target is None else self._new_schedule(limits, directory)

    def _new_schedule(self, limits: Limits, directory: Path | None) -> Schedule:
        key = digest([self.identity, self._own.replicas, str(self.property.target)])
        steps, least = self._steps_of_a_run, self._own.least_replicas
        if limits.steps is not None and steps * least > limits.steps:
            raise InputError(
                f"limits.steps: {limits.steps} is not allowed; one round of {self.property} has "
                f"{steps * least} steps"
            )
        return Schedule(
            None if directory is None else directory / "schedules" / f"{key[:16]}.json",
            least,
            fixed=self._own.replicas is not None,
            most_runs=None if limits.steps is None else limits.steps // steps,
        )

    @property
    def _steps_of_a_run(self) -> int:
        """The steps of one round of one replica, which every liquid runs."""
        return sum(replicas[0][0].steps for replicas in self.workflow.liquids)

    @property
    def identity(self) -> str:
        """Of the protocol with whose end the present round ends."""
        return self.workflow.result.identity

    def next_workflow(self, share_of_workers: int) -> PropertyWorkflow:
        """Return what the next round would be the workflow of."""
        if self._schedule is None:
            return self.workflow
        rounds = self._schedule.next(self._round, share_of_workers)
        return self.property.workflow(self._force_field, self._settings, rounds)

    def ask(self, run: GraphRun, share_of_workers: int) -> None:
        """Ask for the next round."""
        if self._schedule is not None:
            self._schedule.decide(self._round, share_of_workers)
            self.workflow = self.next_workflow(share_of_workers)
        self._round += 1
        run.need([self.workflow.result], self)

    def proceed(self, run: GraphRun, share_of_workers: int) -> PropertyResult | None:
        """Look at the round that has ended; return the result, or None if another round is wanted."""
        outcome = run.outcome(self.workflow.result)
        if not isinstance(outcome, Model):
            self._result = self._failed(run)
            return self._result
        self._last = outcome, self.workflow
        values = self._values()
        self._history.append([values[name] for name in ("value", "standard_error", "n_effective")])
        rounds = max(len(replica) for replica in self.workflow.simulations)
        verdict = self._convergence.judge(outcome, rounds, self._steps_after_next(share_of_workers))
        return self._end(run, verdict) if verdict.finished else None

    def give_up(self, run: GraphRun, reason: str) -> PropertyResult:
        """Return what there is so far, as not converged."""
        return self._end(run, Verdict(True, Status.unconverged, reason))

    def _steps_after_next(self, share_of_workers: int) -> int:
        """Return the steps of production in all if another round is run."""
        if self._schedule is None:
            return 0
        return sum(self._schedule.next(self._round, share_of_workers)) * self._steps_of_a_run

    def summary(self) -> dict[str, Any]:
        """Return where the property stands, as plain data."""
        last, ended = self._last, self._result
        about = about_property(self.property) | {
            "round": self._round,
            "status": "running",
            "reason": "",
            "value": None,
            "standard_error": None,
            "target": None,
            "n_effective": None,
            "protocol": None if last is None else last[1].result.label,
            "simulations": digest(sorted(self.liquids))[:16],  # equal where properties share them
            "steps_a_round": self._steps_of_a_run * len(self.workflow.liquids[0]),
            "most_rounds": self._limits.rounds,
        }
        if ended is not None:
            about |= result_record(ended)
            del about["directory"]  # it is the protocol's own, wherever the run is moved
        return about | self._values() | {"history": self._history}

    def _values(self) -> dict[str, Any]:
        """Return what the last round that ended gave."""
        if self._last is None:
            return {}
        outputs: Any = self._last[0]
        unit = self.property.unit
        value, error = outputs.value.to(unit), outputs.standard_error
        target = None if self.property.target is None else self.property.allowed_error(value)
        return {
            "value": value.magnitude,
            "standard_error": None if error is None else error.to(unit).magnitude,
            "target": None if target is None else target.to(unit).magnitude,
            "n_effective": outputs.n_effective,
        }

    def _end(self, run: GraphRun, verdict: Verdict) -> PropertyResult:
        self._result = self._made(run, verdict)
        return self._result

    def _made(self, run: GraphRun, verdict: Verdict) -> PropertyResult:
        """Return the result: the last round's value, if a round has ended."""
        if self._last is None:
            result = self.workflow.result
            return PropertyResult(
                self.property, verdict.status, result.label, run.home(result), reason=verdict.reason
            )
        last: tuple[Any, PropertyWorkflow] = self._last
        outputs, workflow = last
        unit, error = self.property.unit, outputs.standard_error
        finished = [run.outcome(each) for replica in workflow.simulations for each in replica]
        ran: list[Any] = [outcome for outcome in finished if isinstance(outcome, Model)]
        return PropertyResult(
            property=self.property,
            status=verdict.status,
            protocol=workflow.result.label,
            directory=run.home(workflow.result),
            value=outputs.value.to(unit),
            standard_error=None if error is None else error.to(unit),
            n_effective=outputs.n_effective,
            reason=verdict.reason,
            platform=", ".join(sorted({item.platform for item in ran})) or None,
            ns_per_day=sum(item.ns_per_day for item in ran) / len(ran) if ran else None,
            trajectory_files=tuple(filter(None, (getattr(item, "trajectory_file", None) for item in ran))),
            incidents=tuple(incident for item in ran for incident in item.incidents),
            rounds=tuple(len(replica) for replica in workflow.liquids[0]),
            mole_fractions=self.property.substance.mole_fractions(self._own.number_of_molecules),
            details=dict(getattr(outputs, "details", {})) | sampling_of(workflow, run),
            checks=checks_of(workflow, run),
            notes=notes_on(self.property, self._settings, workflow, run),
        )

    def _failed(self, run: GraphRun) -> PropertyResult:
        found = run.culprit(self.workflow.result)
        protocol, error = found if found is not None else (self.workflow.result, RuntimeError("unknown"))
        home = run.home(protocol)
        if not isinstance(error, ExecutionError):  # the engine's own, which knows neither
            message = " ".join(str(error).split())
            error = ExecutionError(protocol.label, home, f"{type(error).__name__}: {message}")
        return PropertyResult(self.property, Status.failed, protocol.label, home, error=error)


def share_of_workers(number_of_workers: int, campaigns: Iterable[Campaign]) -> int:
    """Return how many simulations at a time each liquid can have, if so many workers do simulations."""
    liquids = frozenset().union(*(campaign.liquids for campaign in campaigns))
    return number_of_workers // len(liquids)
