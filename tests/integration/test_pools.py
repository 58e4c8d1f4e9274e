"""Protocols go to the pool that suits them, on a real backend."""

import json

from protocols import Density, OpenMMForceField, SimulationSettings, Substance, ThermodynamicState, estimate
from workflow_backends import ComputeResources, ParslLocalBackend


def test_simulations_and_the_rest_run_in_different_pools(tmp_path):
    pools = {"rest": (1, ComputeResources()), "simulations": (1, ComputeResources(platform="Reference"))}
    settings = SimulationSettings(
        number_of_molecules=60, initial_density="1.2 g/mL", cutoff="0.65 nm", timestep="5 fs",
        equilibration_time="0.2 ps", production_time="0.5 ps", output_interval="0.05 ps", replicas=1,
    )  # fmt: skip
    argon = Density(Substance.pure("[Ar]"), ThermodynamicState(temperature="90 K", pressure="1 bar"))
    with ParslLocalBackend(pools=pools) as backend:
        [result] = estimate(
            [argon], OpenMMForceField("argon.xml"), backend, directory=tmp_path, settings=settings
        )
    assert result.platform == "Reference"
    records = {
        path.parent.name: json.loads(path.read_text(encoding="utf-8"))
        for path in tmp_path.glob("*/provenance.json")
    }
    assert len(records) == 6
    for label, record in records.items():
        simulated = label.startswith(("OpenMMSimulation", "OpenMMEnergyMinimisation"))
        assert ("Reference" in record["resources"]) == simulated, label
    pids = {
        simulated: {
            r["process"]["pid"] for label, r in records.items() if label.startswith("OpenMM") == simulated
        }
        for simulated in (True, False)
    }
    assert not pids[True] & pids[False]
