import re

import numpy as np
import pytest
from openmm import app, unit

from protocols.errors import PackingError
from protocols.running.execution import execute_in
from protocols.substance import Substance
from protocols.systems import coordinates
from protocols.systems.coordinates import BuildCoordinatesPackmol


def pack(directory, resources, seed=1, **inputs):
    mixture = Substance.mixture({"O": 0.75, "CO": 0.25})
    usual = {"substance": mixture, "number_of_molecules": 40, "density": "0.8 g/mL", "seed": seed}
    protocol = BuildCoordinatesPackmol(**(usual | inputs))
    outputs = execute_in(protocol, directory, resources)
    return outputs, app.PDBxFile(str(outputs.coordinates_file))


def positions(file):
    return file.getPositions(asNumpy=True).value_in_unit(unit.nanometer)


def test_the_box_holds_what_was_asked_for_at_the_density_asked_for(tmp_path, resources):
    outputs, file = pack(tmp_path, resources)
    names = [residue.name for residue in file.topology.residues()]
    assert outputs.counts == (10, 30)
    assert (names.count("UNK"), names.count("HOH")) == (10, 30)
    assert file.topology.getNumBonds() == 10 * 5 + 30 * 2
    edge = file.topology.getUnitCellDimensions()[0].value_in_unit(unit.nanometer)
    mass = 10 * 32.042 + 30 * 18.015
    assert mass / 602.214076 / edge**3 == pytest.approx(0.8, rel=1e-3)


def test_molecules_do_not_overlap_across_the_boundary(tmp_path, resources):
    _, file = pack(tmp_path, resources)
    edge = file.topology.getUnitCellDimensions()[0].value_in_unit(unit.nanometer)
    xyz = positions(file)
    residues = np.array([atom.residue.index for atom in file.topology.atoms()])
    difference = xyz[:, None] - xyz[None]
    distance = np.linalg.norm(difference - edge * np.round(difference / edge), axis=-1)
    assert distance[residues[:, None] != residues[None]].min() > 0.19


def test_another_seed_gives_another_packing_and_the_same_seed_the_same(tmp_path, resources):
    first = positions(pack(tmp_path / "a", resources, seed=1)[1])
    assert np.array_equal(first, positions(pack(tmp_path / "b", resources, seed=1)[1]))
    assert not np.allclose(first, positions(pack(tmp_path / "c", resources, seed=2)[1]), atol=0.05)


def test_the_density_gives_way_until_the_molecules_fit(tmp_path, resources, monkeypatch):
    tried = []
    real = coordinates._run_packmol

    def fails_twice(directory, contents, edge, seed, tolerance):
        tried.append((edge, tolerance))
        return "it failed" if len(tried) < 3 else real(directory, contents, edge, seed, tolerance)

    monkeypatch.setattr(coordinates, "_run_packmol", fails_twice)
    outputs, _ = pack(tmp_path, resources)
    assert outputs.density.to("g/mL").magnitude == pytest.approx(0.8 * 0.92)
    assert [tolerance for _, tolerance in tried] == [2.0, 1.7, 2.0]
    assert [attempt.partition(": ")[2] for attempt in outputs.attempts] == [
        "it failed",
        "it failed",
        "packed",
    ]


def test_what_cannot_be_packed_is_an_error_with_the_densities_tried(tmp_path, resources):
    with pytest.raises(PackingError) as caught:
        pack(tmp_path, resources, substance=Substance.pure("[Ar]"), number_of_molecules=3, density="60 g/mL")
    found = re.fullmatch(
        r"density: packmol found no packing from (\S+) \S+ down to (\S+) \S+: (.+)", str(caught.value)
    )
    assert found is not None, str(caught.value)
    assert (float(found[1]), float(found[2])) == pytest.approx((60, 60 * 0.92**7))
    assert "GENCAN loops" in found[3]
