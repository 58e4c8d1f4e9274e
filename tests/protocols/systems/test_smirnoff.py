import importlib.util
from pathlib import Path

import numpy as np
import openmm
import pytest
from openmm import unit

from protocols.errors import InputError, ParameterError
from protocols.running.execution import execute_in
from protocols.settings import InteractionSettings
from protocols.systems.forcefield import ForceFieldFile
from protocols.systems.parameterise import BuildOpenMMSystem
from protocols.systems.smirnoff import AssignSmirnoffParameters, SmirnoffForceField
from protocols.systems.topology import Molecule, box_topology

_FOUND = importlib.util.find_spec("openff") is not None and importlib.util.find_spec("openff.toolkit")
needs_toolkit = pytest.mark.skipif(not _FOUND, reason="the OpenFF toolkit is not installed (conda only)")
# Every installation of the toolkit has this one; like Sage it has three torsions for each improper one.
FILE = "test_forcefields/test_forcefield.offxml"


@pytest.fixture
def name():
    from openff.toolkit.utils import get_data_file_path

    return get_data_file_path(FILE)


@pytest.mark.skipif(bool(_FOUND), reason="the OpenFF toolkit is installed")
def test_without_the_toolkit_the_error_says_how_to_install_it(tmp_path, resources):
    message = (
        r"OpenFF toolkit: not installed, and SmirnoffForceField needs it \(No module named 'openff'\); "
        "conda install -c conda-forge openff-toolkit openff-interchange$"
    )
    with pytest.raises(InputError, match=message):
        SmirnoffForceField("openff-2.2.0.offxml")
    given = ForceFieldFile(name="openff-2.2.0.offxml", xml="<SMIRNOFF/>")
    with pytest.raises(InputError, match=message):
        execute_in(AssignSmirnoffParameters(smiles="CO", file=given), tmp_path, resources)


@needs_toolkit
@pytest.mark.parametrize("smiles", ["CCO", "O=Cc1ccccc1", "C[N+](=O)[O-]"])
def test_a_molecule_has_the_energy_and_forces_that_interchange_gives_it(tmp_path, resources, smiles, name):
    from openff.toolkit import ForceField
    from openff.toolkit import Molecule as Theirs
    from rdkit import Chem

    [preparation] = SmirnoffForceField(name).preparations(smiles)
    made = execute_in(preparation.protocol, tmp_path, resources)
    molecule = Molecule.from_smiles(smiles)
    ours = made.parameters.parameterised(
        box_topology([(molecule, 1)]),
        molecule.positions * unit.nanometer,
        InteractionSettings(constraints=None),
        periodic=False,
    ).system
    topology = Theirs.from_rdkit(
        Chem.AddHs(Chem.MolFromSmiles(smiles)), hydrogens_are_explicit=True
    ).to_topology()
    theirs = ForceField(name).create_interchange(topology).to_openmm_system(add_constrained_forces=True)
    distorted = molecule.positions + np.random.default_rng(1).normal(
        scale=0.02, size=(ours.getNumParticles(), 3)
    )
    values = []
    for system in (ours, theirs):
        for index in reversed(range(system.getNumConstraints())):
            system.removeConstraint(index)
        context = openmm.Context(
            system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
        )
        context.setPositions(distorted)
        state = context.getState(energy=True, forces=True)
        values.append((state.getPotentialEnergy()._value, state.getForces(asNumpy=True)._value))
    assert values[0][0] == pytest.approx(values[1][0], rel=1e-6)
    assert values[0][1] == pytest.approx(values[1][1], rel=1e-5, abs=1e-2)


@needs_toolkit
def test_a_source_is_read_at_once_and_checked_early(name):
    force_field = SmirnoffForceField(name)
    assert force_field == SmirnoffForceField(name)
    force_field.check_covers("CCO")
    with pytest.raises(InputError, match=r"^force_field: test_forcefield.offxml does not cover C\[SeH\] \("):
        force_field.check_covers("C[SeH]")
    with pytest.raises(InputError, match=r"^force_field: 'nowhere.offxml' is no SMIRNOFF force field: "):
        SmirnoffForceField("nowhere.offxml")
    protocol = BuildOpenMMSystem(
        coordinates_file=Path(__file__),
        force_field=force_field,
        parameters=force_field.preparations("CCO"),
    )
    assert BuildOpenMMSystem.from_json(protocol.to_json()) == protocol


@needs_toolkit
def test_a_molecule_that_the_toolkit_cannot_do_is_named(tmp_path, resources, name):
    [preparation] = SmirnoffForceField(name).preparations("C[SeH]")
    with pytest.raises(ParameterError, match=r"^C\[SeH\]: test_forcefield.offxml: Unassigned"):
        execute_in(preparation.protocol, tmp_path, resources)
