"""Systems of files through our interface have the energy and the forces of OpenMM's own loaders."""

import re
import shutil
from pathlib import Path

import numpy as np
import openmm
import pytest
from openmm import app, unit

from protocols.errors import InputError
from protocols.settings import InteractionSettings
from protocols.systems.files import AmberFiles, CharmmFiles, GromacsFiles, SystemFiles
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.interactions import CONSTRAINTS
from protocols.systems.topology import Molecule, box_topology

HERE = Path(__file__).parents[2] / "force_fields" / "files"
SHIPPED = Path(__file__).parents[3] / "examples" / "files"
USUAL = {"cutoff": "0.5 nm", "switching_distance": "0.4 nm", "ewald_error_tolerance": 1e-6}
INTERACTIONS = InteractionSettings(**USUAL)
RELATIVE = 1e-6


def computed(system, positions, box=None):
    """Return the energy in kJ/mol and the forces, on the Reference platform."""
    integrator, platform = openmm.VerletIntegrator(0.001), openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, integrator, platform)
    if box is not None:
        context.setPeriodicBoxVectors(*box)
    context.setPositions(positions)
    context.computeVirtualSites()
    state = context.getState(energy=True, forces=True)
    return state.getPotentialEnergy()._value, state.getForces(asNumpy=True)._value


def at_fixed_distances(system, positions):
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(positions)
    context.applyConstraints(1e-10)
    return context.getState(positions=True).getPositions()


def assert_equal(ours, theirs):
    assert ours[0] == pytest.approx(theirs[0], rel=RELATIVE)
    assert np.abs(ours[1] - theirs[1]).max() < RELATIVE * np.abs(theirs[1]).max()


def of_loader(loader, *arguments, periodic, interactions=INTERACTIONS):
    """Return the System as OpenMM's loader makes it with the same interactions."""
    mass = interactions.hydrogen_mass
    switch = interactions.switching_distance if periodic else None
    system = loader.createSystem(
        *arguments,
        nonbondedMethod=app.PME if periodic else app.NoCutoff,
        nonbondedCutoff=interactions.cutoff.to("nm").magnitude * unit.nanometer,
        switchDistance=(0.0 if switch is None else switch.to("nm").magnitude) * unit.nanometer,
        ewaldErrorTolerance=interactions.ewald_error_tolerance,
        constraints=CONSTRAINTS[interactions.constraints],
        rigidWater=interactions.rigid_water,
        hydrogenMass=None if mass is None else mass.to("dalton").magnitude * unit.dalton,
    )
    for force in system.getForces():
        if isinstance(force, openmm.NonbondedForce):
            force.setUseDispersionCorrection(interactions.long_range_correction)
    return system


def masses_of(system):
    return [system.getParticleMass(index)._value for index in range(system.getNumParticles())]


def constraints_of(system):
    found = [system.getConstraintParameters(i) for i in range(system.getNumConstraints())]
    return {tuple(sorted(pair)): round(length._value, 9) for *pair, length in found}


def test_one_molecule_of_an_amber_file_is_that_of_the_loader():
    source = AmberFiles(SHIPPED / "ethanol.prmtop", SHIPPED / "ethanol.inpcrd")
    prmtop = app.AmberPrmtopFile(str(SHIPPED / "ethanol.prmtop"))
    inpcrd = app.AmberInpcrdFile(str(SHIPPED / "ethanol.inpcrd"))

    made = source.parameterised(prmtop.topology, inpcrd.positions, INTERACTIONS, periodic=False)
    theirs = of_loader(prmtop, periodic=False)
    assert_equal(computed(made.system, made.positions), computed(theirs, inpcrd.positions))
    assert constraints_of(made.system) == constraints_of(theirs)


@pytest.mark.parametrize(
    ("of", "changed"),
    [
        ("one molecule", {}),
        ("the box", {}),
        ("the box", {"switching_distance": None, "long_range_correction": False}),
        ("the box", {"constraints": "AllBonds", "cutoff": "0.6 nm"}),
        ("one molecule", {"constraints": None, "hydrogen_mass": "3 dalton"}),
    ],
)
def test_an_amber_box_is_that_of_the_loader(of, changed):
    interactions = InteractionSettings(**(USUAL | changed))
    names = (SHIPPED / "ethanol.prmtop", SHIPPED / "ethanol.inpcrd")
    box = (HERE / "ethanol_box.prmtop", HERE / "ethanol_box.inpcrd")
    source = AmberFiles(*(names if of == "one molecule" else box))
    inpcrd = app.AmberInpcrdFile(str(box[1]))
    prmtop = app.AmberPrmtopFile(str(box[0]), periodicBoxVectors=inpcrd.boxVectors)
    made = source.parameterised(prmtop.topology, inpcrd.positions, interactions, periodic=True)
    theirs = of_loader(prmtop, periodic=True, interactions=interactions)
    ours = computed(made.system, made.positions, inpcrd.boxVectors)
    assert_equal(ours, computed(theirs, inpcrd.positions, inpcrd.boxVectors))
    assert constraints_of(made.system) == constraints_of(theirs)
    assert masses_of(made.system) == pytest.approx(masses_of(theirs))
    assert (source.given_box() is not None) == (of == "the box")


def test_angles_of_hydrogens_are_fixed_at_rest():
    """OpenMM's loader takes the length of another bond where a molecule has several kinds of bonds."""
    source = AmberFiles(SHIPPED / "ethanol.prmtop", SHIPPED / "ethanol.inpcrd")
    prmtop = app.AmberPrmtopFile(str(SHIPPED / "ethanol.prmtop"))
    positions = app.AmberInpcrdFile(str(SHIPPED / "ethanol.inpcrd")).positions
    interactions = InteractionSettings(**USUAL, constraints="HAngles")
    made = source.parameterised(prmtop.topology, positions, interactions, periodic=False)
    theirs = of_loader(prmtop, periodic=False, interactions=interactions)
    assert_equal(computed(made.system, made.positions), computed(theirs, positions))

    ours = constraints_of(made.system)
    bonds = constraints_of(
        of_loader(prmtop, periodic=False, interactions=InteractionSettings(constraints="AllBonds"))
    )
    assert ours.keys() == constraints_of(theirs).keys()
    assert ours.items() >= bonds.items()
    flexible = prmtop.createSystem()
    [force] = [each for each in flexible.getForces() if isinstance(each, openmm.HarmonicAngleForce)]
    terms = [force.getAngleParameters(number) for number in range(force.getNumAngles())]
    expected = {}
    for one, middle, two, angle, _ in terms:
        a, b = (bonds[min(end, middle), max(end, middle)] for end in (one, two))
        expected[min(one, two), max(one, two)] = np.sqrt(a * a + b * b - 2 * a * b * np.cos(angle._value))
    for pair in ours.keys() - bonds.keys():
        assert ours[pair] == pytest.approx(expected[pair])
    assert len(ours) > len(bonds)


def test_atoms_in_another_order_find_their_parameters():
    """RDKit's ethanol, its atoms reversed, gets the energy of the file's order."""
    source = AmberFiles(SHIPPED / "ethanol.prmtop", SHIPPED / "ethanol.inpcrd")
    molecule = Molecule.from_smiles("CCO")
    places = list(range(len(molecule.elements)))[::-1]
    reversed_molecule = Molecule(
        smiles="CCO",
        residue_name="UNK",
        atom_names=tuple(molecule.atom_names[i] for i in places),
        elements=tuple(molecule.elements[i] for i in places),
        bonds=tuple((places.index(i), places.index(j)) for i, j in molecule.bonds),
        positions=molecule.positions[places],
        mass=molecule.mass,
    )
    energies = []
    for each in (molecule, reversed_molecule):
        positions = each.positions * unit.nanometer
        made = source.parameterised(box_topology([(each, 1)]), positions, INTERACTIONS, periodic=False)
        energies.append(computed(made.system, made.positions)[0])
    assert energies[0] == pytest.approx(energies[1], rel=1e-9)


def water_top(tmp_path, number):
    for name in ("water.top", "spce.itp"):
        shutil.copy(SHIPPED / name, tmp_path)
    top = tmp_path / "water.top"
    top.write_text(top.read_text(encoding="utf-8").replace("SOL  216", f"SOL  {number}"))
    lines = (SHIPPED / "water.gro").read_text(encoding="utf-8").splitlines()
    gro = [lines[0], str(3 * number), *lines[2 : 2 + 3 * number], lines[-1]]
    (tmp_path / "water.gro").write_text("\n".join(gro) + "\n")
    return top, tmp_path / "water.gro"


def test_gromacs_files_give_what_the_loader_gives(tmp_path):
    one, box = water_top(tmp_path, 1), (SHIPPED / "water.top", SHIPPED / "water.gro")
    gro = app.GromacsGroFile(str(box[1]))
    theirs = app.GromacsTopFile(str(box[0]), periodicBoxVectors=gro.getPeriodicBoxVectors())
    expected = computed(of_loader(theirs, periodic=True), gro.positions, gro.getPeriodicBoxVectors())
    for files in (one, box):
        source = GromacsFiles(*files)
        made = source.parameterised(theirs.topology, gro.positions, INTERACTIONS, periodic=True)
        assert_equal(computed(made.system, made.positions, gro.getPeriodicBoxVectors()), expected)
        assert (source.given_box() is not None) == (files is box)


def test_one_molecule_of_gromacs_files_in_vacuum_is_that_of_the_loader(tmp_path):
    top, gro = water_top(tmp_path, 1)
    theirs, positions = app.GromacsTopFile(str(top)), app.GromacsGroFile(str(gro)).positions
    flexible = InteractionSettings(**USUAL, constraints=None, rigid_water=False)
    made = GromacsFiles(top, gro).parameterised(theirs.topology, positions, flexible, periodic=False)
    system = of_loader(theirs, periodic=False, interactions=flexible)
    assert_equal(computed(made.system, made.positions), computed(system, positions))
    assert made.system.usesPeriodicBoundaryConditions() is False


def test_a_gromacs_topology_has_its_includes_from_elsewhere_and_its_definitions(tmp_path):
    top, gro = water_top(tmp_path, 1)
    (tmp_path / "share").mkdir()
    included = (tmp_path / "spce.itp").read_text(encoding="utf-8")
    (tmp_path / "share" / "spce.itp").write_text(included.replace("462750.4", "STIFF"))
    (tmp_path / "spce.itp").unlink()
    flexible = InteractionSettings(**USUAL, constraints=None, rigid_water=False)
    folder, defines = tmp_path / "share", {"STIFF": "300000.0"}
    theirs = app.GromacsTopFile(str(top), includeDir=str(folder), defines=defines)
    positions = app.GromacsGroFile(str(gro)).positions
    expected = computed(of_loader(theirs, periodic=False, interactions=flexible), positions)
    assert expected[0] > 0  # of bonds that are not quite at rest
    source = GromacsFiles(top, gro, include=folder, defines=defines)
    made = source.parameterised(theirs.topology, positions, flexible, periodic=False)
    assert_equal(computed(made.system, made.positions), expected)
    with pytest.raises(InputError, match=r"force_field: water.top cannot be loaded: .*spce.itp"):
        GromacsFiles(top, gro, defines=defines)


def test_the_same_water_box_has_the_same_energy_through_two_sources():
    gro = app.GromacsGroFile(str(SHIPPED / "water.gro"))
    topology = box_topology([(Molecule.from_smiles("O"), 216)])
    topology.setPeriodicBoxVectors(gro.getPeriodicBoxVectors())
    sources = (GromacsFiles(SHIPPED / "water.top", SHIPPED / "water.gro"), OpenMMForceField("spce.xml"))
    made = [each.parameterised(topology, gro.positions, INTERACTIONS, periodic=True) for each in sources]
    ours, theirs = (computed(each.system, each.positions, gro.getPeriodicBoxVectors()) for each in made)
    assert_equal(ours, theirs)
    assert constraints_of(made[0].system) == constraints_of(made[1].system)


def test_a_file_that_is_included_travels_and_one_that_is_never_read_need_not_be_there(tmp_path):
    top, gro = water_top(tmp_path, 1)
    top.write_text('#ifdef POSRES\n#include "posre.itp"\n#endif\n' + top.read_text(encoding="utf-8"))
    source = GromacsFiles(top, gro)
    (tmp_path / "spce.itp").unlink()
    assert GromacsFiles.model_validate(source.model_dump(mode="json")) == source
    with pytest.raises(InputError, match=r"force_field: water.top cannot be loaded: .*spce.itp"):
        GromacsFiles(top, gro)


def charmm(tmp_path, number):
    """Write TIP3P water, with CHARMM's Lennard-Jones sites on hydrogen."""
    (tmp_path / "water.prm").write_text(PRM)
    atoms, bonds, angles = [], [], []
    for i in range(number):
        for j, (name, kind, charge, mass) in enumerate(
            [("OH2", "OT", -0.834, 15.9994), ("H1", "HT", 0.417, 1.008), ("H2", "HT", 0.417, 1.008)]
        ):
            row = f"{3 * i + j + 1:10d} SOLV     {i + 1:<8d} TIP3     {name:<8s} {kind:<6s} "
            atoms.append(f"{row}{charge:14.6f}{mass:14.4f}           0")
        first = 3 * i + 1
        bonds += [first, first + 1, first, first + 2]
        angles += [first + 1, first, first + 2]

    def rows(numbers, width):
        lines = [numbers[k : k + width] for k in range(0, len(numbers), width)]
        return ["".join(f"{n:10d}" for n in line) for line in lines]

    empty = ["!NPHI: dihedrals", "!NIMPHI: impropers", "!NDON: donors", "!NACC: acceptors"]
    text = ["PSF EXT XPLOR", "", f"{1:10d} !NTITLE", "* water", "", f"{len(atoms):10d} !NATOM", *atoms, ""]
    text += [f"{len(bonds) // 2:10d} !NBOND: bonds", *rows(bonds, 8), ""]
    text += [f"{len(angles) // 3:10d} !NTHETA: angles", *rows(angles, 9), ""]
    for section in empty:
        text += [f"{0:10d} {section}", ""]
    text += [f"{0:10d} !NNB", "", *rows([0] * len(atoms), 8), ""]
    text += [f"{1:10d}{0:10d} !NGRP NST2", *rows([0, 0, 0], 9), ""]
    (tmp_path / "water.psf").write_text("\n".join(text) + "\n")
    gro = app.GromacsGroFile(str(SHIPPED / "water.gro"))
    topology = box_topology([(Molecule.from_smiles("O"), number)])
    topology.setPeriodicBoxVectors(gro.getPeriodicBoxVectors())
    with (tmp_path / "water.pdb").open("w") as stream:
        app.PDBFile.writeFile(topology, gro.positions[: 3 * number], stream)
    return tmp_path / "water.psf", tmp_path / "water.pdb", [tmp_path / "water.prm"]


PRM = """* TIP3P with sites on hydrogen
*
ATOMS
MASS -1 HT 1.008
MASS -1 OT 15.9994
BONDS
HT OT 450.0 0.9572
ANGLES
HT OT HT 55.0 104.52
NONBONDED nbxmod 5 atom cdiel fshift vatom vdistance vfswitch -
cutnb 14.0 ctofnb 12.0 ctonnb 10.0 eps 1.0 e14fac 1.0 wmin 1.5
HT 0.0 -0.046 0.2245
OT 0.0 -0.1521 1.7682
END
"""


def test_charmm_files_give_what_the_loader_gives(tmp_path):
    (tmp_path / "one").mkdir()
    one, box = charmm(tmp_path / "one", 1), charmm(tmp_path, 60)
    pdb = app.PDBFile(str(box[1]))
    vectors = pdb.topology.getPeriodicBoxVectors()
    psf = app.CharmmPsfFile(str(box[0]), periodicBoxVectors=vectors)
    parameters = app.CharmmParameterSet(str(box[2][0]))
    theirs = of_loader(psf, parameters, periodic=True)
    # This loader leaves the terms of fixed distances in, which are zero where the distances are right.
    positions = at_fixed_distances(theirs, pdb.positions)
    expected = computed(theirs, positions, vectors)
    for files in (one, box):
        source = CharmmFiles(*files)
        made = source.parameterised(pdb.topology, positions, INTERACTIONS, periodic=True)
        assert_equal(computed(made.system, made.positions, vectors), expected)


def test_one_molecule_of_charmm_files_in_vacuum_is_that_of_the_loader(tmp_path):
    psf, pdb, [prm] = charmm(tmp_path, 1)
    loaded, positions = app.CharmmPsfFile(str(psf)), app.PDBFile(str(pdb)).positions
    flexible = InteractionSettings(**USUAL, constraints=None, rigid_water=False)
    system = of_loader(loaded, app.CharmmParameterSet(str(prm)), periodic=False, interactions=flexible)
    source = CharmmFiles(psf, pdb, prm)
    made = source.parameterised(loaded.topology, positions, flexible, periodic=False)
    theirs = computed(system, positions)
    assert theirs[0] > 0.1  # bonds and the angle are not quite at rest
    assert_equal(computed(made.system, made.positions), theirs)


def test_charmm_coordinates_with_a_box_of_ones_own(tmp_path):
    psf, pdb, parameters = charmm(tmp_path, 60)
    read = app.PDBFile(str(pdb))
    rows = [
        f"{atom.index + 1:10d}{atom.residue.index + 1:10d}  TIP3      {atom.name:<8s}"
        f"{x:20.10f}{y:20.10f}{z:20.10f}  SOLV      {atom.residue.index + 1:<8d}{0:20.10f}"
        for atom, (x, y, z) in zip(
            read.topology.atoms(), read.positions.value_in_unit(unit.angstrom), strict=True
        )
    ]
    crd = tmp_path / "water.crd"
    crd.write_text("\n".join(["* water", "*", f"{len(rows):10d}  EXT", *rows]) + "\n")
    assert CharmmFiles(psf, crd, parameters).given_box() is None
    edges = np.diag(read.topology.getPeriodicBoxVectors().value_in_unit(unit.nanometer))
    box, own = (
        source.given_box()
        for source in (CharmmFiles(psf, pdb, parameters), CharmmFiles(psf, crd, parameters, box=edges))
    )
    assert np.array_equal(own.vectors, np.diag(edges))
    assert own.vectors == pytest.approx(box.vectors)
    assert own.positions == pytest.approx(box.positions, abs=1e-6)


def system_files(tmp_path, model, number, interactions=INTERACTIONS, *, periodic=True):
    """Write a System of water, virtual sites included, with its topology."""
    molecule = Molecule.from_smiles("O")
    shifts = np.arange(number)[:, None, None] * np.array([0.4, 0.0, 0.0])
    positions = (molecule.positions[None] + shifts).reshape(-1, 3) * unit.nanometer
    made = OpenMMForceField(model).parameterised(
        box_topology([(molecule, number)], 2.0), positions, interactions, periodic=periodic
    )
    system, topology = tmp_path / "system.xml", tmp_path / "topology.cif"
    system.write_text(openmm.XmlSerializer.serialize(made.system))
    with topology.open("w") as stream:
        app.PDBxFile.writeFile(made.topology, made.positions, stream)
    return made, (system, topology), (box_topology([(molecule, number)], 2.0), positions)


@pytest.mark.parametrize("model", ["spce.xml", "tip4pew.xml", "opc.xml", "tip5p.xml"])
def test_a_serialised_system_gives_itself_virtual_sites_too(tmp_path, model):
    made, files, (topology, positions) = system_files(tmp_path, model, 4)
    again = SystemFiles(*files).parameterised(topology, positions, INTERACTIONS, periodic=True)
    assert_equal(computed(again.system, again.positions), computed(made.system, made.positions))
    assert again.system.getNumParticles() == made.system.getNumParticles()


def test_one_molecule_of_a_serialised_system_in_vacuum_is_that_of_the_system(tmp_path):
    flexible = InteractionSettings(**USUAL, constraints=None, rigid_water=False)
    made, files, _ = system_files(tmp_path, "tip4pew.xml", 1, flexible, periodic=False)
    topology = box_topology([(Molecule.from_smiles("O"), 1)])
    positions = Molecule.from_smiles("O").positions * unit.nanometer
    again = SystemFiles(*files).parameterised(topology, positions, flexible, periodic=False)
    theirs = computed(made.system, made.positions)
    assert theirs[0] > 0.1
    assert_equal(computed(again.system, again.positions), theirs)


def test_a_polarisable_system_is_refused(tmp_path):
    molecule = Molecule.from_smiles("O")
    modeller = app.Modeller(box_topology([(molecule, 1)]), molecule.positions * unit.nanometer)
    swm4 = app.ForceField("swm4ndp.xml")
    modeller.addExtraParticles(swm4)
    (tmp_path / "system.xml").write_text(openmm.XmlSerializer.serialize(swm4.createSystem(modeller.topology)))
    with (tmp_path / "topology.cif").open("w") as stream:
        app.PDBxFile.writeFile(modeller.topology, modeller.positions, stream)
    with pytest.raises(InputError, match=r"force_field: system.xml has a DrudeForce that cannot be copied"):
        SystemFiles(tmp_path / "system.xml", tmp_path / "topology.cif")


def test_coordinates_of_another_number_of_atoms_are_refused():
    with pytest.raises(InputError, match=r"ethanol_box.inpcrd has 36 atoms and ethanol.prmtop has 9"):
        AmberFiles(SHIPPED / "ethanol.prmtop", HERE / "ethanol_box.inpcrd")


def test_coordinates_in_another_order_are_refused_and_the_atoms_named(tmp_path):
    lines = (SHIPPED / "ethanol.inpcrd").read_text(encoding="utf-8").splitlines()
    numbers = "".join(lines[2:])
    rows = [numbers[i : i + 36] for i in range(0, len(numbers), 36)]
    rows[0], rows[8] = rows[8], rows[0]
    text = "".join(rows)
    wrong = tmp_path / "wrong.inpcrd"
    wrong.write_text("\n".join([*lines[:2], *(text[i : i + 72] for i in range(0, len(text), 72))]) + "\n")
    with pytest.raises(InputError, match=r"wrong.inpcrd does not match ethanol.prmtop: the bond of .*C1"):
        AmberFiles(SHIPPED / "ethanol.prmtop", wrong)


def test_a_molecule_that_the_files_do_not_have_is_named(tmp_path):
    source = AmberFiles(SHIPPED / "ethanol.prmtop", SHIPPED / "ethanol.inpcrd")
    source.check_covers("OCC")
    with pytest.raises(InputError, match=r"ethanol.prmtop does not cover O; it has C2 H6 O, and O is H2 O"):
        source.check_covers("O")
    with pytest.raises(InputError, match=r"does not cover COC; it has C2 H6 O, with other bonds"):
        source.check_covers("COC")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda text: text.replace("HT OT 450.0 0.9572\n", ""),
            "force_field: water.psf cannot be loaded: MissingPar.*",
        ),
        (
            lambda text: text.replace("OT 0.0 -0.1521 1.7682\n", ""),
            "force_field: water.psf: atom O of HOH has the type OT, which has no Lennard-Jones parameters in "
            "water.prm",
        ),
        (
            lambda text: text.replace("OT", "OX"),
            "force_field: water.psf: atom O of HOH has the type OT, which is not in water.prm",
        ),
    ],
)
def test_a_charmm_type_without_parameters_is_refused(tmp_path, change, message):
    psf, pdb, [prm] = charmm(tmp_path, 1)
    prm.write_text(change(prm.read_text(encoding="utf-8")))
    with pytest.raises(InputError) as caught:
        CharmmFiles(psf, pdb, [prm])
    assert re.fullmatch(message, str(caught.value))


def test_what_is_no_file_of_its_kind_is_refused(tmp_path):
    (tmp_path / "a.prmtop").write_text("nothing")
    with pytest.raises(InputError, match=r"force_field: a.prmtop cannot be loaded: "):
        AmberFiles(tmp_path / "a.prmtop", SHIPPED / "ethanol.inpcrd")
    with pytest.raises(InputError, match=r"force_field: 'none.prmtop' cannot be read: No such file"):
        AmberFiles("none.prmtop", SHIPPED / "ethanol.inpcrd")
    (tmp_path / "state.xml").write_text(openmm.XmlSerializer.serialize(openmm.VerletIntegrator(1)))
    with pytest.raises(InputError, match=r"force_field: state.xml is no System; it is a VerletIntegrator"):
        SystemFiles(tmp_path / "state.xml", SHIPPED / "ethanol.inpcrd")
