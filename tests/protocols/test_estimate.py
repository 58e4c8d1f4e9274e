import concurrent.futures
import json
from types import SimpleNamespace

import pytest

from protocols import (
    Density,
    InputError,
    OpenMMForceField,
    SimulationSettings,
    Status,
    Substance,
    ThermodynamicState,
    aestimate,
    estimate,
)
from protocols import simulation as simulation_module
from protocols.errors import ExecutionError
from workflow_backends.resources import ComputeResources

STATE = ThermodynamicState(temperature="90 K", pressure="1 bar")
ARGON = Density(Substance.pure("[Ar]"), STATE)
WATER = Density(Substance.pure("O"), ThermodynamicState(temperature="298.15 K", pressure="1 atm"))
FORCE_FIELD = OpenMMForceField("argon.xml")
SETTINGS = SimulationSettings(
    number_of_molecules=100, initial_density="1.3 g/mL", cutoff="0.8 nm", timestep="5 fs",
    equilibration_time="0.5 ps", production_time="3 ps", output_interval="0.05 ps",
)  # fmt: skip


class ThreadBackend:
    """A stand-in that keeps the part of the backends' contract that estimate() uses."""

    def __init__(self, started=True):
        self.started = started
        self.names = []
        self._pool = concurrent.futures.ThreadPoolExecutor(1)

    def options(self, name):
        return SimpleNamespace(submit_task=lambda function, *args: self._submit(name, function, args))

    def _submit(self, name, function, args):
        self.names.append(name)
        task, upstream = args

        def run():
            outputs = {
                key: value.result() if hasattr(value, "result") else value for key, value in upstream.items()
            }
            return function(task, outputs, available_resources=ComputeResources())

        return Awaitable(self._pool.submit(run))


class Awaitable:
    def __init__(self, future):
        self._future = future

    def __getattr__(self, name):
        return getattr(self._future, name)

    def __await__(self):
        import asyncio

        return asyncio.wrap_future(self._future).__await__()


@pytest.fixture
def backend(monkeypatch):
    real = concurrent.futures.wait
    monkeypatch.setattr(
        concurrent.futures, "wait", lambda futures: real([future._future for future in futures])
    )
    return ThreadBackend()


def check(result, directory):
    assert result.status is Status.converged or "effective samples" in result.reason
    assert 1.2 < result.value.to("g/mL").magnitude < 1.5
    assert result.standard_error.magnitude > 0
    assert result.platform == "CPU"
    assert result.ns_per_day > 0
    assert result.directory.is_relative_to(directory)
    assert json.loads((result.directory / "result.json").read_text())
    assert str(result).startswith("Density of [Ar] at 90 K, 1 bar: 1.")


def test_a_density_without_a_backend(tmp_path):
    [result] = estimate([ARGON], FORCE_FIELD, directory=tmp_path, settings=SETTINGS)
    check(result, tmp_path)


def test_a_finished_run_starts_no_task(tmp_path, backend):
    [first] = estimate([ARGON], FORCE_FIELD, backend, directory=tmp_path, settings=SETTINGS)
    check(first, tmp_path)
    assert len(backend.names) == 2 * 5 + 1
    backend.names.clear()
    [again] = estimate([ARGON], FORCE_FIELD, backend, directory=tmp_path, settings=SETTINGS)
    assert backend.names == []
    assert str(again) == str(first)


def test_what_two_properties_share_is_done_once(tmp_path, backend):
    twins = estimate([ARGON, ARGON], FORCE_FIELD, backend, directory=tmp_path, settings=SETTINGS)
    assert len(backend.names) == 11
    assert str(twins[0]) == str(twins[1])


def fail_at(monkeypatch, temperature):
    real = simulation_module.OpenMMSimulation.execute

    def execute(self, directory, available_resources):
        if self.state.temperature.to("K").magnitude == temperature:
            raise RuntimeError("no\nluck")
        return real(self, directory, available_resources)

    monkeypatch.setattr(simulation_module.OpenMMSimulation, "execute", execute)


@pytest.mark.parametrize("with_backend", [False, True])
def test_a_failure_comes_back_with_its_error_and_the_others_go_on(
    tmp_path, monkeypatch, backend, with_backend
):
    fail_at(monkeypatch, 95)
    bad = Density(ARGON.substance, ThermodynamicState(temperature="95 K", pressure="1 bar"))
    chosen = backend if with_backend else None
    failed, good = estimate([bad, ARGON], FORCE_FIELD, chosen, directory=tmp_path, settings=SETTINGS)
    check(good, tmp_path)
    assert failed.status is Status.failed
    assert failed.value is None
    assert isinstance(failed.error, ExecutionError)
    assert failed.protocol.startswith("OpenMMSimulation-")
    assert failed.directory == tmp_path / failed.protocol
    assert str(failed).endswith(
        f"failed: {failed.protocol} failed in {failed.directory}: RuntimeError: no luck"
    )


@pytest.mark.parametrize("with_backend", [False, True])
async def test_the_asynchronous_twin_yields_every_result(tmp_path, backend, with_backend):
    other = Density(ARGON.substance, ThermodynamicState(temperature="92 K", pressure="1 bar"))
    chosen = backend if with_backend else None
    results = [
        result
        async for result in aestimate(
            [ARGON, other], FORCE_FIELD, chosen, directory=tmp_path, settings=SETTINGS
        )
    ]
    assert {str(result.property) for result in results} == {str(ARGON), str(other)}


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"properties": [WATER]}, "force_field: argon.xml does not cover O"),
        ({"settings": SimulationSettings(number_of_molecules=20)},
         "cutoff: 0.9 nm is not allowed for 20 molecules"),
        ({"properties": ["density"]}, "properties: 'density' is not a property"),
        ({"force_field": "argon.xml"}, "force_field: 'argon.xml' is not allowed"),
        ({"properties": [Density(ARGON.substance, ThermodynamicState(temperature="90 K"))]},
         "pressure: missing"),
        ({"backend": ThreadBackend(started=False)}, "backend: it is not started"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_before_anything_starts(tmp_path, inputs, message):
    arguments = {"properties": [ARGON], "force_field": FORCE_FIELD, "settings": SETTINGS} | inputs
    with pytest.raises(InputError) as caught:
        estimate(**arguments, directory=tmp_path / "run")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_the_number_of_replicas_and_the_seed_change_the_identity():
    def label(**changes):
        return ARGON.workflow(FORCE_FIELD, SETTINGS.model_copy(update=changes)).result.label

    assert label() == label()
    assert label(replicas=3) != label()
    assert label(seed=2) != label()
    packings = {s.upstream[0].upstream[0].identity for s in ARGON.workflow(FORCE_FIELD, SETTINGS).simulations}
    assert len(packings) == 2
