"""kill -9 at random moments: no frame and no segment is lost, doubled or mixed."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import mdtraj
import numpy as np
import pytest

from protocols.analysis.observables import read_observable
from protocols.running.execution import execute_in
from protocols.settings import InteractionSettings
from protocols.substance import Substance
from protocols.systems.coordinates import BuildCoordinatesPackmol
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.parameterise import BuildOpenMMSystem
from workflow_backends.resources import ComputeResources

SCRIPT = Path(__file__).with_name("simulation_to_kill.py")
FRAMES, STEPS_A_FRAME, SEGMENTS = 240, 20, 6


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    home, resources = tmp_path_factory.mktemp("argon"), ComputeResources()
    packed = execute_in(
        BuildCoordinatesPackmol(substance=Substance.pure("[Ar]"), number_of_molecules=60, density="1.2 g/mL"),
        home / "packed",
        resources,
    )
    execute_in(
        BuildOpenMMSystem(
            coordinates_file=packed.coordinates_file,
            force_field=OpenMMForceField("argon.xml"),
            interactions=InteractionSettings(cutoff="0.65 nm", switching_distance="0.55 nm"),
        ),
        home,
        resources,
    )
    return home


def start(inputs, directory, what):
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(inputs), str(directory), what],
        env=os.environ | {"PYTHONPATH": str(SCRIPT.parents[2])},
    )


def finish_under_fire(inputs, directory, seed, what):
    """Run until it finishes, killed at random moments after it began to step; return the number of kills."""
    rng, kills = random.Random(seed), 0
    segments = directory / "segments"
    while True:
        before = len(list(segments.glob("*"))) if segments.exists() else 0
        process = start(inputs, directory, what)
        while process.poll() is None and len(list(segments.glob("*"))) <= before:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.15))
        if process.poll() is not None:
            assert process.returncode == 0
            return kills
        process.kill()
        process.wait()
        kills += 1


def killed_run(inputs, tmp_path, seed, what, names):
    """Compare files of a run under fire with those of a quiet one; return its directory."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(inputs, whole, what).wait() == 0
    kills = finish_under_fire(inputs, killed, seed, what)
    print(f"seed {seed}: {kills} kills of a simulation")
    assert kills >= 3
    for name in names:
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
    return killed


def run_and_compare(inputs, tmp_path, seed, trajectory="dcd"):
    names = ("observables.csv", "state.xml", f"trajectory.{trajectory}")
    killed = killed_run(inputs, tmp_path, seed, trajectory, names)
    steps, _ = read_observable(killed / "observables.csv", "step")
    assert steps.tolist() == [STEPS_A_FRAME * frame for frame in range(1, FRAMES + 1)]
    frames = mdtraj.load(str(killed / f"trajectory.{trajectory}"), top=str(killed / "topology.pdb"))
    volume, _ = read_observable(killed / "observables.csv", "volume")
    assert np.allclose(frames.unitcell_volumes, volume[2::3], rtol=1e-6)


@pytest.mark.parametrize("trajectory", ["dcd", "xtc"])
def test_killed_again_and_again_it_ends_as_if_it_had_not_been(inputs, tmp_path, trajectory):
    run_and_compare(inputs, tmp_path, 1, trajectory)


def test_segments_of_constant_energy_survive_kills_too(inputs, tmp_path):
    names = ("segments.csv", "stress.csv", "displacements.csv", "state.xml")
    killed = killed_run(inputs, tmp_path, 1, "transport", names)
    numbers, _ = read_observable(killed / "segments.csv", "segment")
    assert numbers.tolist() == list(range(SEGMENTS))


@pytest.mark.repeated
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(2, 12))
def test_killed_many_times(inputs, tmp_path, seed):
    run_and_compare(inputs, tmp_path, seed)
