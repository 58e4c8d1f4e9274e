import openmm
import pytest

from protocols.dynamics.minimisation import OpenMMEnergyMinimisation
from protocols.errors import NotFiniteError
from protocols.running.execution import execute_in


def energy_of(system_file, state_file):
    system = openmm.XmlSerializer.deserialize(system_file.read_text(encoding="utf-8"))
    state = openmm.XmlSerializer.deserialize(state_file.read_text(encoding="utf-8"))
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    context.setPeriodicBoxVectors(*state.getPeriodicBoxVectors())
    context.setPositions(state.getPositions())
    return context.getState(energy=True).getPotentialEnergy()._value


def test_the_energy_falls_and_the_state_is_the_relaxed_one(tmp_path, argon_box, resources):
    outputs = execute_in(
        OpenMMEnergyMinimisation(system_file=argon_box.system_file, state_file=argon_box.state_file),
        tmp_path,
        resources,
    )
    assert outputs.potential_energy < energy_of(argon_box.system_file, argon_box.state_file)
    assert energy_of(argon_box.system_file, outputs.state_file) == pytest.approx(
        outputs.potential_energy, rel=1e-4
    )
    assert outputs.platform == "CPU"


def test_an_energy_that_is_not_finite_is_an_error(tmp_path, argon_box, resources):
    state = argon_box.state_file.read_text(encoding="utf-8")
    broken = tmp_path / "state.xml"
    lines = state.splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if "<Position " in line)
    lines[first + 1] = lines[first]
    broken.write_text("".join(lines))
    with pytest.raises(NotFiniteError, match=r"minimising .*NaN|the potential energy is"):
        execute_in(
            OpenMMEnergyMinimisation(system_file=argon_box.system_file, state_file=broken),
            tmp_path / "run",
            resources,
        )
