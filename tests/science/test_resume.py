"""A resumed run equals the uninterrupted one bit for bit on the Reference platform."""

import pytest

from protocols.dynamics.segments import SegmentStore
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.running.execution import execute_in
from protocols.settings import DynamicsSettings, InteractionSettings
from protocols.state import ThermodynamicState
from protocols.substance import Substance
from protocols.systems.coordinates import BuildCoordinatesPackmol
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.parameterise import BuildOpenMMSystem
from workflow_backends.resources import ComputeResources

REFERENCE = ComputeResources(platform="Reference")


class InterruptedRunError(Exception):
    pass


@pytest.fixture(scope="module")
def water(tmp_path_factory):
    home = tmp_path_factory.mktemp("water")
    packed = execute_in(
        BuildCoordinatesPackmol(substance=Substance.pure("O"), number_of_molecules=20, density="0.8 g/mL"),
        home / "packed",
        REFERENCE,
    )
    return execute_in(
        BuildOpenMMSystem(
            coordinates_file=packed.coordinates_file,
            force_field=OpenMMForceField("tip3p.xml"),
            interactions=InteractionSettings(cutoff="0.38 nm", ewald_error_tolerance=1e-3),
        ),
        home / "built",
        REFERENCE,
    )


def simulation(water, pressure, integrator):
    return OpenMMSimulation(
        system_file=water.system_file,
        state_file=water.state_file,
        state=ThermodynamicState(temperature="298.15 K", pressure=pressure),
        simulated_time="0.16 ps",
        dynamics=DynamicsSettings(
            timestep="1 fs",
            integrator=integrator,
            output_interval="10 fs",
            segment_time="40 fs",
            barostat_interval=3,
        ),
        seed=11,
    )


@pytest.mark.parametrize(
    "kind",
    [(None, "LangevinMiddle"), ("1 atm", "LangevinMiddle"), ("1 atm", "NoseHoover")],
    ids=["NVT", "NPT", "NPT by Nose-Hoover"],
)
@pytest.mark.parametrize("interrupt_in", ["middle of a segment", "commit"])
def test_resumed_equals_uninterrupted(tmp_path, water, monkeypatch, kind, interrupt_in):
    protocol = simulation(water, *kind)
    whole = execute_in(protocol, tmp_path / "whole", REFERENCE)

    commits = []
    commit = SegmentStore.commit

    def interrupted(self, *arguments, **more):
        commits.append(arguments)
        if interrupt_in == "commit":
            commit(self, *arguments, **more)
            raise InterruptedRunError
        if len(commits) % 2 == 0:  # the frames are lost before they are written
            raise InterruptedRunError
        commit(self, *arguments, **more)

    monkeypatch.setattr(SegmentStore, "commit", interrupted)
    interruptions = 0
    while True:
        try:
            resumed = execute_in(protocol, tmp_path / "resumed", REFERENCE)
            break
        except InterruptedRunError:
            interruptions += 1
    assert interruptions >= 3
    assert resumed.observables_file.read_bytes() == whole.observables_file.read_bytes()
    assert resumed.state_file.read_bytes() == whole.state_file.read_bytes()
