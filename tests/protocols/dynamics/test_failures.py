import re
import subprocess
import sys
import threading

import numpy as np
import openmm
import pytest

from protocols.analysis.observables import read_observable
from protocols.dynamics.engine import Engine
from protocols.dynamics.failures import failures_told_apart, note_incident
from protocols.dynamics.gas import OpenMMGasSimulation
from protocols.dynamics.minimisation import OpenMMEnergyMinimisation
from protocols.dynamics.nve_engine import NVEEngine
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.dynamics.slab import BuildSlab, OpenMMSlabSimulation
from protocols.dynamics.transport import OpenMMTransportSimulation
from protocols.dynamics.windows import OpenMMAlchemicalSimulation
from protocols.errors import (
    DeviceFailedError,
    NotFiniteError,
    OutOfMemoryError,
    SimulationError,
)
from protocols.estimate import estimate
from protocols.properties.density import Density
from protocols.running.execution import Task, execute_in
from protocols.running.workers import BackendWorkers
from protocols.settings import DynamicsSettings, SimulationSettings, TransportSettings
from protocols.state import ThermodynamicState
from protocols.substance import Substance
from protocols.systems.alchemy import BuildAlchemicalSystem
from protocols.systems.forcefield import OpenMMForceField
from workflow_backends import ComputeResources, ParslLocalBackend
from workflow_backends.platforms import PlatformChoice
from workflow_backends.testing.base import wait_until

NAN = "Particle coordinate is NaN.  For more information, see https://github.com/openmm/openmm/wiki"
LOST = "Error invoking kernel computeNonbonded: CUDA_ERROR_ILLEGAL_ADDRESS (700)"


@pytest.mark.parametrize(
    ("platform", "text", "kind"),
    [
        ("CPU", NAN, NotFiniteError),
        ("CUDA", NAN, NotFiniteError),
        ("CUDA", "Error creating array interactingAtoms: CUDA_ERROR_OUT_OF_MEMORY (2)", OutOfMemoryError),
        ("HIP", "Error creating array posq: hipErrorOutOfMemory (2)", OutOfMemoryError),
        ("OpenCL", "Error creating array posq: clCreateBuffer (-4)", OutOfMemoryError),
        ("OpenCL", "Error creating array posq: clCreateBuffer (-61)", OutOfMemoryError),
        ("CPU", "std::bad_alloc", OutOfMemoryError),
        ("CUDA", "Error initializing FFT: 2", OutOfMemoryError),
        ("CUDA", "Error initializing FFT: 5", DeviceFailedError),
        ("CUDA", "The requested CUDA device could not be loaded", DeviceFailedError),
        ("CUDA", "No compatible CUDA device is available", DeviceFailedError),
        ("HIP", "Illegal value for DeviceIndex: 1", DeviceFailedError),
        ("OpenCL", "No compatible OpenCL device is available", DeviceFailedError),
        ("OpenCL", "No compatible OpenCL platform is available", DeviceFailedError),
        ("CUDA", LOST, DeviceFailedError),
        ("CUDA", "Error initializing Context: CUDA_ERROR_ECC_UNCORRECTABLE (214)", DeviceFailedError),
        ("HIP", "Error downloading array energyBuffer: hipErrorNoDevice (100)", DeviceFailedError),
        ("OpenCL", "Error invoking kernel computeNonbonded: clEnqueueNDRangeKernel (-5)", DeviceFailedError),
        ("OpenCL", "Error downloading array posq: clEnqueueReadBuffer (-36)", DeviceFailedError),
        (
            "CUDA",
            "The periodic box size has decreased to less than twice the nonbonded cutoff.",
            SimulationError,
        ),
        ("CPU", "Something that ends like a driver's words (7)", SimulationError),
    ],
)
def test_what_openmm_says_is_told_apart(platform, text, kind):
    choice = PlatformChoice(platform, {}, "", device="a device", memory=140 * 10**9)
    with pytest.raises(SimulationError, match="before step 500") as caught:
        with failures_told_apart(choice, 3000, "before step 500"):
            raise openmm.OpenMMException(text)
    assert type(caught.value) is kind
    assert text in str(caught.value)
    if kind is OutOfMemoryError:
        assert "3000 atoms; its memory is 140 GB" in str(caught.value)


_TOO_LARGE = """
import resource
import openmm
from protocols.dynamics.engine import open_context
from workflow_backends import ComputeResources, select_platform

system = openmm.System()
for _ in range(2_000_000):
    system.addParticle(1.0)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 200_000_000,) * 2)
try:
    open_context(system, openmm.VerletIntegrator(0.001), select_platform(ComputeResources()))
except Exception as error:
    print(f"{type(error).__name__}: {error}")
"""


def test_a_real_lack_of_memory_is_told_with_atoms_and_memory(tmp_path):
    run = subprocess.run([sys.executable, "-c", _TOO_LARGE], capture_output=True, text=True, check=False)
    assert re.match(
        r"OutOfMemoryError: .* on CPU \(.+\): out of memory with 2000000 atoms; its memory is \S+ GB",
        run.stdout,
    ), run.stdout + run.stderr


def simulation(argon_box, **changes):
    inputs = {
        "system_file": argon_box.system_file,
        "state_file": argon_box.state_file,
        "state": ThermodynamicState(temperature="90 K"),
        "simulated_time": "0.6 ps",
        "dynamics": DynamicsSettings(timestep="2 fs", output_interval="0.1 ps", segment_time="0.2 ps"),
    }
    return OpenMMSimulation(**inputs | changes)


def liquid(argon_box, _=None):
    dynamics = DynamicsSettings(timestep="2 fs", output_interval="0.02 ps", segment_time="0.04 ps")
    return simulation(argon_box, simulated_time="0.12 ps", dynamics=dynamics)


def slab(argon_box, home):
    builder = BuildSlab(system_file=argon_box.system_file, state_file=argon_box.state_file)
    return OpenMMSlabSimulation(**inputs_of(liquid(execute_in(builder, home, ComputeResources()))))


def alchemical(argon_box, home):
    built = execute_in(
        BuildAlchemicalSystem(system_file=argon_box.system_file, molecule=0), home, ComputeResources()
    )
    inputs = inputs_of(liquid(argon_box)) | {"system_file": built.system_file}
    return OpenMMAlchemicalSimulation(**inputs, states=((1.0, 1.0), (1.0, 0.0)), window=0)


def gas(argon_box, _):
    return OpenMMGasSimulation(**inputs_of(liquid(argon_box)))


def transport(argon_box, home):
    relaxed = execute_in(
        OpenMMEnergyMinimisation(system_file=argon_box.system_file, state_file=argon_box.state_file),
        home,
        ComputeResources(),
    )
    return OpenMMTransportSimulation(
        system_file=argon_box.system_file,
        state_file=relaxed.state_file,
        temperature="90 K",
        components=(100,),
        timestep="4 fs",
        transport=TransportSettings(
            nve_time="0.16 ps",
            nve_segments=2,
            nve_spacing="0.02 ps",
            stress_interval="8 fs",
            displacement_interval="8 fs",
        ),
    )


def inputs_of(protocol):
    return {name: getattr(protocol, name) for name in type(protocol).model_fields}


@pytest.fixture
def disturbed(monkeypatch):
    """Do something to an engine before its calls for steps of these numbers, counted from 1."""
    ways = [(kind, name, getattr(kind, name)) for kind, name in ((Engine, "_advance"), (NVEEngine, "_step"))]

    def arrange(happens):
        counted = []

        def patched(step):
            def disturbed_step(self, steps):
                counted.append(steps)
                happens.get(len(counted), lambda _: None)(self)
                step(self, steps)

            return disturbed_step

        for kind, name, step in ways:
            monkeypatch.setattr(kind, name, patched(step))

    return arrange


@pytest.fixture
def fails(disturbed):
    """Make OpenMM stop, with a text, before the frames of these numbers, counted from 1."""

    def raising(text):
        def stop(_):
            raise openmm.OpenMMException(text)

        return stop

    return lambda texts: disturbed({number: raising(text) for number, text in texts.items()})


def spoil(engine):
    """Make all that follows meaningless."""
    particles = engine._context.getSystem().getNumParticles()
    engine._context.setVelocities(np.full((particles, 3), np.nan))


def test_meaningless_numbers_restart_once_from_the_last_checkpoint(tmp_path, argon_box, resources, fails):
    undisturbed = execute_in(simulation(argon_box), tmp_path / "a", resources)
    fails({4: NAN})
    outputs = execute_in(simulation(argon_box), tmp_path / "b", resources)
    [incident] = outputs.incidents
    assert "CPU: NotFiniteError: before step 200" in incident
    rows = [read_observable(run.observables_file, "potential energy")[0] for run in (undisturbed, outputs)]
    assert (rows[0][:2] == rows[1][:2]).all()  # the first segment stayed
    assert (rows[0][2:] != rows[1][2:]).all()  # others have random numbers of their own
    assert outputs.frames == 6


def test_the_second_time_it_fails(tmp_path, argon_box, resources, fails):
    fails({4: NAN, 6: NAN})
    with pytest.raises(NotFiniteError, match="before step 200"):
        execute_in(simulation(argon_box), tmp_path / "one segment", resources)
    fails({4: NAN, 8: NAN})
    with pytest.raises(NotFiniteError, match="before step 300"):
        execute_in(simulation(argon_box), tmp_path / "two segments", resources)


def test_a_resumed_run_remembers_its_restart(tmp_path, argon_box, resources, fails):
    fails({4: NAN, 8: "interrupted"})
    with pytest.raises(SimulationError, match="interrupted"):
        execute_in(simulation(argon_box), tmp_path, resources)
    fails({1: NAN})
    with pytest.raises(NotFiniteError):
        execute_in(simulation(argon_box), tmp_path, resources)


@pytest.mark.parametrize(
    ("make", "platform"),
    [
        (slab, "CPU"),
        (alchemical, "CPU"),
        (gas, "Reference"),  # which does not tell by itself
        (transport, "CPU"),
    ],
)
def test_every_simulation_overcomes_meaningless_numbers_once(tmp_path, argon_box, disturbed, make, platform):
    resources, protocol = ComputeResources(platform=platform), make(argon_box, tmp_path / "built")
    disturbed({4: spoil})
    [incident] = execute_in(protocol, tmp_path / "once", resources).incidents
    assert f"{platform}: NotFiniteError" in incident
    disturbed(dict.fromkeys(range(4, 60), spoil))
    with pytest.raises(NotFiniteError):
        execute_in(protocol, tmp_path / "twice", resources)


def test_a_segment_of_constant_energy_is_begun_again_with_other_random_numbers(
    tmp_path, argon_box, disturbed
):
    protocol = transport(argon_box, tmp_path / "built")
    tables = []
    for name, happens in (("undisturbed", {}), ("a", {30: spoil}), ("b", {30: spoil})):  # in the second one
        disturbed(happens)
        outputs = execute_in(protocol, tmp_path / name, ComputeResources(platform="Reference"))
        tables.append(outputs.segments_file.read_text(encoding="utf-8").splitlines())
    undisturbed, once, again = tables
    assert once == again
    assert [row == other for row, other in zip(once, undisturbed, strict=True)] == [True, True, False]


def test_numbers_after_a_restart_can_be_repeated(tmp_path, argon_box, fails):
    reference = ComputeResources(platform="Reference")
    tables = []
    for name in "ab":
        fails({1: NAN})
        tables.append(
            execute_in(simulation(argon_box), tmp_path / name, reference).observables_file.read_text(
                encoding="utf-8"
            )
        )
    assert tables[0] == tables[1]


@pytest.mark.parametrize("make", [liquid, transport])
def test_a_device_that_failed_is_noted_and_raised(tmp_path, argon_box, fails, monkeypatch, make):
    protocol, resources = make(argon_box, tmp_path / "built"), ComputeResources()
    monkeypatch.setattr("protocols.dynamics.failures.GPU_PLATFORMS", ("CPU",))
    fails({4: LOST})
    with pytest.raises(DeviceFailedError, match="ILLEGAL_ADDRESS"):
        execute_in(protocol, tmp_path / "run", resources)
    fails({})
    [incident] = execute_in(protocol, tmp_path / "run", resources).incidents
    assert "ILLEGAL_ADDRESS" in incident


def test_a_minimisation_tells_its_failures_apart(tmp_path, argon_box, resources, monkeypatch):
    def stop(*_):
        raise openmm.OpenMMException(NAN)

    monkeypatch.setattr(openmm.LocalEnergyMinimizer, "minimize", stop)
    protocol = OpenMMEnergyMinimisation(system_file=argon_box.system_file, state_file=argon_box.state_file)
    with pytest.raises(NotFiniteError, match="minimising"):
        execute_in(protocol, tmp_path, resources)


class OnAnyDevice(OpenMMSimulation):
    """A simulation that the device of its first worker fails, again and again."""

    places: str

    def execute(self, directory, available_resources):
        import sys
        from pathlib import Path

        places = Path(self.places)
        with places.open("a", encoding="utf-8") as file:
            file.write(f"{sys.argv[3]}\n")  # the log of its worker, whose processes come and go
        tried = places.read_text(encoding="utf-8").splitlines()
        if tried[0] == tried[-1]:
            error = DeviceFailedError("the GPU fell off the bus")
            note_incident(directory, PlatformChoice("CUDA", {}, "", device="a GPU"), error)
            raise error
        return super().execute(directory, available_resources)


def occupy(until):
    """Keep one worker until the other has had time to take its task again."""
    import time
    from pathlib import Path

    Path(until).with_name("occupied").touch()
    while not Path(until).exists():
        time.sleep(0.02)
    time.sleep(2)


def test_a_device_error_is_tried_again_on_another_worker(tmp_path, argon_box):
    places = tmp_path / "places"
    failing = OnAnyDevice(**inputs_of(simulation(argon_box)), places=str(places))
    done = threading.Event()
    with ParslLocalBackend(2) as backend:
        backend.submit_task(occupy, str(places))
        wait_until((tmp_path / "occupied").exists, 60)
        task = Task.of(failing, tmp_path / "run")
        future = BackendWorkers(backend).submit(task, {}, uses_gpu=True, done=done.set)
        [incident] = future.result(100).incidents
    assert "CUDA: DeviceFailedError: the GPU" in incident
    first, second = places.read_text(encoding="utf-8").splitlines()
    assert first != second
    assert done.is_set()


def test_a_propertys_result_tells_what_was_overcome(tmp_path, fails):
    settings = SimulationSettings(
        number_of_molecules=60, initial_density="1.2 g/mL", cutoff="0.65 nm", timestep="5 fs",
        equilibration_time="0.2 ps", production_time="0.5 ps", output_interval="0.05 ps", replicas=1,
    )  # fmt: skip
    argon = Density(Substance.pure("[Ar]"), ThermodynamicState(temperature="90 K", pressure="1 bar"))
    fails({8: NAN})
    [result] = estimate([argon], OpenMMForceField("argon.xml"), directory=tmp_path, settings=settings)
    assert result.value is not None
    [incident] = result.incidents
    assert "NotFiniteError" in incident
