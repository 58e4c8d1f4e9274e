"""What a result carries beside its value, for each property: small runs that they share."""

import pytest

from protocols import (
    Density,
    DielectricConstant,
    EnthalpyOfMixing,
    EnthalpyOfVaporization,
    ExcessMolarVolume,
    IsobaricHeatCapacity,
    IsothermalCompressibility,
    OpenMMForceField,
    SelfDiffusion,
    ShearViscosity,
    SimulationSettings,
    SolvationFreeEnergy,
    Substance,
    SurfaceTension,
    ThermalExpansion,
    ThermodynamicState,
    estimate,
)
from protocols.properties.catalogue import PROPERTIES

STATE = ThermodynamicState(temperature="90 K", pressure="20 bar")
ARGON, MIXTURE = Substance.pure("[Ar]"), Substance.mixture({"[Ar]": 0.5, "[39Ar]": 0.5})
SETTINGS = SimulationSettings(
    number_of_molecules=100, initial_density="1.3 g/mL", cutoff="0.75 nm", timestep="5 fs",
    equilibration_time="1 ps", production_time="10 ps", output_interval="0.1 ps", replicas=1,
    lambda_sterics=(1, 0.4, 0), nve_time="1 ps", nve_segments=3, nve_spacing="0.5 ps",
    stress_interval="50 fs", displacement_interval="50 fs",
)  # fmt: skip
LIQUID = ["temperature", "pressure", "phase", "mobility"]
OF_MIXING = [f"{name} of 0.5 [39Ar] + 0.5 [Ar]" for name in [*LIQUID, "mixing"]]
OF_MIXING += [f"{name} of {smiles}" for smiles in ("[39Ar]", "[Ar]") for name in LIQUID]
OF_SEGMENTS = ["temperature", "temperatures", "phase", "mobility"]
TRANSPORT = [*LIQUID, *(f"{name} of segments" for name in OF_SEGMENTS)]
SIMPLE = [Density, IsobaricHeatCapacity, ThermalExpansion, IsothermalCompressibility, DielectricConstant]
CHECKS = dict.fromkeys([*SIMPLE, EnthalpyOfVaporization, SolvationFreeEnergy], LIQUID)
CHECKS |= dict.fromkeys([EnthalpyOfMixing, ExcessMolarVolume], OF_MIXING)
CHECKS |= dict.fromkeys([SelfDiffusion, ShearViscosity], TRANSPORT)
CHECKS |= {SurfaceTension: ["temperature", "mobility"]}
TRUNCATED = "cutoff 0.75 nm, Lennard-Jones truncated there, with long-range correction, timestep 5 fs"
FULL_RANGE = (
    "cutoff 0.75 nm, Lennard-Jones of full range by particle-mesh Ewald, Ewald tolerance 0.0001, "
    "timestep 5 fs"
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    kinds = {EnthalpyOfMixing: MIXTURE, ExcessMolarVolume: MIXTURE}
    kinds[SolvationFreeEnergy] = Substance.solution("[Ar]", "[Ar]")
    items = [kind(kinds.get(kind, ARGON), STATE) for kind in CHECKS]
    found = estimate(
        items, OpenMMForceField("argon.xml"), directory=tmp_path_factory.mktemp("twelve"), settings=SETTINGS
    )
    return {type(result.property): result for result in found}


def test_every_property_is_looked_at():
    assert set(CHECKS) == set(PROPERTIES.values())


@pytest.mark.parametrize("kind", CHECKS)
def test_each_property_has_its_checks(results, kind):
    checks = {check.name: check for check in results[kind].checks}
    assert list(checks) == CHECKS[kind]
    for name, check in checks.items():
        if name.startswith("temperature"):
            assert check.passed
            assert "90 K" in check.text
        elif name.startswith("pressure"):
            assert "set to 20 bar" in check.text


@pytest.mark.parametrize("kind", CHECKS)
def test_each_property_tells_what_was_simulated(results, kind):
    result = results[kind]
    said = FULL_RANGE if kind is SurfaceTension else TRUNCATED
    assert f"the value depends on: {said}, constraints HBonds" in result.notes
    [size] = [note for note in result.notes if note.startswith("the box has 100 molecules; ")]
    assert ("corrected for that" in size) == (kind is SelfDiffusion)


def test_molecules_of_a_slab_are_as_near_as_in_its_liquid(results):
    for kind in (Density, SurfaceTension):
        assert results[kind].checks[-1].text.startswith(("molecules 0.36 nm", "molecules 0.37 nm"))
