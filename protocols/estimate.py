"""From properties to results: check everything, build one graph, run it, collect."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from protocols.errors import ExecutionError, InputError
from protocols.forcefield import OpenMMForceField
from protocols.graph import WorkflowGraph
from protocols.model import Model
from protocols.progress import show_progress
from protocols.properties.base import Property, PropertyWorkflow
from protocols.protocol import Protocol
from protocols.result import PropertyResult
from protocols.settings import SimulationSettings
from protocols.statistics import Status
from workflow_backends.machine import available_cpus
from workflow_backends.resources import ComputeResources

__all__ = ["aestimate", "estimate"]


def estimate(
    properties: Sequence[Property],
    force_field: OpenMMForceField,
    backend: Any = None,
    *,
    directory: Path | str = "estimate",
    settings: SimulationSettings | None = None,
    progress: bool | None = None,
) -> list[PropertyResult]:
    """Estimate properties and wait for all of them.

    Parameters
    ----------
    properties
        What to estimate; work that several share is done once.
    force_field
        That covers every molecule.
    backend
        A started CalculationBackend; None runs in this process.
    directory
        Of the run. The same command with the same directory goes on where the last one ended.
    settings
        Of the simulations.
    progress
        Whether to show progress; None shows it on a terminal only.

    Returns
    -------
    list of PropertyResult
        In the order of `properties`. One that failed carries its error; the others go on.

    Raises
    ------
    InputError
        An input is not allowed; nothing has been started then.
    """
    run = _Run(properties, force_field, backend, directory, settings)
    with show_progress(run.graph, run.directory, progress):
        if backend is None:
            return [run.here(index) for index in range(len(run.workflows))]
        outcomes = run.graph.submit(backend, run.directory)
        try:
            concurrent.futures.wait(_futures(outcomes))
            settled = _settled(outcomes)
            return [run.result(index, settled) for index in range(len(run.workflows))]
        except BaseException:
            _cancel(outcomes)
            raise


async def aestimate(
    properties: Sequence[Property],
    force_field: OpenMMForceField,
    backend: Any = None,
    *,
    directory: Path | str = "estimate",
    settings: SimulationSettings | None = None,
    progress: bool | None = None,
) -> AsyncIterator[PropertyResult]:
    """Estimate properties and yield each result as soon as it is there.

    Parameters, behaviour and errors are those of `estimate`. Without a backend the work is done in a thread
    of this process, so that the event loop goes on.
    """
    run = _Run(properties, force_field, backend, directory, settings)
    with show_progress(run.graph, run.directory, progress):
        if backend is None:
            for index in range(len(run.workflows)):
                yield await asyncio.to_thread(run.here, index)
            return
        outcomes = run.graph.submit(backend, run.directory)
        tasks = [asyncio.ensure_future(run.aresult(index, outcomes)) for index in range(len(run.workflows))]
        try:
            for task in asyncio.as_completed(tasks):
                yield await task
        finally:
            for task in tasks:
                task.cancel()
            _cancel(outcomes)


class _Run:
    """All properties of one call: their workflows and the graph of them all."""

    def __init__(
        self,
        properties: Sequence[Property],
        force_field: OpenMMForceField,
        backend: Any,
        directory: Path | str,
        settings: SimulationSettings | None,
    ) -> None:
        _check(properties, force_field, backend)
        chosen = settings or SimulationSettings()
        self.properties = list(properties)
        self.directory = Path(directory).resolve()
        self.workflows = [item.workflow(force_field, chosen) for item in self.properties]
        self.graph = WorkflowGraph(workflow.result for workflow in self.workflows)

    def here(self, index: int) -> PropertyResult:
        """Execute one property's workflow in this process."""
        resources = ComputeResources(number_of_threads=available_cpus())
        graph = WorkflowGraph([self.workflows[index].result])
        return self.result(index, graph.execute(self.directory, resources))

    async def aresult(self, index: int, outcomes: dict[str, Any]) -> PropertyResult:
        """Await what one property needs."""
        settled: dict[str, Model | Exception] = {}
        for protocol in WorkflowGraph([self.workflows[index].result]):
            outcome = outcomes[protocol.identity]
            try:
                settled[protocol.identity] = outcome if isinstance(outcome, Model) else await outcome
            except Exception as error:  # noqa: BLE001  # it belongs to the result
                settled[protocol.identity] = error
        return self.result(index, settled)

    def result(self, index: int, outcomes: dict[str, Model | Exception]) -> PropertyResult:
        """Return one property's result; of several errors, the one furthest upstream."""
        workflow = self.workflows[index]
        for protocol in WorkflowGraph([workflow.result]):
            outcome = outcomes.get(protocol.identity)
            if isinstance(outcome, Exception):
                return self._failed(index, protocol, outcome)
        outputs: Any = outcomes[workflow.result.identity]
        error, unit = outputs.standard_error, self.properties[index].unit
        platform, speed = _platform_and_speed(workflow, outcomes)
        return PropertyResult(
            property=self.properties[index],
            status=outputs.status,
            protocol=workflow.result.label,
            directory=self.directory / workflow.result.label,
            value=outputs.value.to(unit),
            standard_error=None if error is None else error.to(unit),
            n_effective=outputs.n_effective,
            reason=outputs.reason,
            platform=platform,
            ns_per_day=speed,
        )

    def _failed(self, index: int, protocol: Protocol, error: Exception) -> PropertyResult:
        home = self.directory / protocol.label
        if not isinstance(error, ExecutionError):  # the engine's own, which knows neither
            message = " ".join(str(error).split())
            error = ExecutionError(protocol.label, home, f"{type(error).__name__}: {message}")
        return PropertyResult(self.properties[index], Status.failed, protocol.label, home, error=error)


def _check(properties: Sequence[Property], force_field: object, backend: Any) -> None:
    for item in properties:
        if not isinstance(item, Property):
            raise InputError(f"properties: {item!r} is not a property; give Density(substance, state)")
    if not isinstance(force_field, OpenMMForceField):
        raise InputError(f"force_field: {force_field!r} is not allowed; give OpenMMForceField('tip3p.xml')")
    if backend is not None and not backend.started:
        raise InputError("backend: it is not started; call start() or use it in a with block")


def _platform_and_speed(
    workflow: PropertyWorkflow, outcomes: dict[str, Model | Exception]
) -> tuple[str | None, float | None]:
    outputs: list[Any] = [outcomes[simulation.identity] for simulation in workflow.simulations]
    if not outputs:
        return None, None
    platforms = sorted({item.platform for item in outputs})
    return ", ".join(platforms), sum(item.ns_per_day for item in outputs) / len(outputs)


def _futures(outcomes: dict[str, Any]) -> list[Any]:
    return [outcome for outcome in outcomes.values() if not isinstance(outcome, Model)]


def _settled(outcomes: dict[str, Any]) -> dict[str, Model | Exception]:
    settled: dict[str, Model | Exception] = {}
    for identity, outcome in outcomes.items():
        try:
            settled[identity] = outcome if isinstance(outcome, Model) else outcome.result()
        except Exception as error:  # noqa: BLE001  # it belongs to a result
            settled[identity] = error
    return settled


def _cancel(outcomes: dict[str, Any]) -> None:
    for future in _futures(outcomes):
        if not future.done():
            future.cancel()
