import pytest

from protocols.errors import InputError
from protocols.quantities import quantity
from protocols.settings import SimulationSettings, box_edge


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"number_of_molecules": 0}, "number_of_molecules: 0 is not allowed; it must be at least 1"),
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
        InputError,
        match=r"number_of_molecules: 64 is not allowed; .* fill a box of 1\.26 nm, and the cutoff, 0\.9 ",
    ):
        SimulationSettings(number_of_molecules=64).check_box(64 * 18.015)
    SimulationSettings(number_of_molecules=256).check_box(256 * 18.015)


def test_densities_of_pure_liquids_are_by_canonical_smiles():
    settings = SimulationSettings(initial_densities={"OCC": "0.79 g/mL"})
    assert settings.initial_densities == {"CCO": quantity("0.79 g/mL")}
    with pytest.raises(InputError, match=r"smiles: 'XX' does not parse"):
        SimulationSettings(initial_densities={"XX": "1 g/mL"})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"production_time": "0.1 ps"},
            "production_time: 0.1 ps is not allowed; it must be at least the output_",
        ),
        (
            {"equilibration_time": "1 fs"},
            "equilibration_time: 1 fs is not allowed; it must be at least the output",
        ),
        (
            {"output_interval": "30 ps"},
            "output_interval: 30 ps is not allowed; it must be at most the equilibration_",
        ),
        (
            {"timestep": "1 ps"},
            "timestep: 1 ps is not allowed; it must be at most the output_interval, 0.4 ps",
        ),
        (
            {"trajectory": "xtc", "production_time": "5 ps"},
            "production_time: 5 ps is not allowed; .* trajectory_int",
        ),
    ],
)
def test_of_two_times_in_the_wrong_order_the_given_one_is_named(given, message):
    with pytest.raises(InputError, match=message):
        SimulationSettings(**given)
