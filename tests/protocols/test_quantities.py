import pickle

import cloudpickle
import pint
import pytest
from openmm import unit

from protocols.errors import InputError
from protocols.quantities import canonical, describe_quantity, quantity, registry
from protocols.state import ThermodynamicState


@pytest.mark.parametrize(
    ("value", "expected", "target"),
    [
        ("298.15 K", 298.15, "K"),
        ("25 degC", 298.15, "K"),
        (298.15 * unit.kelvin, 298.15, "K"),
        (1 * unit.atmosphere, 1.01325, "bar"),
        (1 / unit.picosecond, 1.0, "1/ps"),
        (0.95 * unit.gram / unit.milliliter, 0.95, "g/mL"),
        (3 * unit.kilojoule_per_mole / unit.nanometer, 3.0, "kJ/mol/nm"),
        (pint.UnitRegistry().Quantity(25, "degC"), 298.15, "K"),
        ("1e-3 kg/m^3", 1e-6, "g/mL"),
        (".5ps", 500.0, "fs"),
    ],
)
def test_every_kind_of_quantity_arrives_with_its_value(value, expected, target):
    assert quantity(value).to(target).magnitude == pytest.approx(expected, rel=1e-12)


def test_a_foreign_registry_with_a_short_default_format_is_understood():
    foreign = pint.UnitRegistry()
    foreign.formatter.default_format = "~P"
    assert quantity(foreign.Quantity(2.0, "atm")).to("atm").magnitude == 2.0


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"temperature": "300 K", "pressure": "300 K"},
         "pressure: 300 K is a temperature; give a pressure such as '1 atm'"),
        ({"temperature": "-10 K"}, "temperature: -10 K is not allowed; it must be more than 0 K"),
        ({"temperature": "-300 degC"}, "temperature: -300 °C is not allowed; it must be more than 0 K"),
        ({"temperature": 300}, "temperature: 300 has no unit; give a temperature such as '298.15 K'"),
        ({"temperature": "300"}, "temperature: 300 is a pure number; give a temperature such as '298.15 K'"),
        ({"temperature": float("nan") * unit.kelvin}, "temperature: nan K is not finite"),
        ({"temperature": "warm"}, "temperature: 'warm' is not a quantity: it must be a number and a unit"),
        ({"temperature": "3 wombats"}, "temperature: '3 wombats' is not a quantity"),
        ({}, "temperature: missing; ThermodynamicState needs it"),
        ({"temperature": "1 K", "volume": 1}, "volume: not an input of ThermodynamicState"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_one_line_that_names_the_field(inputs, message):
    with pytest.raises(InputError) as caught:
        ThermodynamicState(**inputs)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_pickling_returns_to_our_registry_and_leaves_the_application_registry_alone():
    before = pint.get_application_registry().get()
    copy = pickle.loads(cloudpickle.dumps(quantity("2 bar")))
    assert (copy + quantity("1 bar")).to("bar").magnitude == pytest.approx(3.0)
    assert pint.get_application_registry().get() is before
    assert before is not registry


def test_equal_quantities_have_one_canonical_text():
    assert (
        canonical(quantity("1 atm")) == canonical(quantity("101325 Pa")) == canonical(quantity("1.01325 bar"))
    )
    assert canonical(quantity("1 atm")) != canonical(quantity("1 bar"))


def test_a_state_reads_as_it_was_given_and_survives_json():
    state = ThermodynamicState(temperature=298.15 * unit.kelvin, pressure=1 * unit.atmosphere)
    assert str(state) == "298.15 K, 1 atm"
    assert ThermodynamicState.model_validate_json(state.model_dump_json()) == state


def test_litres_are_written_with_a_capital():
    assert describe_quantity(quantity("0.95 g/ml")) == "0.95 g/mL"


def test_pints_application_registry_is_left_alone():
    assert pint.get_application_registry().get() is not registry
