import pytest

from protocols.errors import InputError
from protocols.quantities import quantity
from protocols.settings import SimulationSettings, box_edge


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"number_of_molecules": 0}, "number_of_molecules: 0 is not allowed; it must be greater than"),
        ({"seed": 0}, "seed: 0 is not allowed"),
        ({"timestep": "2 nm"}, "timestep: 2 nm is a length; give a time such as '2 fs'"),
        ({"switching_distance": "1 nm"},
         "switching_distance: 1 nm is not allowed; it must be less than the cutoff, 0.9 nm"),
        ({"output_interval": "1 fs"},
         "output_interval: 1 fs is not allowed; it must be at least the timestep, 2 fs"),
        ({"cutof": "1 nm"}, "cutof: not an input of SimulationSettings (did you mean 'cutoff'?)"),
        ({"nve_time": "3 ps"},
         "nve_time: 3 ps is not allowed; it must be at least 20 times the displacement_interval, 0.2 ps"),
        ({"nve_time": "10 ps", "displacement_interval": "0.1 ps", "stress_interval": "0.6 ps"},
         "nve_time: 10 ps is not allowed; it must be at least 20 times the stress_interval, 0.6 ps"),
        ({"nve_segments": 0}, "nve_segments: 0 is not allowed"),
        ({"constraints": "all"}, "constraints: 'all' is not allowed"),
        ({"integrator": "Verlet"},
         "integrator: 'Verlet' is not allowed; it must be 'LangevinMiddle' or 'NoseHoover'"),
    ],
)  # fmt: skip
def test_bad_settings_are_refused_in_one_line(inputs, message):
    with pytest.raises(InputError) as caught:
        SimulationSettings(**inputs)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_parts_carry_the_chosen_values_and_nothing_else():
    settings = SimulationSettings(cutoff="1.1 nm", timestep="1 fs", seed=7)
    assert settings.interactions.cutoff == quantity("1.1 nm")
    assert settings.dynamics.timestep == quantity("1 fs")
    assert not hasattr(settings.dynamics, "seed")


def test_a_box_too_small_for_the_cutoff_is_refused_with_the_limit():
    # 64 waters at 0.95 g/mL fill a cube of 1.263 nm.
    assert box_edge(64 * 18.015, quantity("0.95 g/mL")) == pytest.approx(1.2632, abs=1e-3)
    with pytest.raises(
        InputError, match=r"cutoff: 0\.9 nm is not allowed for 64 molecules .* half the box edge, 0\.63"
    ):
        SimulationSettings(number_of_molecules=64).check_box(64 * 18.015)
    SimulationSettings(number_of_molecules=256).check_box(256 * 18.015)


def test_densities_of_pure_liquids_are_by_canonical_smiles():
    settings = SimulationSettings(initial_densities={"OCC": "0.79 g/mL"})
    assert settings.initial_densities == {"CCO": quantity("0.79 g/mL")}
    with pytest.raises(InputError, match=r"smiles: 'XX' does not parse"):
        SimulationSettings(initial_densities={"XX": "1 g/mL"})
