from pathlib import Path

import numpy as np
import pytest
from openmm import app, unit

from protocols.errors import InputError
from protocols.properties.density import Density
from protocols.running.execution import execute_in
from protocols.settings import SimulationSettings
from protocols.state import ThermodynamicState
from protocols.substance import Component, Substance
from protocols.systems.files import AmberFiles, GromacsFiles
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.given import TakeCoordinates
from protocols.systems.topology import Molecule, box_topology

FILES = Path(__file__).parents[3] / "examples" / "files"
BOX = Path(__file__).parents[2] / "force_fields" / "files"
STATE = ThermodynamicState(temperature="300 K", pressure="1 atm")


def mixed_box(path):
    """Write two waters, an ethanol and a water, in this order, in a box."""
    water, ethanol = Molecule.from_smiles("O"), Molecule.from_smiles("CCO")
    molecules = [water, water, ethanol, water]
    topology = box_topology([(each, 1) for each in molecules], 1.5)
    shifted = [each.positions + 0.4 * number for number, each in enumerate(molecules)]
    with path.open("w") as stream:
        app.PDBxFile.writeFile(topology, np.concatenate(shifted) * unit.nanometer, stream)
    return path, shifted


def test_molecules_of_a_file_come_in_the_order_of_the_substance(tmp_path, resources):
    path, shifted = mixed_box(tmp_path / "mixed.cif")
    substance = Substance(components=(Component(smiles="O", count=3), Component(smiles="CCO", count=1)))
    taken = execute_in(
        TakeCoordinates(substance=substance, number_of_molecules=4, coordinates_file=path),
        tmp_path / "taken",
        resources,
    )
    assert taken.counts == (1, 3)
    assert taken.density.to("g/mL").magnitude == pytest.approx(
        (46.069 + 3 * 18.015) / 602.214 / 1.5**3, rel=1e-3
    )
    written = app.PDBxFile(str(taken.coordinates_file))
    expected = np.concatenate([shifted[i] for i in (2, 0, 1, 3)])
    found = written.getPositions(asNumpy=True).value_in_unit(unit.nanometer)
    assert np.abs(found - expected).max() < 1e-4
    assert written.topology.getNumBonds() == 8 + 3 * 2


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"O": 4, "CCO": 1}, "4 of O are asked for, and the box of mixed.cif has 3"),
        ({"O": 2, "CCO": 1}, "the box of mixed.cif has 1 molecules more .*, the first of them H2 O"),
        ({"O": 3}, "1 molecules more than are asked for of O, the first of them C2 H6 O"),
        ({"O": 3, "COC": 1}, "1 of COC are asked for, and the box of mixed.cif has 0"),
    ],
)
def test_a_box_with_other_molecules_is_refused_before_anything_runs(tmp_path, counts, message):
    path, _ = mixed_box(tmp_path / "mixed.cif")
    substance = Substance(components=tuple(Component(smiles=s, count=n) for s, n in counts.items()))
    settings = SimulationSettings(initial_coordinates=path, cutoff="0.5 nm")
    force_field = AnyForceField()
    with pytest.raises(InputError, match=message):
        Density(substance, STATE).workflow(force_field, settings)


class AnyForceField(OpenMMForceField):
    def __init__(self, **inputs):
        super().__init__("tip3p.xml", **inputs)

    def check_covers(self, smiles):
        pass


def test_a_file_without_a_box_is_refused(tmp_path):
    with (tmp_path / "bare.pdb").open("w") as stream:
        molecule = Molecule.from_smiles("O")
        app.PDBFile.writeFile(box_topology([(molecule, 1)]), molecule.positions * unit.nanometer, stream)
    settings = SimulationSettings(initial_coordinates=tmp_path / "bare.pdb", number_of_molecules=1)
    with pytest.raises(InputError, match=r"initial_coordinates: bare.pdb has no box"):
        Density(Substance.pure("O"), STATE).workflow(OpenMMForceField("tip3p.xml"), settings)
    settings = settings.model_copy(update={"initial_coordinates": tmp_path / "none.pdb"})
    with pytest.raises(InputError, match=r"initial_coordinates: .*none.pdb' cannot be read"):
        Density(Substance.pure("O"), STATE).workflow(OpenMMForceField("tip3p.xml"), settings)


def test_a_box_that_comes_with_parameters_is_taken_and_not_packed():
    source, water = GromacsFiles(FILES / "water.top", FILES / "water.gro"), Substance.pure("O")
    settings = SimulationSettings(number_of_molecules=216)
    workflow = Density(water, STATE).workflow(source, settings)
    built = workflow.simulations[0][0].system_file.protocol
    assert isinstance(built.upstream[0], TakeCoordinates)
    with pytest.raises(InputError, match=r"256 of O are asked for, and the box of water.top has 216"):
        Density(water, STATE).workflow(source, SimulationSettings())
    with pytest.raises(InputError, match=r"cutoff: 1 nm is not allowed for the box of water.top"):
        Density(water, STATE).workflow(source, SimulationSettings(number_of_molecules=216, cutoff="1 nm"))


def test_molecules_of_a_box_keep_their_own_parameters(tmp_path, resources):
    source = AmberFiles(BOX / "ethanol_box.prmtop", BOX / "ethanol_box.inpcrd")
    taken = execute_in(
        TakeCoordinates(substance=Substance.pure("CCO"), number_of_molecules=4, force_field=source),
        tmp_path / "taken",
        resources,
    )
    written = app.PDBxFile(str(taken.coordinates_file)).getPositions(asNumpy=True)
    given = app.AmberInpcrdFile(str(BOX / "ethanol_box.inpcrd")).getPositions(asNumpy=True)
    assert np.abs((written - given).value_in_unit(unit.nanometer)).max() < 1e-4
