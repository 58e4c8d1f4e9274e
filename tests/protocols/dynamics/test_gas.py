import numpy as np
import openmm
import pytest

from protocols.analysis.observables import read_observable
from protocols.analysis.statistics import pooled_mean
from protocols.dynamics.gas import BuildGasMolecule, OpenMMGasSimulation, rigid_energy
from protocols.dynamics.simulation import OpenMMSimulation
from protocols.errors import InputError
from protocols.running.execution import execute_in
from protocols.settings import DynamicsSettings, InteractionSettings
from protocols.state import ThermodynamicState
from protocols.systems.forcefield import OpenMMForceField
from workflow_backends.resources import ComputeResources

NITROGEN = """<ForceField>
 <AtomTypes><Type name="N" class="N" element="N" mass="14.0"/></AtomTypes>
 <Residues><Residue name="UNK">
  <Atom name="N1" type="N"/><Atom name="N2" type="N"/><Bond atomName1="N1" atomName2="N2"/>
 </Residue></Residues>
 <HarmonicBondForce><Bond class1="N" class2="N" length="0.12" k="3000"/></HarmonicBondForce>
 <NonbondedForce coulomb14scale="1" lj14scale="1">
  <Atom type="N" charge="0" sigma="0.3" epsilon="0.3"/>
 </NonbondedForce>
</ForceField>"""
ALSO = """<ForceField><CustomBondForce energy="7.5">
 <Bond type1="tip3p-O" type2="tip3p-H"/>
</CustomBondForce></ForceField>"""


@pytest.fixture
def nitrogen(tmp_path):
    (tmp_path / "nitrogen.xml").write_text(NITROGEN)
    return OpenMMForceField(tmp_path / "nitrogen.xml")


def test_rigid_molecules_and_single_sites_have_no_energy():
    assert rigid_energy("[Ar]", OpenMMForceField("argon.xml"), InteractionSettings()) == 0
    for water in ("tip3p.xml", "tip4pew.xml", "tip5p.xml"):
        assert rigid_energy("O", OpenMMForceField(water), InteractionSettings()) == 0


def test_what_a_rigid_molecule_always_has_is_counted(tmp_path):
    (tmp_path / "also.xml").write_text(ALSO)
    force_field = OpenMMForceField("tip3p.xml", tmp_path / "also.xml")
    assert rigid_energy("O", force_field, InteractionSettings()) == 15


def test_molecules_are_flexible_unless_constraints_leave_translation_and_rotation_only(nitrogen):
    water, rods = OpenMMForceField("tip3p.xml"), InteractionSettings(constraints="AllBonds")
    assert rigid_energy("O", water, InteractionSettings(rigid_water=False)) is None
    assert rigid_energy("O", water, InteractionSettings(rigid_water=False, constraints="HAngles")) == 0
    assert rigid_energy("N#N", nitrogen, InteractionSettings()) is None
    assert rigid_energy("N#N", nitrogen, rods) == 0


def built(directory, force_field, smiles="N#N", **inputs):
    return execute_in(
        BuildGasMolecule(smiles=smiles, force_field=force_field, **inputs), directory, ComputeResources()
    )


def test_the_molecule_is_alone_without_cutoff_and_starts_where_its_energy_is_least(tmp_path, nitrogen):
    outputs = built(tmp_path, nitrogen)
    system = openmm.XmlSerializer.deserialize(outputs.system_file.read_text(encoding="utf-8"))
    [force] = [f for f in system.getForces() if isinstance(f, openmm.NonbondedForce)]
    assert force.getNonbondedMethod() == openmm.NonbondedForce.NoCutoff
    assert not system.usesPeriodicBoundaryConditions()
    state = openmm.XmlSerializer.deserialize(outputs.state_file.read_text(encoding="utf-8"))
    first, second = state.getPositions(asNumpy=True)._value
    assert np.linalg.norm(second - first) == pytest.approx(0.12, abs=0.004)  # from 0.11


def test_settings_reach_the_gas_and_virtual_sites_are_added(tmp_path):
    outputs = built(
        tmp_path, OpenMMForceField("tip4pew.xml"), "O",
        interactions=InteractionSettings(rigid_water=False, constraints="HBonds"),
    )  # fmt: skip
    system = openmm.XmlSerializer.deserialize(outputs.system_file.read_text(encoding="utf-8"))
    assert (system.getNumParticles(), system.getNumConstraints()) == (4, 2)


def test_a_molecule_that_cannot_be_built_is_refused(tmp_path, nitrogen):
    with pytest.raises(InputError, match="smiles: RDKit finds no conformer"):
        built(tmp_path, nitrogen, "C12=C3C4=C1C5=C2C3=C45")


def test_a_flexible_molecule_has_the_energy_of_the_canonical_ensemble(tmp_path, nitrogen):
    """<k (r - r0)^2 / 2> over r^2 exp(-k (r - r0)^2 / 2kT): 1.276 kJ/mol, where kT / 2 is 1.247."""
    molecule = built(tmp_path / "built", nitrogen)
    outputs = execute_in(
        OpenMMGasSimulation(
            system_file=molecule.system_file,
            state_file=molecule.state_file,
            state=ThermodynamicState(temperature="300 K"),
            simulated_time="4 ns",
            dynamics=DynamicsSettings(output_interval="0.5 ps", segment_time="1 ns"),
        ),
        tmp_path / "run",
        ComputeResources(number_of_gpus=1),
    )
    r = np.linspace(0.01, 0.25, 100_001)
    energy, kt = 1500 * (r - 0.12) ** 2, 8.31446261815324e-3 * 300
    weight = r**2 * np.exp(-energy / kt)
    estimate = pooled_mean([read_observable(outputs.observables_file, "potential energy")[0]])
    assert estimate.standard_error < 0.04
    assert abs(estimate.mean - (energy * weight).sum() / weight.sum()) < 3.5 * estimate.standard_error
    assert outputs.platform == "Reference"


def test_a_thermostat_that_one_molecule_has_no_use_for_is_refused(tmp_path, nitrogen):
    molecule = built(tmp_path, nitrogen)
    with pytest.raises(InputError, match="integrator: NoseHoover is not allowed for one molecule in vacuum"):
        OpenMMGasSimulation(
            system_file=molecule.system_file,
            state_file=molecule.state_file,
            state=ThermodynamicState(temperature="300 K"),
            simulated_time="4 ps",
            dynamics=DynamicsSettings(integrator="NoseHoover"),
        )


def test_a_gas_molecule_keeps_no_gpu_busy():
    assert OpenMMSimulation.uses_gpu
    assert not OpenMMGasSimulation.uses_gpu
    assert not BuildGasMolecule.uses_gpu
