import pytest

from protocols.data_sets.tables import read_data_set
from protocols.errors import InputError

_WATER, _ETHANOL = "InChI=1S/H2O/h1H2", "InChI=1S/C2H6O/c1-2-3/h3H,2H2,1H3"


def _compound(number, inchi):
    return (
        f"<Compound><RegNum><nOrgNum>{number}</nOrgNum></RegNum>"
        f"<sStandardInChI>{inchi}</sStandardInChI></Compound>"
    )


def _components(*numbers):
    return "".join(f"<Component><RegNum><nOrgNum>{n}</nOrgNum></RegNum></Component>" for n in numbers)


def _property(number, group, name, phase="Liquid", component=None):
    of = "" if component is None else f"<RegNum><nOrgNum>{component}</nOrgNum></RegNum>"
    return (
        f"<Property><nPropNumber>{number}</nPropNumber><Property-MethodID>{of}<PropertyGroup><{group}>"
        f"<ePropName>{name}</ePropName></{group}></PropertyGroup></Property-MethodID>"
        f"<PropPhaseID><ePropPhase>{phase}</ePropPhase></PropPhaseID></Property>"
    )


def _constraint(tag, text, value, component=None):
    of = "" if component is None else f"<RegNum><nOrgNum>{component}</nOrgNum></RegNum>"
    return (
        f"<Constraint><ConstraintID><ConstraintType><{tag}>{text}</{tag}></ConstraintType>{of}</ConstraintID>"
        f"<nConstraintValue>{value}</nConstraintValue></Constraint>"
    )


def _variable(number, tag, text, component=None):
    of = "" if component is None else f"<RegNum><nOrgNum>{component}</nOrgNum></RegNum>"
    return (
        f"<Variable><nVarNumber>{number}</nVarNumber><VariableID><VariableType><{tag}>{text}</{tag}>"
        f"</VariableType>{of}</VariableID></Variable>"
    )


def _row(variables, *values):
    given = "".join(
        f"<VariableValue><nVarNumber>{n}</nVarNumber><nVarValue>{v}</nVarValue></VariableValue>"
        for n, v in variables.items()
    )
    found = "".join(
        f"<PropertyValue><nPropNumber>{n}</nPropNumber><nPropValue>{v}</nPropValue>{error}</PropertyValue>"
        for n, v, error in values
    )
    return f"<NumValues>{given}{found}</NumValues>"


_TEMPERATURE, _PRESSURE = ("eTemperature", "Temperature, K"), ("ePressure", "Pressure, kPa")
_FRACTION = ("eComponentComposition", "Mole fraction")
_EXPANDED = "<CombinedUncertainty><nCombExpandUncertValue>0.4</nCombExpandUncertValue></CombinedUncertainty>"
_STANDARD = "<PropUncertainty><nStdUncertValue>0.01</nStdUncertValue></PropUncertainty>"

_PURE = (
    _components(1)
    + _property(1, "VolumetricProp", "Mass density, kg/m3")
    + _property(2, "RefractionSurfaceTensionSoundSpeed", "Speed of sound, m/s")
    + _property(3, "VolumetricProp", "Mass density, kg/m3", phase="Gas")
    + _constraint(*_PRESSURE, 101.325)
    + _variable(1, *_TEMPERATURE)
    + _row({1: 298.15}, (1, 997.05, _EXPANDED), (2, 1497, ""), (3, 0.02, ""))
    + _row({1: 308.15}, (1, 994.03, ""), (2, 1520, ""))
)
_MIXED = (
    _components(1, 2)
    + _property(
        1, "ExcessPartialApparentEnergyProp", "Excess molar enthalpy (molar enthalpy of mixing), kJ/mol"
    )
    + _property(2, "TransportProp", "Self diffusion coefficient, m2/s", component=2)
    + _constraint(*_TEMPERATURE, 298.15)
    + _constraint(*_PRESSURE, 100)
    + _variable(1, *_FRACTION, component=2)
    + _row({1: 0.25}, (1, -0.7, _STANDARD), (2, 6e-10, ""))
)
_HEAT = (
    _components(2)
    + _property(1, "PhaseTransition", "Molar enthalpy of vaporization or sublimation, kJ/mol")
    + _property(2, "TransportProp", "Viscosity, Pa*s")
    + _variable(1, *_TEMPERATURE)
    + _row({1: 298.15}, (1, 42.3, ""), (2, 1.07e-3, ""))
)
_UNKNOWN = _components(3) + _property(1, "VolumetricProp", "Mass density, kg/m3") + _row({}, (1, 1, ""))


@pytest.fixture
def file(tmp_path):
    blocks = "".join(
        f"<PureOrMixtureData>{block}</PureOrMixtureData>" for block in (_PURE, _MIXED, _HEAT, _UNKNOWN)
    )
    compounds = _compound(1, _WATER) + _compound(2, _ETHANOL) + _compound(3, "nonsense")
    path = tmp_path / "report.xml"
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?><DataReport xmlns="http://www.iupac.org/namespaces/ThermoML">'
        f"<Citation><sDOI>10.1000/example</sDOI></Citation>{compounds}{blocks}</DataReport>"
    )
    return path


def test_what_is_estimated_is_read(file):
    found = read_data_set(file).measurements
    assert [str(item.estimated()) for item in found] == [
        "Density of O at 298.15 K, 101.325 kPa",
        "Density of O at 308.15 K, 101.325 kPa",
        "EnthalpyOfMixing of 0.25 CCO + 0.75 O at 298.15 K, 100 kPa",
        "SelfDiffusion of CCO in 0.25 CCO + 0.75 O at 298.15 K, 100 kPa",
        "EnthalpyOfVaporization of CCO at 298.15 K, 101.325 kPa",
    ]
    assert [item.value.m for item in found] == pytest.approx([0.99705, 0.99403, -0.7, 0.6, 42.3])
    assert found[0].uncertainty.m == pytest.approx(0.2e-3)
    assert found[2].uncertainty.m == pytest.approx(0.01)
    assert {item.source for item in found} == {"doi:10.1000/example"}


def test_everything_else_is_listed(file):
    assert read_data_set(file).left_out == (
        "block 1: Speed of sound, m/s is not estimated (2 values)",
        "block 1: Mass density, kg/m3 of the phase Gas; only liquids are estimated (1 value)",
        "block 3: no pressure is given (1 value)",
        "block 4: compound 3 has no InChI or SMILES that can be read (1 value)",
    )


@pytest.mark.parametrize(
    ("text", "message"), [("<a", "is not XML"), ("<a/>", "is not ThermoML; its root is <a>")]
)
def test_what_is_no_thermoml(tmp_path, text, message):
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(InputError, match=message):
        read_data_set(tmp_path / "a.xml")
