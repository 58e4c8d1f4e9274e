import contextlib
import os
import subprocess
import sys
import time
import venv
from itertools import pairwise
from pathlib import Path

import numpy as np
import openmm
import psutil
import pytest
from openmm import app, unit

from protocols.errors import InputError, ParameterError
from protocols.properties.density import Density
from protocols.properties.heat_capacity import IsobaricHeatCapacity
from protocols.properties.vaporization import EnthalpyOfVaporization
from protocols.running.execution import execute_in
from protocols.settings import InteractionSettings, SimulationSettings
from protocols.state import ThermodynamicState
from protocols.substance import Substance
from protocols.systems import ambertools
from protocols.systems.ambertools import AmberTools
from protocols.systems.combined import CombinedForceField
from protocols.systems.coordinates import BuildCoordinatesPackmol
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.gaff import GaffForceField
from protocols.systems.molecule_parameters import AssignGaffParameters
from protocols.systems.parameterise import BuildOpenMMSystem
from protocols.systems.sources import preparations
from protocols.systems.topology import Molecule, box_topology
from workflow_backends.resources import ComputeResources

STATE = ThermodynamicState(temperature="298.15 K", pressure="1 atm")
ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def no_cache(monkeypatch):
    monkeypatch.setenv("ESTIMATE_PROPERTIES_CACHE", "")


@pytest.fixture(scope="session")
def assign(tmp_path_factory):
    """Return what AmberTools makes of a molecule; each is computed once."""
    home, known = tmp_path_factory.mktemp("assigned"), {}

    def assigned(smiles, parameter_set="gaff2"):
        key = (smiles, parameter_set)
        if key not in known:
            protocol = AssignGaffParameters(smiles=smiles, parameter_set=parameter_set)
            known[key] = execute_in(protocol, home / protocol.label, ComputeResources())
        return known[key]

    return assigned


def energies_and_forces(system, positions, box=None):
    """Return the energy of each kind of force in kJ/mol and all forces in kJ/mol/nm."""
    for group, force in enumerate(system.getForces()):
        force.setForceGroup(group)
    if box is not None:
        system.setDefaultPeriodicBoxVectors(*box)
    context = openmm.Context(
        system, openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    )
    context.setPositions(positions)
    energies = {
        type(force).__name__: context.getState(energy=True, groups={group}).getPotentialEnergy()._value
        for group, force in enumerate(system.getForces())
    }
    return energies, context.getState(forces=True).getForces(asNumpy=True)._value


@pytest.mark.parametrize(
    ("smiles", "parameter_set", "impropers"),
    [
        ("CCO", "gaff", 0),
        ("O=Cc1ccccc1", "gaff2", 7),  # a ring, and a carbonyl on it
        ("C[N+](=O)[O-]", "gaff2", 1),
        ("C1CC1", "gaff2", 0),  # a ring of three, in which third neighbours are first ones too
        ("CNC(C)=O", "gaff2", 2),  # whose energy depends on the order of the atoms of the improper ones
    ],
)
def test_a_molecule_has_the_energy_and_forces_that_tleap_gives_it(assign, smiles, parameter_set, impropers):
    made, molecule = assign(smiles, parameter_set), Molecule.from_smiles(smiles)
    theirs = app.AmberPrmtopFile(str(made.prmtop_file)).createSystem(
        nonbondedMethod=app.NoCutoff, constraints=None, removeCMMotion=False
    )
    ours = made.parameters.parameterised(
        box_topology([(molecule, 1)]),
        molecule.positions * unit.nanometer,
        InteractionSettings(constraints=None),
        periodic=False,
    ).system
    bonds = {frozenset(bond) for bond in molecule.bonds}
    [torsions] = [force for force in theirs.getForces() if isinstance(force, openmm.PeriodicTorsionForce)]
    found = [torsions.getTorsionParameters(i)[:4] for i in range(torsions.getNumTorsions())]
    assert sum(any(frozenset(pair) not in bonds for pair in pairwise(atoms)) for atoms in found) == impropers
    distorted = np.random.default_rng(1).normal(scale=0.02, size=molecule.positions.shape)
    (energies, forces), (expected, expected_forces) = (
        energies_and_forces(system, molecule.positions + distorted) for system in (ours, theirs)
    )
    assert {name: energies.get(name, 0) for name in expected} == pytest.approx(expected, rel=1e-6)
    assert forces == pytest.approx(expected_forces, rel=1e-6, abs=1e-3)


def test_a_box_of_a_mixture_has_the_energy_and_forces_that_tleap_gives_it(assign, tmp_path):
    kinds, numbers = ("CCO", "C[N+](=O)[O-]"), (9, 7)
    contents = [(Molecule.from_smiles(smiles), number) for smiles, number in zip(kinds, numbers, strict=True)]
    script = ["source leaprc.gaff2"]
    for name, smiles in zip("xy", kinds, strict=True):
        made = assign(smiles)
        script += [f"loadamberparams {made.frcmod_file}", f"{name} = loadmol2 {made.mol2_file}"]
    script += [f"box = combine {{ {'x ' * numbers[0]}{'y ' * numbers[1]}}}", "setbox box vdw"]
    script += ["saveamberparm box box.prmtop box.inpcrd", "quit"]
    (tmp_path / "leap.in").write_text("\n".join(script) + "\n")
    AmberTools.find().run("tleap", "-f", "leap.in", directory=tmp_path)

    edge = 2.0
    corners = np.stack(np.meshgrid(*[np.arange(3) * edge / 3] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    molecules = [molecule for molecule, number in contents for _ in range(number)]
    positions = np.concatenate([m.positions + corners[i] for i, m in enumerate(molecules)])
    settings = InteractionSettings(cutoff="0.9 nm", switching_distance="0.8 nm")
    ours = (
        GaffForceField()
        .completed([assign(smiles).parameters for smiles in kinds])
        .parameterised(box_topology(contents, edge), positions * unit.nanometer, settings, periodic=True)
        .system
    )
    theirs = app.AmberPrmtopFile(str(tmp_path / "box.prmtop")).createSystem(
        nonbondedMethod=app.PME,
        nonbondedCutoff=0.9,
        switchDistance=0.8,
        constraints=app.HBonds,
        removeCMMotion=False,
    )
    assert ours.getNumConstraints() == theirs.getNumConstraints() > 0
    box = np.eye(3) * edge
    (energies, forces), (expected, expected_forces) = (
        energies_and_forces(system, positions, box) for system in (ours, theirs)
    )
    assert {name: energies.get(name, 0) for name in expected} == pytest.approx(expected, rel=1e-6)
    assert forces == pytest.approx(expected_forces, rel=1e-5, abs=1e-2)


def test_the_outputs_tell_where_the_parameters_come_from(assign):
    gaff, gaff2 = assign("CCO", "gaff"), assign("CCO")
    assert gaff.programs == gaff2.programs == AmberTools.find().version
    assert gaff.programs.startswith("AmberTools 2")
    assert "(Version 1." in gaff.parameter_set
    assert "(Version 2." in gaff2.parameter_set
    assert gaff.charge_program.startswith("sqm ")
    assert gaff.charge_program.endswith(", AM1-BCC")
    for made in (gaff, gaff2):
        text = made.parameters_file.read_text(encoding="utf-8")
        assert all(words in text for words in (made.programs, made.parameter_set, made.charge_program, "CCO"))
        assert app.ForceField(str(made.parameters_file))  # for use elsewhere


@pytest.mark.parametrize(
    ("smiles", "problem"),
    [
        ("CB(C)C", "CB(C)C (atom B1: GAFF has the elements H, C, N, O, F, P, S, Cl, Br, I only)"),
        ("C[Hg]C", "[CH3][Hg][CH3] (atom Hg1: GAFF has the elements"),
        ("C[CH2]", "[CH2]C (atom C1: it has an unpaired electron"),
        ("[N]=O", "[N]=O (atom N1: it has an unpaired electron"),
        ("[Na+]", "[Na+] (atom Na1: GAFF has the elements"),
        ("[Cl-]", "[Cl-] (atom Cl1: GAFF has no single atoms and ions; give them parameters with Combined"),
        ("O", "O (GAFF has no water; give it a model with CombinedForceField)"),
    ],
)
def test_what_gaff_cannot_have_is_refused_before_any_work(smiles, problem):
    density = Density(Substance.pure(smiles), STATE)
    with pytest.raises(InputError) as caught:
        density.workflow(GaffForceField(), SimulationSettings())
    assert str(caught.value).startswith(f"force_field: GAFF2/AM1-BCC does not cover {problem}")


@pytest.mark.parametrize(
    ("first", "second"),
    [("CC[C@H](C)O", "CC[C@@H](C)O"), ("C/C=C/C", "C/C=C\\C"), ("O=C1C=CC(=O)C=C1", "[O-]c1ccc([O-])cc1")],
)
def test_isomers_that_templates_cannot_tell_apart_are_refused_before_any_work(first, second):
    density = Density(Substance.mixture({first: 0.5, second: 0.5}), STATE)
    water = CombinedForceField("tip3p.xml", GaffForceField())
    for force_field in (GaffForceField(), water):
        with pytest.raises(InputError, match=r"substance: .* and .* have the same atoms and bonds"):
            density.workflow(force_field, SimulationSettings())
    others = Density(Substance.mixture({"CCO": 0.5, "COC": 0.5}), STATE)
    assert others.workflow(GaffForceField(), SimulationSettings())


def test_without_the_programs_the_error_says_how_to_install_them(tmp_path):
    """In an environment of its own, where the packages are but no program is."""
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    code = (
        "from protocols import GaffForceField, InputError\n"
        "try: GaffForceField().check_covers('CCO')\n"
        "except InputError as error: print(error)"
    )
    environment = {key: value for key, value in os.environ.items() if key not in {"AMBERHOME", "PATH"}}
    environment |= {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]), "HOME": str(tmp_path)}
    run = subprocess.run(
        [str(tmp_path / "env" / "bin" / "python"), "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.startswith("AmberTools: no antechamber, sqm, parmchk2, tleap in ")
    assert run.stdout.endswith(
        "; pip install 'estimate-properties[gaff]', or conda install -c conda-forge ambertools\n"
    )
    assert run.stdout.count("\n") == 1


def test_the_end_of_the_log_of_a_failing_sqm_reaches_the_user(tmp_path, resources):
    with pytest.raises(ParameterError) as caught:
        execute_in(AssignGaffParameters(smiles="[H][H]"), tmp_path, resources)
    assert str(caught.value).startswith("[H][H]: antechamber: exit status 1")
    last = (tmp_path / "ambertools" / "sqm.out").read_text(encoding="utf-8").strip().splitlines()[-1]
    assert str(caught.value).endswith(" ".join(last.split()))


@pytest.mark.parametrize(
    ("smiles", "message"),
    [
        ("Cl", "Cl: gaff2 has no parameters, nor similar ones, for BOND cl-ha; "
               "its atoms of these types are Cl1 (cl), H1 (ha)"),
        ("C[NH2+]CC[O-]", "C[NH2+]CC[O-]: in vacuum AM1 broke the bond between N1 and H"),
    ],
)  # fmt: skip
def test_a_molecule_that_ambertools_cannot_do_is_named_with_its_atoms(tmp_path, resources, smiles, message):
    with pytest.raises(ParameterError) as caught:
        execute_in(AssignGaffParameters(smiles=smiles), tmp_path, resources)
    assert str(caught.value).startswith(message)
    assert not (tmp_path / "result.json").exists()


def test_programs_run_on_one_thread(tmp_path):
    said = AmberTools(Path("/usr/bin")).run("env", directory=tmp_path)
    assert "OMP_NUM_THREADS=1\n" in said


def test_a_program_that_takes_too_long_is_ended_with_those_that_it_started(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "slow"
    program.write_text("#!/bin/sh\nsleep 4321 &\necho $! > pid\nwait\n")
    program.chmod(0o755)
    monkeypatch.setattr(ambertools, "_LIMIT_S", 1)
    with pytest.raises(ParameterError, match=r"^slow: no end within "):
        AmberTools(tmp_path / "bin").run("slow", directory=tmp_path)
    started = int((tmp_path / "pid").read_text(encoding="utf-8"))
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(started)
        while process.status() != psutil.STATUS_ZOMBIE:  # killed, and it takes a moment; else the time-out
            time.sleep(0.05)


def test_what_was_computed_is_kept_for_other_runs(tmp_path, resources, monkeypatch):
    monkeypatch.setenv("ESTIMATE_PROPERTIES_CACHE", str(tmp_path / "cache"))
    first = execute_in(AssignGaffParameters(smiles="CO"), tmp_path / "first", resources)
    [kept] = (tmp_path / "cache").iterdir()
    again = execute_in(AssignGaffParameters(smiles="CO"), tmp_path / "again", resources)
    assert not (tmp_path / "again" / "ambertools").exists()  # no program ran
    assert again.parameters == first.parameters
    assert again.prmtop_file.read_text(encoding="utf-8") == first.prmtop_file.read_text(encoding="utf-8")

    for damage in (
        kept.read_text(encoding="utf-8")[:-200],
        kept.read_text(encoding="utf-8").replace("charge=", "charge =", 1),
        "[]",
    ):
        kept.write_text(damage)
        home = tmp_path / f"damaged-{len(damage)}"
        assert execute_in(AssignGaffParameters(smiles="CO"), home, resources).parameters == first.parameters
        assert (home / "ambertools").exists()

    execute_in(AssignGaffParameters(smiles="CO", parameter_set="gaff"), tmp_path / "gaff", resources)
    assert (tmp_path / "gaff" / "ambertools").exists()


def test_a_folder_that_cannot_be_written_keeps_nothing_and_stops_nothing(tmp_path, resources, monkeypatch):
    (tmp_path / "cache").write_text("a file")
    monkeypatch.setenv("ESTIMATE_PROPERTIES_CACHE", str(tmp_path / "cache"))
    made = execute_in(AssignGaffParameters(smiles="CO"), tmp_path / "made", resources)
    assert made.parameters_file.exists()


def test_what_depends_on_parameters_is_asked_of_the_graph():
    force_field, settings = GaffForceField(), SimulationSettings()
    ethanol = Substance.pure("CCO")
    for kind in (EnthalpyOfVaporization, IsobaricHeatCapacity):
        assert kind(ethanol, STATE).workflow(force_field, settings).result.upstream
    [first] = preparations(force_field, ["CCO", "OCC"][:1])
    [same] = preparations(GaffForceField(version="gaff2"), ["CCO"])
    [other] = preparations(GaffForceField(version="gaff"), ["CCO"])
    assert first == same != other


def test_a_gaff_solute_dissolves_in_water_of_another_source(tmp_path, resources, assign):
    force_field = CombinedForceField(GaffForceField(), OpenMMForceField("tip3p.xml"))
    force_field.check_covers("O")
    assert force_field.preparations("O") == ()
    solution = Substance.solution("CO", "O")
    packed = execute_in(
        BuildCoordinatesPackmol(substance=solution, number_of_molecules=120), tmp_path / "packed", resources
    )
    protocol = BuildOpenMMSystem(
        coordinates_file=packed.coordinates_file,
        force_field=force_field,
        interactions=InteractionSettings(cutoff="0.7 nm"),
        parameters=(assign("CO").parameters,),
    )
    assert BuildOpenMMSystem.from_yaml(protocol.to_yaml()) == protocol
    built = execute_in(protocol, tmp_path / "built", resources)
    system = openmm.XmlSerializer.deserialize(built.system_file.read_text(encoding="utf-8"))
    [force] = [force for force in system.getForces() if isinstance(force, openmm.NonbondedForce)]
    charges = [force.getParticleParameters(i)[0]._value for i in range(system.getNumParticles())]
    theirs = app.AmberPrmtopFile(str(assign("CO").prmtop_file))
    assert charges[:6] == pytest.approx(theirs._prmtop.getCharges(), abs=1e-9)
    assert set(charges[6:]) == {-0.834, 0.417}
    assert system.getNumConstraints() == 4 + 3 * 119


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CombinedForceField(GaffForceField()), "sources: 1 given; a combination needs at least two"),
        (
            lambda: CombinedForceField(GaffForceField(), "tip3p.xml").check_covers("[Na]"),
            r"does not cover \[Na\] \(atom Na1: .*; tip3p.xml does not cover \[Na\]",
        ),
        (
            lambda: CombinedForceField(GaffForceField(), CombinedForceField(GaffForceField(), "tip3p.xml")),
            "sources: CombinedForceField.* is not allowed; combine OpenMMForceField, GaffForceField and Sm",
        ),
        (lambda: GaffForceField(version="gaff3"), "version: 'gaff3' is not allowed; .*'gaff2' or 'gaff'"),
        (
            lambda: GaffForceField().parameterised(None, None, InteractionSettings(), periodic=True),
            "parameters: none given; GAFF2/AM1-BCC needs the outputs of its preparations",
        ),
    ],
)
def test_wrong_sources_are_refused_in_one_line(make, message):
    with pytest.raises(InputError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
