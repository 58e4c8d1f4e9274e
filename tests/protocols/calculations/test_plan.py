"""What a plan tells of a calculation, with a speed that is fixed and one that is measured."""

import shutil
from pathlib import Path

import pytest
from openmm import app

from protocols.calculations.calculation import read_calculation
from protocols.calculations.plan import plan_of

SHIPPED = Path(__file__).parents[3] / "examples" / "files"
WATER = """\
force_field: tip3p.xml
substances:
  water: O
states:
  room: {temperature: 298.15 K, pressure: 1 atm}
properties:
  - {property: Density, substance: water, state: room}
settings:
  production_time: 200 ps
backend:
  type: parsl-local
  number_of_workers: 1
"""


def write(folder, text=WATER):
    file = folder / "water.yaml"
    file.write_text(text)
    return file


def changed(*pairs):
    text = WATER
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


FROM_FILES = changed(
    ("tip3p.xml", "{type: GromacsFiles, top: water.top, gro: water.gro}"),
    ("production_time: 200 ps", "number_of_molecules: 216\n  cutoff: 0.85 nm"),
)


@pytest.fixture
def fixed_speed(monkeypatch):
    """Let every worker make 100 ns/day, and return the sizes of the boxes that were measured."""
    measured = []

    def speed(choices, molecules):
        measured.append((len(choices), molecules))
        return [100.0] * len(choices)

    monkeypatch.setattr("protocols.calculations.plan.measure_speed", speed)
    return measured


@pytest.mark.parametrize("origin", ["the force field", "the settings"])
def test_the_time_and_the_disk_are_those_of_the_atoms_of_a_given_box(tmp_path, fixed_speed, origin):
    for name in ("water.top", "water.gro", "spce.itp"):
        shutil.copy(SHIPPED / name, tmp_path)
    text = FROM_FILES
    if origin == "the settings":
        text = text.replace("{type: GromacsFiles, top: water.top, gro: water.gro}", "spce.xml")
        text = text.replace("settings:", "settings:\n  initial_coordinates: water.pdb")
        gro = app.GromacsGroFile(str(tmp_path / "water.gro"))
        vectors = gro.getPeriodicBoxVectors()
        top = app.GromacsTopFile(str(tmp_path / "water.top"), periodicBoxVectors=vectors)
        with (tmp_path / "water.pdb").open("w") as stream:
            app.PDBFile.writeFile(top.topology, gro.positions, stream)
    found = plan_of(read_calculation(write(tmp_path, text)))
    assert fixed_speed == [(1, 216)]
    assert found.ns_per_day == 100
    assert found.seconds == pytest.approx(2 * 0.22 / 100 * 86400)  # two replicas, one after the other
    states, tables = 4 * 300 * 3 * 216, 2 * 400 * 220 / 0.4
    assert found.bytes_on_disk == found.protocols * 16_000 + states + tables
    halved = text.replace("number_of_workers: 1", "number_of_workers: 2")
    assert plan_of(read_calculation(write(tmp_path, halved))).seconds == pytest.approx(found.seconds / 2)


def test_the_time_of_smaller_boxes_is_less_but_never_that_of_none(tmp_path, fixed_speed):
    text = changed(
        ("tip3p.xml", "[tip3p.xml, argon.xml]"),
        ("water: O", 'water: O\n  argon: "[Ar]"'),
        ("substance: water", "substance: [water, argon]"),
        ("production_time: 200 ps", "initial_density: 0.9 g/mL"),
    )
    found = plan_of(read_calculation(write(tmp_path, text)))
    assert fixed_speed == [(1, 256)]
    assert found.seconds == pytest.approx(2 * 0.22 * (1 + 300 / 768) / 100 * 86400)


def test_the_speed_that_is_measured_gives_the_time(tmp_path):
    text = changed(("production_time: 200 ps", "number_of_molecules: 100\n  cutoff: 0.6 nm"))
    found = plan_of(read_calculation(write(tmp_path, text)), measure=True)
    assert found.ns_per_day > 0.1
    assert found.seconds == pytest.approx(2 * 0.22 / found.ns_per_day * 86400)
    assert "other force fields differ" in str(found)


@pytest.mark.parametrize("kind", ["parsl-slurm", "dask-slurm"])
def test_a_plan_for_a_cluster_says_where_it_was_measured(tmp_path, fixed_speed, kind):
    text = changed(("type: parsl-local\n  number_of_workers: 1", f"type: {kind}"))
    found = read_calculation(write(tmp_path, text))
    assert "measured on this machine, not on the cluster's nodes" in str(plan_of(found))
    assert "cluster" not in str(plan_of(found, measure=False))
    assert fixed_speed
