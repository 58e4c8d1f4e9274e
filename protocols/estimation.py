"""The loop behind estimate: asks for rounds, waits, judges, until no property wants more."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from protocols.campaign import Campaign, share_of_workers
from protocols.convergence import Limits
from protocols.dynamics.plans import roundings_of
from protocols.errors import InputError
from protocols.graphs.protocol import upstream_first
from protocols.progress import show_progress
from protocols.properties.base import Property
from protocols.quantities import describe_quantity
from protocols.result import PropertyResult
from protocols.running.locking import DirectoryLock
from protocols.running.run import ESTIMATES_NAME, GraphRun
from protocols.running.storage import name_full_disk, write_atomically
from protocols.running.workers import BackendWorkers, InProcessWorkers, Workers
from protocols.settings import SimulationSettings
from protocols.systems.sources import ParameterSource

__all__ = ["Estimation", "check_densities"]

_logger = logging.getLogger(__name__)


class Estimation:
    """All properties of one call.

    Parameters, and the errors of wrong ones, are those of `estimate`.
    """

    def __init__(
        self,
        properties: Sequence[Property],
        force_field: ParameterSource,
        backend: Any,
        *,
        directory: Path | str,
        settings: SimulationSettings | None,
        limits: Limits | None,
    ) -> None:
        settings = settings or SimulationSettings()
        _check(properties, force_field, backend)
        check_densities(properties, settings)
        self._directory = Path(directory).resolve()
        self._backend = backend
        self._limits = limits or Limits()
        self._numbers: dict[Property, list[int]] = {}
        for number, item in enumerate(properties):
            self._numbers.setdefault(item, []).append(number)
        self._campaigns = [
            Campaign(item, force_field, settings, self._limits, self._directory) for item in self._numbers
        ]
        self._stopped = False
        for text in roundings_of(upstream_first(each.workflow.result for each in self._campaigns)):
            _logger.warning("%s", text)
        self._run: GraphRun | None = None

    def stop(self) -> None:
        """Let `results`, in whatever thread it runs, stop what runs and end."""
        self._stopped = True
        if self._run is not None:
            self._run.wake()

    def results(self, progress: bool | None) -> Iterator[tuple[int, PropertyResult]]:
        """Yield each property's number and result as it ends; equal properties share one result.

        Parameters
        ----------
        progress
            Whether to show progress; see `show_progress`.
        """
        began = time.monotonic()
        self._directory.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            stack.enter_context(name_full_disk(self._directory))
            stack.enter_context(DirectoryLock(self._directory))
            workers = InProcessWorkers() if self._backend is None else BackendWorkers(self._backend)
            stack.callback(workers.close)
            run = self._run = GraphRun(self._directory, workers)
            stack.enter_context(show_progress(run, self._summaries, progress))
            live = list(self._campaigns)
            stack.callback(lambda: self._release(run, live))
            for campaign in live:
                campaign.ask(run, share_of_workers(workers.number_for_simulations, live))
            self._write_estimates()
            while live and not self._stopped:
                ended = {each.identity for each in run.wait(self._time_left(began))}
                results = self._proceed([c for c in live if c.identity in ended], live, run, workers)
                if live and self._time_left(began) == 0:
                    results += self._give_up(live, run)
                if ended or results:
                    self._write_estimates()
                for result in results:
                    yield from ((number, result) for number in self._numbers[result.property])

    def _proceed(
        self, ended: list[Campaign], live: list[Campaign], run: GraphRun, workers: Workers
    ) -> list[PropertyResult]:
        """Judge the rounds that have ended, ask for new ones, and return what is finished."""
        results = []
        for campaign in ended:
            share = share_of_workers(workers.number_for_simulations, live)
            result = campaign.proceed(run, share)
            if result is None:
                campaign.ask(run, share)
            else:
                live.remove(campaign)
                run.release(campaign)
                results.append(result)
        return results

    def _give_up(self, live: list[Campaign], run: GraphRun) -> list[PropertyResult]:
        limit = "" if self._limits.time is None else describe_quantity(self._limits.time)
        results = [campaign.give_up(run, f"the time limit of {limit} is reached") for campaign in live]
        self._release(run, live)
        live.clear()
        return results

    @staticmethod
    def _release(run: GraphRun, live: list[Campaign]) -> None:
        for campaign in live:
            run.release(campaign)

    def _time_left(self, began: float) -> float | None:
        if self._limits.time is None:
            return None
        limit = float(self._limits.time.to("second").magnitude)
        return max(0.0, began + limit - time.monotonic())

    def _summaries(self) -> list[dict[str, Any]]:
        return [campaign.summary() for campaign in self._campaigns]

    def _write_estimates(self) -> None:
        write_atomically(self._directory / ESTIMATES_NAME, json.dumps(self._summaries()))


def _check(properties: Sequence[Property], force_field: object, backend: Any) -> None:
    if isinstance(properties, Property):
        raise InputError(f"properties: {properties} is not a list; give [{type(properties).__name__}(...)]")
    for item in properties:
        if not isinstance(item, Property):
            raise InputError(f"properties: {item!r} is not a property; give Density(substance, state)")
    if not isinstance(force_field, ParameterSource):
        raise InputError(f"force_field: {force_field!r} is not allowed; give OpenMMForceField('tip3p.xml')")
    if backend is not None and not backend.started:
        raise InputError("backend: it is not started; call start() or use it in a with block")


def check_densities(properties: Iterable[Property], settings: SimulationSettings) -> None:
    """Raise InputError if the settings have a density of a molecule that no property is about."""
    known = {component.smiles for item in properties for component in item.substance.components}
    for smiles in settings.initial_densities:
        if smiles not in known:
            raise InputError(
                f"initial_densities: {smiles} is in no property's substance; in them are "
                f"{', '.join(sorted(known))}"
            )
