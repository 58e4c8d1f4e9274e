import numpy as np
import openmm
import pytest
from openmm import unit

from protocols.analysis.observables import read_observable
from protocols.dynamics.slab import BuildSlab, OpenMMSlabSimulation
from protocols.errors import InputError
from protocols.running.execution import execute_in
from protocols.settings import DynamicsSettings, InteractionSettings
from protocols.state import ThermodynamicState
from protocols.substance import Substance
from protocols.systems.coordinates import BuildCoordinatesPackmol
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.parameterise import BuildOpenMMSystem
from workflow_backends.resources import ComputeResources

LJPME = openmm.NonbondedForce.LJPME


def read(file):
    return openmm.XmlSerializer.deserialize(file.read_text(encoding="utf-8"))


def slab_of(box, directory, **inputs):
    protocol = BuildSlab(system_file=box.system_file, state_file=box.state_file, **inputs)
    return execute_in(protocol, directory, ComputeResources())


def nonbonded(system):
    [force] = [force for force in system.getForces() if isinstance(force, openmm.NonbondedForce)]
    return force


@pytest.fixture(scope="module")
def water(tmp_path_factory):
    home, resources = tmp_path_factory.mktemp("water"), ComputeResources()
    packed = execute_in(
        BuildCoordinatesPackmol(substance=Substance.pure("O"), number_of_molecules=30),
        home / "packed",
        resources,
    )
    interactions = InteractionSettings(cutoff="0.4 nm", switching_distance="0.3 nm")
    return execute_in(
        BuildOpenMMSystem(
            coordinates_file=packed.coordinates_file,
            force_field=OpenMMForceField("spce.xml"),
            interactions=interactions,
        ),
        home / "built",
        resources,
    )


def test_the_box_is_elongated_and_the_liquid_in_its_middle(tmp_path, argon_box):
    liquid, slab = read(argon_box.state_file), read(slab_of(argon_box, tmp_path).state_file)
    before, after = (np.diag(state.getPeriodicBoxVectors(asNumpy=True)._value) for state in (liquid, slab))
    assert after == pytest.approx(before * [1, 1, 3])
    z = slab.getPositions(asNumpy=True)._value[:, 2] / before[2]
    assert z.min() >= 1
    assert z.max() <= 2 + 1e-12
    assert np.ptp(z) > 0.9


@pytest.mark.parametrize("shift", [0.37, -11.2])
def test_molecules_stay_whole_wherever_they_are(tmp_path, water, shift):
    liquid, system = read(water.state_file), read(water.system_file)
    edge = liquid.getPeriodicBoxVectors()[2][2].value_in_unit(unit.nanometer)
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    context.setPositions(np.add(liquid.getPositions(asNumpy=True)._value, [0, 0, shift]))
    (tmp_path / "moved.xml").write_text(openmm.XmlSerializer.serialize(context.getState(positions=True)))
    moved = water.model_copy(update={"state_file": tmp_path / "moved.xml"})
    positions = read(slab_of(moved, tmp_path / "slab").state_file).getPositions(asNumpy=True)._value
    molecules = positions.reshape(30, 3, 3)
    assert np.linalg.norm(molecules[:, 1:] - molecules[:, :1], axis=2) == pytest.approx(0.098, abs=2e-3)
    centres = np.average(molecules[:, :, 2], axis=1, weights=[15.999, 1.008, 1.008])
    assert centres.min() >= edge
    assert centres.max() <= 2 * edge


def test_lennard_jones_gets_its_full_range_and_no_correction(tmp_path, water, argon_box):
    before = nonbonded(read(water.system_file))
    assert before.getUseDispersionCorrection()
    assert before.getUseSwitchingFunction()
    for box, free_of_charge in ((water, False), (argon_box, True)):
        force = nonbonded(read(slab_of(box, tmp_path / str(free_of_charge)).system_file))
        assert force.getNonbondedMethod() == LJPME
        assert not force.getUseDispersionCorrection()
        assert not force.getUseSwitchingFunction()
        assert force.getEwaldErrorTolerance() == 1e-4
        assert (force.getPMEParameters()[1] > 0) is free_of_charge


def test_the_cheap_grid_for_charges_that_are_not_there_changes_nothing(tmp_path, argon_box):
    slab = slab_of(argon_box, tmp_path)
    found = []
    for parameters in ((1.0, 6, 6, 6), (0.0, 0, 0, 0)):
        system = read(slab.system_file)
        nonbonded(system).setPMEParameters(*parameters)
        reference = openmm.Platform.getPlatformByName("Reference")
        context = openmm.Context(system, openmm.VerletIntegrator(0.001), reference)
        context.setState(read(slab.state_file))
        found.append(context.getState(energy=True).getPotentialEnergy()._value)
    assert found[0] == pytest.approx(found[1], abs=1e-6)


def test_a_force_that_cannot_have_the_full_range_loses_its_correction(tmp_path, argon_box):
    system = read(argon_box.system_file)
    custom = openmm.CustomNonbondedForce("0*r")
    custom.setNonbondedMethod(openmm.CustomNonbondedForce.CutoffPeriodic)
    custom.setCutoffDistance(0.8)
    custom.setUseLongRangeCorrection(True)
    charged = nonbonded(system)
    for i in range(system.getNumParticles()):
        custom.addParticle([])
        charged.setParticleParameters(i, 0.0, 0.3, 0.0)
    system.addForce(custom)
    (tmp_path / "custom.xml").write_text(openmm.XmlSerializer.serialize(system))
    box = argon_box.model_copy(update={"system_file": tmp_path / "custom.xml"})
    made = read(slab_of(box, tmp_path / "slab").system_file)
    [custom] = [force for force in made.getForces() if isinstance(force, openmm.CustomNonbondedForce)]
    assert not custom.getUseLongRangeCorrection()
    assert nonbonded(made).getNonbondedMethod() != LJPME


def test_a_box_that_is_too_short_is_refused(argon_box):
    with pytest.raises(InputError, match=r"elongation: 2\.5 is not allowed"):
        BuildSlab(system_file=argon_box.system_file, state_file=argon_box.state_file, elongation=2.5)


def test_a_box_that_is_not_rectangular_is_refused(tmp_path, argon_box):
    text = argon_box.state_file.read_text(encoding="utf-8")
    (tmp_path / "oblique.xml").write_text(text.replace('<B x="0"', '<B x="0.3"'))
    box = argon_box.model_copy(update={"state_file": tmp_path / "oblique.xml"})
    with pytest.raises(InputError, match=r"oblique\.xml is not rectangular"):
        slab_of(box, tmp_path / "slab")


def simulation(slab, **changes):
    inputs = {
        "system_file": slab.system_file,
        "state_file": slab.state_file,
        "state": ThermodynamicState(temperature="90 K"),
        "simulated_time": "0.3 ps",
        "dynamics": DynamicsSettings(timestep="5 fs", output_interval="50 fs", segment_time="0.1 ps"),
    }
    return OpenMMSlabSimulation(**(inputs | changes))


def test_a_slab_simulation_has_its_own_columns_at_constant_volume(tmp_path, argon_box):
    outputs = execute_in(
        simulation(slab_of(argon_box, tmp_path / "slab")), tmp_path / "run", ComputeResources()
    )
    table = {
        name: read_observable(outputs.observables_file, name)[0]
        for name in ("pressure xx", "pressure yy", "pressure zz", "surface tension", "volume", "density 50")
    }
    assert np.ptp(table["volume"]) == 0
    assert len(set(table["pressure zz"])) == 6
    edges = np.diag(read(outputs.state_file).getPeriodicBoxVectors(asNumpy=True)._value)
    tension = 0.1 * edges[2] / 2 * (table["pressure zz"] - (table["pressure xx"] + table["pressure yy"]) / 2)
    assert table["surface tension"] == pytest.approx(tension)
    assert table["density 50"].mean() > 0.5
    assert read_observable(outputs.observables_file, "density 1")[0].max() < 0.3


def test_a_resumed_slab_equals_an_uninterrupted_one(tmp_path, argon_box, monkeypatch):
    from protocols.dynamics.segments import SegmentStore

    protocol = simulation(slab_of(argon_box, tmp_path / "slab"))
    reference = ComputeResources(platform="Reference")
    whole = execute_in(protocol, tmp_path / "whole", reference)
    commit = SegmentStore.commit

    def interrupted(self, *arguments, **more):
        commit(self, *arguments, **more)
        raise KeyboardInterrupt

    monkeypatch.setattr(SegmentStore, "commit", interrupted)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            execute_in(protocol, tmp_path / "resumed", reference)
    monkeypatch.undo()
    resumed = execute_in(protocol, tmp_path / "resumed", reference)
    assert resumed.observables_file.read_bytes() == whole.observables_file.read_bytes()
    assert resumed.state_file.read_bytes() == whole.state_file.read_bytes()


def test_a_pressure_is_refused(tmp_path, argon_box):
    with pytest.raises(InputError, match="state: a pressure of 1 bar is not allowed; a slab has that of its"):
        simulation(argon_box, state=ThermodynamicState(temperature="90 K", pressure="1 bar"))
