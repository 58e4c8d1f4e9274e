"""The molecules of a mixture get their parameters side by side, on the workers of a backend."""

import json
from itertools import pairwise

import openmm
import pytest

from protocols import (
    BuildCoordinatesPackmol,
    BuildOpenMMSystem,
    GaffForceField,
    Substance,
    WorkflowGraph,
)
from protocols.settings import InteractionSettings
from protocols.systems.sources import preparations
from workflow_backends import ComputeResources, ParslLocalBackend

MOLECULES = ("C", "CC", "CO", "CCO", "C=O", "CC#N", "CF", "CCl", "CS", "CN")


def test_ten_molecules_get_their_parameters_on_two_workers(tmp_path, monkeypatch):
    monkeypatch.setenv("ESTIMATE_PROPERTIES_CACHE", "")
    force_field = GaffForceField()
    mixture = Substance.mixture(dict.fromkeys(MOLECULES, 0.1))
    boxes = [
        BuildOpenMMSystem(
            coordinates_file=BuildCoordinatesPackmol(
                substance=mixture, number_of_molecules=60, density="0.6 g/mL", seed=seed
            ).output.coordinates_file,
            force_field=force_field,
            interactions=InteractionSettings(cutoff="0.7 nm"),
            parameters=preparations(force_field, MOLECULES),
        )
        for seed in (1, 2)
    ]
    with ParslLocalBackend(2, ComputeResources(number_of_threads=1)) as backend:
        futures = WorkflowGraph(boxes).submit(backend, tmp_path)
        built = [futures[box.identity].result(timeout=200) for box in boxes]

    homes = list(tmp_path.glob("AssignGaffParameters-*"))
    assert len(homes) == len(MOLECULES)  # each once, for two boxes
    records = [json.loads((home / "provenance.json").read_text(encoding="utf-8")) for home in homes]
    assert len({record["process"]["pid"] for record in records}) == 2
    spans = sorted((record["started"], record["finished"]) for record in records)
    assert any(later[0] < earlier[1] for earlier, later in pairwise(spans))
    for outputs in built:
        system = openmm.XmlSerializer.deserialize(outputs.system_file.read_text(encoding="utf-8"))
        [force] = [force for force in system.getForces() if isinstance(force, openmm.NonbondedForce)]
        charges = [force.getParticleParameters(i)[0]._value for i in range(system.getNumParticles())]
        assert sum(charges) == pytest.approx(0, abs=1e-6)
        assert min(charges) < -0.5
