from types import SimpleNamespace

import openmm
import pytest

from protocols import (
    Density,
    SelfDiffusion,
    SimulationSettings,
    Substance,
    ThermalExpansion,
    ThermodynamicState,
)
from protocols.notes import notes_on
from protocols.substance import Component
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.interactions import set_interactions
from protocols.systems.parameterise import BuildOpenMMSystem

WATERS = Substance(components=(Component(smiles="O", count=500),))
STATE = ThermodynamicState(temperature="300 K", pressure="1 bar")


class Ended:
    """A run whose Systems have one charged particle, with the interactions that each was to be built with."""

    def __init__(self, directory):
        self._directory = directory

    def outcome(self, protocol):
        assert isinstance(protocol, BuildOpenMMSystem)
        file = self._directory / f"{protocol.label}.xml"
        system, force = openmm.System(), openmm.NonbondedForce()
        system.addParticle(16.0)
        force.addParticle(0.5, 0.3, 0.7)
        system.addForce(force)
        set_interactions(system, protocol.interactions, periodic=True)
        file.write_text(openmm.XmlSerializer.serialize(system))
        return SimpleNamespace(system_file=file)


def notes(item, directory, **changes):
    settings = SimulationSettings(**changes)
    workflow = item.workflow(OpenMMForceField("tip3p.xml"), settings)
    return notes_on(item, settings, workflow, Ended(directory))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "cutoff 0.9 nm, Lennard-Jones truncated there, with long-range correction, "
             "Ewald tolerance 0.0005, timestep 2 fs, constraints HBonds"),
        ({"switching_distance": "0.7 nm", "long_range_correction": False, "constraints": None,
          "hydrogen_mass": "3 dalton"},
         "cutoff 0.9 nm, Lennard-Jones switched off from 0.7 nm, without long-range correction, "
         "Ewald tolerance 0.0005, timestep 2 fs, constraints none, hydrogen mass 3 Da"),
    ],
)  # fmt: skip
def test_settings_that_shift_a_value_are_named(tmp_path, changes, said):
    statistical, settings, size, simulated = notes(Density(WATERS, STATE), tmp_path, **changes)
    assert "statistical" in statistical
    assert settings == f"the value depends on: {said}"
    assert simulated == (
        "simulated with: equilibration_time 20 ps, production_time 200 ps, output_interval 0.4 ps, "
        "integrator LangevinMiddle, friction 1 1/ps, barostat_interval 10"
    )
    assert size == "the box has 500 molecules; nothing is extrapolated to a larger one"


def test_defaults_of_the_property_s_own_are_told(tmp_path):
    *_, simulated = notes(ThermalExpansion(WATERS, STATE), tmp_path)
    assert simulated.endswith("; defaults of the property's own: production_time 5 x 200 ps")


def test_segments_of_constant_energy_have_settings_of_their_own(tmp_path):
    _, settings, density, size, simulated = notes(SelfDiffusion(WATERS, STATE), tmp_path)
    assert "Ewald tolerance 1e-05, timestep 2 fs" in settings
    assert density.startswith("the density of the box depends on: cutoff 0.9 nm")
    assert "Ewald tolerance 0.0005" in density
    assert size == (
        "the box has 500 molecules; the value is corrected for that, as by Yeh and Hummer, D_PBC in the "
        "details is not"
    )
    assert "nve_time 40 ps, nve_segments 10, nve_spacing 4 ps" in simulated
    assert "Verlet" in simulated


def test_at_constant_volume_there_is_no_density_to_find(tmp_path):
    item = SelfDiffusion(WATERS, ThermodynamicState(temperature="300 K"))
    found = notes(item, tmp_path, initial_density="0.997 g/mL")
    assert len(found) == 4
    assert "barostat_interval" not in found[-1]
