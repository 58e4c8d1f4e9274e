import pytest

from protocols.errors import InputError
from protocols.lambdas import AlchemicalSettings
from protocols.settings import SimulationSettings


def test_charges_go_before_lennard_jones():
    settings = AlchemicalSettings(lambda_electrostatics=(1, 0.5, 0), lambda_sterics=(1, 0.3, 0))
    in_solvent = ((1, 1), (0.5, 1), (0, 1), (0, 0.3), (0, 0))
    assert settings.states_in_solvent(charged=True) == in_solvent
    assert settings.states_in_solvent(charged=False) == ((1, 1), (1, 0.3), (1, 0))
    assert settings.states_in_vacuum() == ((1, 1), (0.5, 1), (0, 1))


def test_lambdas_are_among_the_settings_of_a_simulation():
    assert SimulationSettings().lambda_sterics[0] == 1
    settings = SimulationSettings(lambda_sterics=[1, 0.5, 0])
    assert settings.states_in_solvent(charged=False) == ((1, 1), (1, 0.5), (1, 0))


@pytest.mark.parametrize(
    "lambdas", [(1, 0.5), (0.9, 0), (0, 1), (1, 0.5, 0.5, 0), (1, 0.3, 0.6, 0), (1, float("nan"), 0)]
)
@pytest.mark.parametrize("field", ["lambda_sterics", "lambda_electrostatics"])
def test_lambdas_fall_from_1_to_0(field, lambdas):
    with pytest.raises(InputError) as caught:
        SimulationSettings(**{field: lambdas})
    assert "lambda" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_values_are_in_the_message():
    with pytest.raises(
        InputError, match=r"lambdas: \(1.0, 0.5\) are not allowed; they must fall from 1 to 0"
    ):
        AlchemicalSettings(lambda_sterics=(1, 0.5))
