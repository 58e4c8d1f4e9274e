import json

import pytest

from protocols.data_sets.measurement import DataSet, Measurement
from protocols.data_sets.tables import COLUMNS, read_data_set, write_data_set
from protocols.errors import InputError
from protocols.properties.catalogue import PROPERTIES
from protocols.quantities import quantity
from protocols.state import ThermodynamicState
from protocols.substance import Substance

_ROOM = ThermodynamicState(temperature="298.15 K", pressure="1 atm")


def _measured(name, substance, value, **more):
    given = {"property": name, "substance": substance, "state": _ROOM, "value": quantity(value)}
    return Measurement(**given | more)


_SET = DataSet(
    measurements=(
        _measured("Density", Substance.pure("O"), "997.05 kg/m^3", uncertainty=quantity("0.05 kg/m^3")),
        _measured("EnthalpyOfMixing", Substance.mixture({"O": 0.7, "CO": 0.3}), "-800 J/mol", source="a, b"),
        _measured("SelfDiffusion", Substance.mixture({"O": 0.7, "CO": 0.3}), "1e-9 m^2/s", component="O"),
        _measured("SolvationFreeEnergy", Substance.solution("C", "O"), "2 kcal/mol"),
        _measured("DielectricConstant", Substance.pure("O"), "78.4 dimensionless"),
    )
)


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_what_is_written_reads_back(tmp_path, suffix):
    file = write_data_set(_SET, tmp_path / f"set.{suffix}")
    back = read_data_set(file).measurements
    assert [item.estimated() for item in back] == [item.estimated() for item in _SET.measurements]
    assert [item.value.m for item in back] == [item.value.m for item in _SET.measurements]
    assert back[0].value.m == pytest.approx(0.99705)
    assert back[0].uncertainty.m == pytest.approx(5e-5)
    assert back[1].source == "a, b"
    assert back[3].value.m == pytest.approx(8.368)
    assert back[1].uncertainty is None


def test_shipped_sets_hold_what_they_say():
    water = {item.property: item for item in read_data_set("water.csv").measurements}
    assert set(water) <= set(PROPERTIES)
    assert water["Density"].value.to("kg/m^3").m == pytest.approx(997.047)
    liquids = read_data_set("liquids.csv").measurements
    assert len({item.estimated() for item in liquids}) == len(liquids) == 14
    assert all(item.source and item.uncertainty is not None for item in (*water.values(), *liquids))
    heats = [item.value.m for item in liquids if item.property == "EnthalpyOfVaporization"]
    assert 30 < min(heats) < max(heats) < 50


_HEADER = "smiles,mole_fractions,temperature_K,pressure_bar,property,value,unit\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("smile,temperature_K\n", r"the column 'smile' is not known \(did you mean 'smiles'\?\)"),
        ("smiles,value\n", "the columns temperature_K, property, unit are missing"),
        (f"{_HEADER}O,,298,1,Densty,1,g/mL\n", r"line 2: property: 'Densty' is not known \(did you mean"),
        (f"{_HEADER}O,,298,1,Density,1,kJ/mol\n", "line 2: value: 1 kJ/mol is not allowed; give one in g/mL"),
        (f"{_HEADER}O,,298,1,Density,1,bogus\n", "line 2: unit: 'bogus' is not known"),
        (f"{_HEADER}O,,298,1,Density,heavy,g/mL\n", "line 2: value: 'heavy' is not a number"),
        (f"{_HEADER}O,,298,1,Density,,g/mL\n", "line 2: value: missing"),
        (f"{_HEADER}O;CO,0.5,298,1,Density,1,g/mL\n", "line 2: mole_fractions: 1 are given for 2 SMILES"),
        (f"{_HEADER}O;CO,0.5;0.4,298,1,Density,1,g/mL\n", "the fractions sum to 0.9"),
        (f"{_HEADER}O,,-1,1,Density,1,g/mL\n", "line 2: temperature: -1 K is not allowed"),
    ],
)
def test_what_is_wrong_is_told_with_its_row(tmp_path, text, message):
    (tmp_path / "set.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_data_set(tmp_path / "set.csv")


def test_files_that_are_no_data_sets(tmp_path):
    (tmp_path / "set.json").write_text(json.dumps({"smiles": "O"}))
    with pytest.raises(InputError, match="it must be a list of objects"):
        read_data_set(tmp_path / "set.json")
    for name in ("nowhere.csv", "set.txt"):
        with pytest.raises(InputError, match=name):
            read_data_set(tmp_path / name)
    with pytest.raises(InputError, match=r"give a \.csv, \.json or \.xml file"):
        write_data_set(_SET, tmp_path / "set.txt")
    assert len(COLUMNS) == 11
