import numpy as np
import openmm
import pytest
from openmm import unit

from protocols.errors import InputError
from protocols.settings import InteractionSettings
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.sites import SiteParameters, force_field_of_sites
from protocols.systems.topology import Molecule, box_topology

SETTINGS = InteractionSettings(cutoff="0.85 nm")


def energy(force_field, smiles, number=60, edge=2.0, settings=SETTINGS):
    molecule = Molecule.from_smiles(smiles)
    positions = np.random.default_rng(1).permutation(
        np.stack(np.meshgrid(*[np.arange(4)] * 3), -1).reshape(-1, 3)
    )
    topology = box_topology([(molecule, number)], edge)
    made = force_field.parameterised(
        topology, positions[:number] * 0.45 * unit.nanometer, settings, periodic=True
    )
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(made.system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(made.positions)
    return context.getState(energy=True).getPotentialEnergy()._value, made.system


@pytest.mark.parametrize(
    ("smiles", "file", "sigma", "epsilon"),
    [
        ("[Ar]", "argon.xml", "0.3405 nm", "119.8 K"),
        ("{CH4}", "trappe_methane.xml", "3.73 angstrom", "1.23054 kJ/mol"),
    ],
)
def test_sites_have_the_energy_of_the_files_that_are_shipped(smiles, file, sigma, epsilon):
    ours = force_field_of_sites(SiteParameters(smiles=smiles, sigma=sigma, epsilon=epsilon))
    ours.check_covers(smiles)
    expected, system = energy(OpenMMForceField(file), smiles)
    assert energy(ours, smiles)[0] == pytest.approx(expected, rel=1e-8)
    assert system.getParticleMass(0)._value == pytest.approx(Molecule.from_smiles(smiles).mass, abs=1e-3)


def test_mie_with_exponents_12_and_6_is_lennard_jones_with_its_correction():
    """One of another kind makes the force a custom one."""
    argon = SiteParameters(smiles="[Ar]", sigma="0.3405 nm", epsilon="119.8 K")
    other = SiteParameters(smiles="[Kr]", sigma="0.4 nm", epsilon="1 kJ/mol", repulsion=14)
    for corrected in (True, False):
        settings = InteractionSettings(cutoff="0.85 nm", long_range_correction=corrected)
        expected, _ = energy(force_field_of_sites(argon), "[Ar]", settings=settings)
        found, system = energy(force_field_of_sites(argon, other), "[Ar]", settings=settings)
        [force] = [each for each in system.getForces() if isinstance(each, openmm.CustomNonbondedForce)]
        assert force.getUseLongRangeCorrection() == corrected
        assert found == pytest.approx(expected, rel=1e-6)


def test_a_mie_pair_has_its_depth_at_its_minimum():
    n, m = 14.0, 6.0
    site = SiteParameters(smiles="{CH4}", sigma="0.37 nm", epsilon="1 kJ/mol", repulsion=n, attraction=m)
    settings = InteractionSettings(cutoff="2 nm", long_range_correction=False)
    distance = 0.37 * (n / m) ** (1 / (n - m))
    topology = box_topology([(Molecule.from_smiles("{CH4}"), 2)], 5.0)
    positions = [[0, 0, 0], [distance, 0, 0]] * unit.nanometer
    made = force_field_of_sites(site).parameterised(topology, positions, settings, periodic=True)
    platform = openmm.Platform.getPlatformByName("Reference")
    context = openmm.Context(made.system, openmm.VerletIntegrator(0.001), platform)
    context.setPositions(made.positions)
    state = context.getState(energy=True, forces=True)
    assert state.getPotentialEnergy()._value == pytest.approx(-1, rel=1e-6)
    assert abs(state.getForces()[0].x) < 1e-6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: SiteParameters(smiles="C", sigma="0.3 nm", epsilon="1 kJ/mol"),
            "smiles: C has several atoms",
        ),
        (
            lambda: SiteParameters(smiles="[Ar]", sigma="0.3 nm", epsilon="1 nm"),
            "epsilon: 1 nm is not allowed",
        ),
        (
            lambda: SiteParameters(smiles="[Ar]", sigma="0.3 nm", epsilon="1 K", repulsion=6),
            "repulsion: 6 is not allowed; it must be more than the attraction, 6",
        ),
        (force_field_of_sites, "sites: none is not allowed"),
    ],
)
def test_wrong_parameters_are_refused(make, message):
    with pytest.raises(InputError, match=message):
        make()
