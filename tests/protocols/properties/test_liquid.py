import pytest

from protocols.errors import InputError
from protocols.properties.gas import gas_replicas
from protocols.properties.liquid import liquid_replicas
from protocols.settings import SimulationSettings
from protocols.state import ThermodynamicState
from protocols.substance import Component, Substance
from protocols.systems.forcefield import OpenMMForceField

FORCE_FIELD = OpenMMForceField("argon.xml")
STATE = ThermodynamicState(temperature="90 K", pressure="1 bar")
ARGON, ISOTOPE = Substance.pure("[Ar]"), Substance.pure("[39Ar]")
MIXTURE = Substance.mixture({"[Ar]": 0.5, "[39Ar]": 0.5})
SETTINGS = SimulationSettings(number_of_molecules=200, initial_density="1.3 g/mL")


def liquid(substance, state=STATE, settings=SETTINGS):
    return liquid_replicas(substance, state, FORCE_FIELD, settings, (2, 1))


def test_no_two_simulations_of_any_liquid_or_state_have_equal_random_numbers():
    warmer = ThermodynamicState(temperature="91 K", pressure="1 bar")
    all_seeds = [
        run.seed
        for each in (liquid(ARGON), liquid(ISOTOPE), liquid(MIXTURE), liquid(ARGON, warmer))
        for replica in each
        for run in replica
    ]
    assert len(set(all_seeds)) == len(all_seeds) == 12


def test_equal_states_in_other_units_are_one_simulation():
    other = ThermodynamicState(temperature="90 K", pressure="100 kPa")
    assert liquid(ARGON)[0][0].identity == liquid(ARGON, other)[0][0].identity


def test_gases_of_two_molecules_have_random_numbers_of_their_own():
    force_field = OpenMMForceField("amber14/tip3p.xml")
    gases = [gas_replicas(smiles, STATE, force_field, SETTINGS) for smiles in ("O", "[Ar]")]
    assert gases[0][0][0].seed != gases[1][0][0].seed


SALT = Component(smiles="[Na+]", count=4), Component(smiles="[Cl-]", count=4)


@pytest.mark.parametrize(
    ("components", "message"),
    [
        ((Component(smiles="[Na+]", mole_fraction=1.0),),
         "substance: a box of [Na+] has a net charge of +256 e"),
        ((Component(smiles="O", mole_fraction=1.0), SALT[1]),
         "substance: a box of 1 O + 4 [Cl-] has a net charge of -4 e; give ions that balance"),
    ],
)  # fmt: skip
def test_a_charged_box_is_refused(components, message):
    force_field = OpenMMForceField("amber14/tip3p.xml")
    with pytest.raises(InputError) as caught:
        liquid_replicas(Substance(components=components), STATE, force_field, SimulationSettings())
    assert str(caught.value).startswith(message)


def test_a_solution_of_salt_is_not_refused():
    solution = Substance(components=(Component(smiles="O", mole_fraction=1.0), *SALT))
    liquid_replicas(solution, STATE, OpenMMForceField("amber14/tip3p.xml"), SimulationSettings())


def packing(substance, settings):
    build = liquid_replicas(substance, STATE, FORCE_FIELD, settings)[0][0].upstream
    while not any(hasattr(protocol, "density") for protocol in build):
        build = [p for protocol in build for p in protocol.upstream]
    return next(p.density for p in build if hasattr(p, "density")).to("g/mL").magnitude


def test_a_pure_liquid_is_packed_at_its_own_density_and_a_mixture_at_the_volume_of_both():
    own = SETTINGS.model_copy(update={"initial_densities": {}})
    assert packing(ARGON, own) == 1.3
    own = SimulationSettings(
        number_of_molecules=200, initial_density="1.3 g/mL", initial_densities={"[39Ar]": "0.65 g/mL"}
    )
    assert packing(ARGON, own) == 1.3
    assert packing(ISOTOPE, own) == 0.65
    masses = 39.95, 38.96
    expected = sum(masses) / (masses[0] / 1.3 + masses[1] / 0.65)
    assert packing(MIXTURE, own) == pytest.approx(expected, rel=1e-3)
