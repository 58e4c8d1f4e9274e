import pytest

from protocols.data_sets.measurement import DataSet, Measurement
from protocols.data_sets.tables import read_data_set, write_data_set
from protocols.errors import InputError
from protocols.properties.catalogue import PROPERTIES
from protocols.quantities import quantity
from protocols.state import ThermodynamicState
from protocols.substance import Substance

_WARM = ThermodynamicState(temperature="308.15 K", pressure="1.5 bar")
_WATER = Substance.pure("O")
_MIXED = Substance.mixture({"CCO": 0.25, "O": 0.25, "CO": 0.5})


def _measured(name, substance, value, **more):
    given = {"property": name, "substance": substance, "state": _WARM, "value": quantity(value)}
    return Measurement(**given | {"source": "doi:10.1000/example"} | more)


_ALL = (
    _measured("Density", _WATER, "0.9942 g/mL", uncertainty=quantity("0.0002 g/mL")),
    _measured("Density", _MIXED, "0.85 g/mL"),
    _measured("ExcessMolarVolume", _MIXED, "-1.1 cm^3/mol"),
    _measured("EnthalpyOfMixing", _MIXED, "-0.7 kJ/mol", uncertainty=quantity("0.01 kJ/mol")),
    _measured("EnthalpyOfVaporization", _WATER, "43.5 kJ/mol"),
    _measured("IsobaricHeatCapacity", _WATER, "75.3 J/mol/K"),
    _measured("DielectricConstant", _WATER, "74.8"),
    _measured("IsothermalCompressibility", _WATER, "4.4e-5 1/bar"),
    _measured("ThermalExpansion", _WATER, "3.4e-4 1/K"),
    _measured("ShearViscosity", _WATER, "0.72 mPa*s"),
    _measured("SelfDiffusion", _MIXED, "0.6 nm^2/ns", component="CCO"),
    _measured("SurfaceTension", _WATER, "70.4 mN/m"),
)


def test_every_property_comes_back(tmp_path):
    assert {item.property for item in _ALL} == set(PROPERTIES) - {"SolvationFreeEnergy"}
    back = read_data_set(write_data_set(DataSet(measurements=_ALL), tmp_path / "set.xml"))
    assert back.left_out == ()
    written = {(item.property, str(item.substance)): item for item in _ALL}
    assert len(back) == len(written)
    for item in back.measurements:
        given = written[item.property, str(item.substance)]
        assert item.component == given.component
        assert item.state.pressure.to("bar").m == pytest.approx(1.5)
        assert item.value.m == pytest.approx(given.value.m, rel=1e-9)
        assert (item.uncertainty is None) == (given.uncertainty is None)
        if item.uncertainty is not None:
            assert item.uncertainty.m == pytest.approx(given.uncertainty.m, rel=1e-9)
        assert item.source == "doi:10.1000/example"


def test_values_of_one_kind_share_a_block(tmp_path):
    elsewhere = ThermodynamicState(temperature="318.15 K", pressure="1.5 bar")
    data = DataSet(
        measurements=(_ALL[0], _measured("Density", _WATER, "0.990 g/mL", state=elsewhere), _ALL[1])
    )
    text = write_data_set(data, tmp_path / "set.xml").read_text(encoding="utf-8")
    assert text.count("<PureOrMixtureData>") == 2
    assert text.count("<NumValues>") == 3
    assert "<nPropValue>994.2</nPropValue>" in text  # in the unit of ThermoML, with its digits
    assert "<nPropDigits>4</nPropDigits>" in text


@pytest.mark.parametrize(
    ("measurement", "message"),
    [
        (
            _measured("Density", _WATER, "1 g/mL", source="elsewhere"),
            "one source a file.*10.1000/example, elsewhere",
        ),
        (_measured("SolvationFreeEnergy", Substance.solution("C", "O"), "8 kJ/mol"), "SolvationFreeEnergy"),
        (_measured("Density", Substance.pure("{CH4}"), "0.4 g/mL"), "{CH4}"),
    ],
)
def test_what_thermoml_cannot_hold(tmp_path, measurement, message):
    with pytest.raises(InputError, match=message):
        write_data_set(DataSet(measurements=(*_ALL, measurement)), tmp_path / "set.xml")
    assert not (tmp_path / "set.xml").exists()
