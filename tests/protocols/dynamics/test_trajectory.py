import warnings

import mdtraj
import numpy as np
import pytest

from protocols.analysis.observables import read_observable
from protocols.analysis.structure import radial_distribution
from protocols.dynamics.minimisation import OpenMMEnergyMinimisation
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.errors import InputError
from protocols.running.execution import execute_in
from protocols.settings import DynamicsSettings, InteractionSettings
from protocols.state import ThermodynamicState
from protocols.substance import Substance
from protocols.systems.coordinates import BuildCoordinatesPackmol
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.parameterise import BuildOpenMMSystem
from workflow_backends.resources import ComputeResources

WATERS, CHARGE = 40, 0.52422  # of a hydrogen of TIP4P-Ew, whose site M has the rest
DALTON_PER_NM3 = 1.66053906660e-3  # g/mL


@pytest.fixture(scope="module")
def water(tmp_path_factory):
    home, resources = tmp_path_factory.mktemp("water"), ComputeResources()
    packed = execute_in(
        BuildCoordinatesPackmol(
            substance=Substance.pure("O"), number_of_molecules=WATERS, density="0.9 g/mL"
        ),
        home / "packed",
        resources,
    )
    built = execute_in(
        BuildOpenMMSystem(
            coordinates_file=packed.coordinates_file,
            force_field=OpenMMForceField("tip4pew.xml"),
            interactions=InteractionSettings(cutoff="0.45 nm"),
        ),
        home / "built",
        resources,
    )
    relaxed = execute_in(
        OpenMMEnergyMinimisation(system_file=built.system_file, state_file=built.state_file),
        home / "relaxed",
        resources,
    )
    return built.model_copy(update={"state_file": relaxed.state_file})


def simulation(water, trajectory, **changes):
    dynamics = DynamicsSettings(
        timestep="1 fs", output_interval="40 fs", segment_time="0.2 ps", trajectory=trajectory,
        trajectory_interval="0.12 ps",
    )  # fmt: skip
    inputs = {
        "system_file": water.system_file,
        "state_file": water.state_file,
        "topology_file": water.topology_file,
        "state": ThermodynamicState(temperature="300 K", pressure="1 atm"),
        "simulated_time": "1 ps",
        "dynamics": dynamics,
    }
    return OpenMMSimulation(**(inputs | changes))


@pytest.fixture(scope="module", params=["dcd", "xtc"])
def outputs(request, tmp_path_factory, water):
    home = tmp_path_factory.mktemp(request.param)
    return execute_in(simulation(water, request.param), home, ComputeResources())


def columns(outputs, *names):
    return np.stack([read_observable(outputs.observables_file, name)[0][2::3] for name in names], axis=1)


def test_a_naive_reading_of_the_trajectory_agrees_with_the_table(outputs):
    frames = mdtraj.load(str(outputs.trajectory_file), top=str(outputs.topology_file))
    rounded = 0.0005 if outputs.trajectory_file.suffix == ".xtc" else 1e-7  # nm; DCD has single precision
    assert frames.n_frames == 8
    [volume] = columns(outputs, "volume").T
    assert len(set(volume)) > 3
    assert np.allclose(frames.unitcell_volumes, volume, rtol=1e-6)
    masses = np.array([0 if atom.name == "M" else atom.element.mass for atom in frames.topology.atoms])
    density = masses.sum() / frames.unitcell_volumes * DALTON_PER_NM3
    assert np.allclose(density, columns(outputs, "density")[:, 0], rtol=1e-4)  # of masses in force fields
    charges = np.array(
        [{"O": 0, "H1": CHARGE, "H2": CHARGE, "M": -2 * CHARGE}[a.name] for a in frames.top.atoms]
    )
    dipole = np.einsum("i,fix->fx", charges, frames.xyz.astype(np.float64))
    expected = columns(outputs, "dipole x", "dipole y", "dipole z")
    assert np.abs(expected).max() > 0.05
    assert np.allclose(dipole, expected, atol=10 * rounded * CHARGE * (3 * WATERS) ** 0.5)


def test_molecules_are_whole(outputs):
    frames = mdtraj.load(str(outputs.trajectory_file), top=str(outputs.topology_file))
    distances = mdtraj.compute_distances(frames, [(4 * n, 4 * n + 1) for n in range(WATERS)], periodic=False)
    assert np.allclose(distances, 0.09572, atol=0.002)


def test_mdanalysis_reads_it_too(outputs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import MDAnalysis

        universe = MDAnalysis.Universe(str(outputs.topology_file), str(outputs.trajectory_file))
        frames = [(frame.time, frame.volume / 1000) for frame in universe.trajectory]
    times, volumes = zip(*frames, strict=True)
    assert np.allclose(times, columns(outputs, "time")[:, 0], atol=1e-5)
    assert np.allclose(volumes, columns(outputs, "volume")[:, 0], rtol=1e-6)


def test_times_go_on_where_a_run_is_continued(tmp_path, water):
    first = execute_in(simulation(water, "xtc"), tmp_path / "a", ComputeResources())
    protocol = simulation(water, "xtc", state_file=first.state_file, continues=True)
    second = execute_in(protocol, tmp_path / "b", ComputeResources())
    frames = mdtraj.load(str(second.trajectory_file), top=str(second.topology_file))
    assert np.allclose(frames.time, 1 + 0.12 * np.arange(1, 9))


def test_without_being_asked_for_there_is_none(tmp_path, water):
    outputs = execute_in(simulation(water, None), tmp_path, ComputeResources())
    assert (outputs.trajectory_file, outputs.topology_file) == (None, None)
    assert not list(tmp_path.glob("t*"))


def test_a_trajectory_needs_a_topology(water):
    with pytest.raises(InputError, match="topology_file: missing; a trajectory needs"):
        simulation(water, "dcd", topology_file=None)


def test_the_topology_of_another_system_is_refused(tmp_path, water, argon_box):
    protocol = simulation(water, "dcd", topology_file=argon_box.topology_file)
    with pytest.raises(InputError, match=r"topology\.pdb has 100 particles, the system 160"):
        execute_in(protocol, tmp_path, ComputeResources())


def test_a_simulation_shorter_than_a_frame_is_refused(water):
    with pytest.raises(InputError, match=r"simulated_time: 0\.1 ps .* at least the trajectory_interval"):
        simulation(water, "dcd", simulated_time="0.1 ps")


def test_frames_closer_than_those_of_the_table_are_refused():
    with pytest.raises(InputError, match=r"trajectory_interval: 0\.1 ps is not allowed; it must be at least"):
        DynamicsSettings(trajectory="dcd", trajectory_interval="0.1 ps")


def test_water_has_a_first_shell(outputs):
    table = radial_distribution(
        outputs.trajectory_file,
        outputs.topology_file,
        "name O",
        largest_distance="0.5 nm",
        bin_width="0.02 nm",
    )
    assert table.shape == (25, 2)
    distances, g = table.T
    assert np.allclose(distances, 0.02 * np.arange(25) + 0.01)
    assert g[distances < 0.23].max() == 0
    assert 0.25 < distances[g.argmax()] < 0.31


def test_the_radial_distribution_is_the_mean_of_all_frames(outputs):
    """More frames than are read at a time, against all pairs of two kinds of atoms counted by hand."""
    files = [outputs.trajectory_file] * 3
    table = radial_distribution(
        files, outputs.topology_file, "name O", "name H1 H2", largest_distance="0.5 nm", bin_width="0.1 nm"
    )
    frames = mdtraj.load(str(outputs.trajectory_file), top=str(outputs.topology_file))
    oxygen = np.arange(WATERS) * 4
    pairs = [(o, h + k) for o in oxygen for h in oxygen for k in (1, 2) if o != h]
    counts = np.histogram(mdtraj.compute_distances(frames, pairs), np.linspace(0, 0.5, 6))[0]
    shells = 4 / 3 * np.pi * 0.1**3 * (np.arange(1, 6) ** 3 - np.arange(5) ** 3)
    expected = counts / (len(pairs) * shells * (1 / frames.unitcell_volumes).sum())
    assert np.allclose(table[:, 1], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, r"largest_distance: 0\.9 nm is not allowed; it must be at most half the box edge, 0\.5"),
        ({"selection": "name ="}, "selection: 'name =' is not one of MDTraj's: "),
        ({"selection": "name C"}, "'name C' and 'name C' have no pairs of atoms of different molecules"),
    ],
)
def test_what_has_no_radial_distribution_is_refused(outputs, changes, message):
    with pytest.raises(InputError, match=message):
        radial_distribution(outputs.trajectory_file, outputs.topology_file, **changes)
