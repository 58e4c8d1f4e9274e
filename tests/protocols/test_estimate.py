import asyncio
import concurrent.futures
import json
import os
from types import SimpleNamespace

import mdtraj
import pytest

from protocols import (
    Density,
    InputError,
    Limits,
    OpenMMForceField,
    SimulationSettings,
    Status,
    Substance,
    ThermodynamicState,
    aestimate,
    estimate,
)
from protocols.dynamics import simulation as simulation_module
from protocols.errors import DirectoryLockedError, ExecutionError
from protocols.running.locking import DirectoryLock
from workflow_backends.engine import Pool
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

    def __init__(self, started=True, workers=1):
        self.started = started
        self.pools = {"workers": Pool(workers, ComputeResources())}
        self.names = []
        self._pool = concurrent.futures.ThreadPoolExecutor(1)

    def options(self, name, resources):
        return SimpleNamespace(submit_task=lambda function, *args: self._submit(name, function, args))

    def _submit(self, name, function, args):
        self.names.append(name)
        task, upstream = args

        def run():
            outputs = {
                key: value.result() if hasattr(value, "result") else value for key, value in upstream.items()
            }
            return function(task, outputs, available_resources=ComputeResources())

        future = self._pool.submit(run)
        future.add_listener = future.add_done_callback
        return future


@pytest.fixture
def backend():
    return ThreadBackend()


def check(result, directory):
    assert result.status is Status.converged or "effective samples" in result.reason
    assert 1.2 < result.value.to("g/mL").magnitude < 1.5
    assert result.standard_error.magnitude > 0
    assert result.platform == "CPU"
    assert result.ns_per_day > 0
    assert result.directory.is_relative_to(directory)
    assert json.loads((result.directory / "result.json").read_text(encoding="utf-8"))
    assert str(result).startswith("Density of [Ar] at 90 K, 1 bar: 1.")
    assert [check.name for check in result.checks][-2:] == ["phase", "mobility"]
    assert "phase" not in [check.name for check in result.warnings]
    assert "100 molecules" in result.notes[2]
    assert "cutoff 0.8 nm, Lennard-Jones truncated there, with long-range correction" in result.notes[1]


def test_a_density_without_a_backend(tmp_path):
    [result] = estimate([ARGON], FORCE_FIELD, directory=tmp_path, settings=SETTINGS)
    check(result, tmp_path)


def test_a_trajectory_that_is_asked_for_comes_from_production(tmp_path):
    settings = SimulationSettings(
        **(SETTINGS.model_dump() | {"trajectory": "xtc", "trajectory_interval": "1 ps", "replicas": 2})
    )
    [result] = estimate([ARGON], FORCE_FIELD, directory=tmp_path, settings=settings)
    assert len(result.trajectory_files) == 2
    assert sorted(result.trajectory_files) == sorted(tmp_path.glob("OpenMMSimulation-*/trajectory.xtc"))
    for file in result.trajectory_files:
        assert mdtraj.load(str(file), top=str(file.with_name("topology.pdb"))).n_frames == 3


def test_equilibration_is_the_same_with_a_trajectory_or_without():
    kept = SimulationSettings(
        **(SETTINGS.model_dump() | {"trajectory": "xtc", "trajectory_interval": "1 ps"})
    )
    runs = [ARGON.workflow(FORCE_FIELD, settings).simulations[0][0] for settings in (SETTINGS, kept)]
    assert runs[0].identity != runs[1].identity
    assert runs[0].state_file.protocol.identity == runs[1].state_file.protocol.identity


def test_a_finished_run_starts_no_task(tmp_path, backend):
    [first] = estimate([ARGON], FORCE_FIELD, backend, directory=tmp_path, settings=SETTINGS)
    check(first, tmp_path)
    assert len(backend.names) == 2 * 5 + 1
    assert first.rounds == (1, 1)
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


def test_more_replicas_never_pass_the_limit_of_steps(tmp_path):
    wanted = Density(ARGON.substance, STATE, "0.0001 %")
    [result] = estimate(
        [wanted], FORCE_FIELD, ThreadBackend(workers=4), directory=tmp_path, settings=SETTINGS,
        limits=Limits(steps=1900),
    )  # fmt: skip
    assert result.rounds == (1, 1, 1)
    assert "another round would pass the limit of 1900 steps" in result.reason


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
         "number_of_molecules: 20 is not allowed; 20 molecules at 0.95 g/mL fill a box of 1.12 nm"),
        ({"settings": SimulationSettings(initial_densities={"[Kr]": "2 g/mL"})},
         "initial_densities: [Kr] is in no property's substance; in them are [Ar]"),
        ({"properties": ARGON},
         "properties: Density of [Ar] at 90 K, 1 bar is not a list; give [Density(...)]"),
        ({"properties": ["density"]}, "properties: 'density' is not a property"),
        ({"force_field": "argon.xml"}, "force_field: 'argon.xml' is not allowed"),
        ({"properties": [Density(ARGON.substance, ThermodynamicState(temperature="90 K"))]},
         "pressure: missing"),
        ({"properties": [Density(ARGON.substance, STATE, "1 %")], "limits": Limits(steps=1000)},
         "limits.steps: 1000 is not allowed; one round of Density of [Ar] at 90 K, 1 bar has 1200 steps"),
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
    packings = {
        s.upstream[0].upstream[0].identity for (s,) in ARGON.workflow(FORCE_FIELD, SETTINGS).simulations
    }
    assert len(packings) == 2


def test_a_target_is_met_in_two_rounds_and_the_rerun_computes_nothing(tmp_path, backend):
    wanted = Density(ARGON.substance, STATE, "5 %")
    settings = SimulationSettings(**(SETTINGS.model_dump() | {"production_time": "16 ps"}))
    arguments = {"directory": tmp_path, "settings": settings}
    [first] = estimate([wanted], FORCE_FIELD, backend, **arguments)
    assert first.status is Status.converged
    assert first.rounds[0] >= 2
    assert first.standard_error <= wanted.allowed_error(first.value)
    [summary] = json.loads((tmp_path / "estimates.json").read_text(encoding="utf-8"))
    assert summary["status"] == "converged"
    backend.names.clear()
    [again] = estimate([wanted], FORCE_FIELD, backend, **arguments)
    assert (str(again), backend.names) == (str(first), [])


def test_more_workers_take_more_replicas_of_what_has_a_target(tmp_path):
    wanted = Density(ARGON.substance, STATE, "50 %")
    [result] = estimate(
        [wanted], FORCE_FIELD, ThreadBackend(workers=3), directory=tmp_path, settings=SETTINGS,
        limits=Limits(rounds=1),
    )  # fmt: skip
    assert result.rounds == (1, 1, 1)


def test_a_limit_keeps_the_value_and_says_why(tmp_path):
    wanted = Density(ARGON.substance, STATE, "0.0001 %")
    [result] = estimate([wanted], FORCE_FIELD, directory=tmp_path, settings=SETTINGS, limits=Limits(rounds=2))
    assert result.status is Status.unconverged
    assert result.value is not None
    assert result.rounds == (2, 2)
    assert "the limit of 2 rounds is reached)" in str(result)


def test_a_time_limit_stops_what_runs_and_the_same_command_goes_on(tmp_path):
    long = SimulationSettings(**(SETTINGS.model_dump() | {"production_time": "100 ns"}))
    [result] = estimate([ARGON], FORCE_FIELD, directory=tmp_path, settings=long, limits=Limits(time="2 s"))
    assert (result.status, result.value) == (Status.unconverged, None)
    assert str(result).endswith("not converged: the time limit of 2 s is reached")
    [summary] = json.loads((tmp_path / "estimates.json").read_text(encoding="utf-8"))
    assert summary["status"] == "not converged"


async def test_leaving_the_iteration_stops_what_runs(tmp_path):
    long = SimulationSettings(**(SETTINGS.model_dump() | {"production_time": "100 ns"}))
    iteration = aestimate([ARGON], FORCE_FIELD, directory=tmp_path, settings=long)
    waiting = asyncio.ensure_future(anext(iteration))
    while not list(tmp_path.glob("OpenMMSimulation-*/lock.json")):
        await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not list(tmp_path.glob("**/lock.json"))


def test_two_runs_in_one_directory_the_second_says_who_holds_it(tmp_path):
    with (
        DirectoryLock(tmp_path),
        pytest.raises(DirectoryLockedError, match=f"in use by process {os.getpid()} on"),
    ):
        estimate([ARGON], FORCE_FIELD, directory=tmp_path, settings=SETTINGS)


def test_it_works_where_an_event_loop_runs(tmp_path, backend):
    async def notebook_cell():
        return estimate([ARGON], FORCE_FIELD, backend, directory=tmp_path, settings=SETTINGS)

    [result] = asyncio.run(notebook_cell())
    check(result, tmp_path)
