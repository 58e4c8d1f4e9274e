"""ThermoML, the open format of measured properties by IUPAC and NIST.

M. Frenkel et al., Pure Appl. Chem. 83, 1937 (2011).

Read are the properties that this package estimates, of liquids at given temperature, pressure and mole
fractions. Everything else is listed, and nothing is dropped in silence.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from protocols.data_sets.measurement import DataSet, Measurement
from protocols.errors import InputError
from protocols.quantities import registry
from protocols.state import ThermodynamicState
from protocols.substance import Substance

__all__ = ["NAMESPACE", "PROPERTIES", "read_thermoml"]

NAMESPACE = "http://www.iupac.org/namespaces/ThermoML"
_SPACE = f"{{{NAMESPACE}}}"

# By the names of ThermoML: the property, the unit of its values, and its group of properties there.
PROPERTIES = {
    "Mass density, kg/m3": ("Density", "kg/m^3", "VolumetricProp"),
    "Excess molar volume, m3/mol": ("ExcessMolarVolume", "m^3/mol", "VolumetricProp"),
    "Excess molar enthalpy (molar enthalpy of mixing), kJ/mol": (
        "EnthalpyOfMixing",
        "kJ/mol",
        "ExcessPartialApparentEnergyProp",
    ),
    "Molar enthalpy of vaporization or sublimation, kJ/mol": (
        "EnthalpyOfVaporization",
        "kJ/mol",
        "PhaseTransition",
    ),
    "Molar heat capacity at constant pressure, J/K/mol": (
        "IsobaricHeatCapacity",
        "J/K/mol",
        "HeatCapacityAndDerivedProp",
    ),
    "Relative permittivity at zero frequency": (
        "DielectricConstant",
        "dimensionless",
        "RefractionSurfaceTensionSoundSpeed",
    ),
    "Isothermal compressibility, 1/kPa": ("IsothermalCompressibility", "1/kPa", "VolumetricProp"),
    "Isobaric coefficient of expansion, 1/K": ("ThermalExpansion", "1/K", "VolumetricProp"),
    "Viscosity, Pa*s": ("ShearViscosity", "Pa*s", "TransportProp"),
    "Self diffusion coefficient, m2/s": ("SelfDiffusion", "m^2/s", "TransportProp"),
    "Surface tension liquid-gas, N/m": ("SurfaceTension", "N/m", "RefractionSurfaceTensionSoundSpeed"),
}
_BESIDE_VAPOUR = {"EnthalpyOfVaporization", "SurfaceTension"}
_ATMOSPHERE_KPA = 101.325  # for these two where no pressure is given; a liquid hardly notices
_LEVEL_95 = 2.0  # expanded uncertainties of ThermoML are at 95 %


class _Asked(NamedTuple):
    """One property of a block of data."""

    name: str
    phase: str
    component: str | None


class _Block(NamedTuple):
    """What holds for all values of a block of data."""

    components: tuple[str, ...]
    properties: dict[str, _Asked]
    variables: dict[str, tuple[str, str | None]]
    constraints: tuple[tuple[str, str | None, float], ...]
    source: str


def read_thermoml(text: str, name: str) -> DataSet:
    """Return what a ThermoML document has of the properties that this package estimates.

    Parameters
    ----------
    text
        Of the document.
    name
        For messages.

    Returns
    -------
    DataSet
        Its `left_out` says what was not read and why, with the number of values.

    Raises
    ------
    InputError
        It is no ThermoML.
    """
    try:
        root = ET.fromstring(text.encode())
    except ET.ParseError as error:
        raise InputError(f"data set: {name!r} is not XML: {error}") from None
    if root.tag != f"{_SPACE}DataReport":
        raise InputError(f"data set: {name!r} is not ThermoML; its root is <{root.tag}>")
    molecules = {_text(item, "RegNum/nOrgNum"): _smiles(item) for item in root.findall(f"{_SPACE}Compound")}
    source = _citation(root)
    found: list[Measurement] = []
    left_out: Counter[str] = Counter()
    for number, element in enumerate(root.findall(f"{_SPACE}PureOrMixtureData"), 1):
        for item in _measurements(element, molecules, source):
            if isinstance(item, Measurement):
                found.append(item)
            else:
                left_out[f"block {number}: {item}"] += 1
    reactions = len(root.findall(f"{_SPACE}ReactionData"))
    if reactions:
        left_out["data of reactions"] = reactions
    words = tuple(f"{text} ({many} value{'s' if many > 1 else ''})" for text, many in left_out.items())
    return DataSet(measurements=tuple(found), left_out=words)


def _measurements(
    element: ET.Element, molecules: dict[str, str | None], source: str
) -> Iterator[Measurement | str]:
    """Yield each value of a block, or why it is left out."""
    values = element.findall(f"{_SPACE}NumValues")
    block: _Block | str
    try:
        block = _block(element, molecules, source)
    except InputError as error:
        block = str(error)
    for row in values:
        for value in row.findall(f"{_SPACE}PropertyValue"):
            if isinstance(block, str):
                yield block
                continue
            try:
                yield _measurement(block, row, value)
            except InputError as error:
                yield str(error)


def _block(element: ET.Element, molecules: dict[str, str | None], source: str) -> _Block:
    numbers = [_text(item, "RegNum/nOrgNum") for item in element.findall(f"{_SPACE}Component")]
    smiles = [molecules.get(number) for number in numbers]
    known = tuple(each for each in smiles if each is not None)
    if len(known) < len(smiles):
        unknown = ", ".join(n for n, each in zip(numbers, smiles, strict=True) if each is None)
        raise InputError(f"compound {unknown} has no InChI or SMILES that can be read")
    properties = {}
    for item in element.findall(f"{_SPACE}Property"):
        group = item.find(f"{_SPACE}Property-MethodID/{_SPACE}PropertyGroup")
        named = next(iter(group), None) if group is not None else None
        of = _text(item, "Property-MethodID/RegNum/nOrgNum") or _text(item, "RegNum/nOrgNum")
        properties[_text(item, "nPropNumber")] = _Asked(
            "" if named is None else _text(named, "ePropName"),
            _text(item, "PropPhaseID/ePropPhase"),
            molecules.get(of),
        )
    variables = {
        _text(item, "nVarNumber"): _kind(item, "VariableID", "VariableType", molecules)
        for item in element.findall(f"{_SPACE}Variable")
    }
    constraints = tuple(
        (*_kind(item, "ConstraintID", "ConstraintType", molecules), _float(item, "nConstraintValue"))
        for item in element.findall(f"{_SPACE}Constraint")
    )
    return _Block(known, properties, variables, constraints, source)


def _kind(
    item: ET.Element, outer: str, inner: str, molecules: dict[str, str | None]
) -> tuple[str, str | None]:
    """Return what a variable or constraint is, such as "Temperature, K", and of which component."""
    kind = item.find(f"{_SPACE}{outer}/{_SPACE}{inner}")
    named = next(iter(kind), None) if kind is not None else None
    return (named.text or "").strip() if named is not None else "", molecules.get(
        _text(item, f"{outer}/RegNum/nOrgNum")
    )


def _measurement(block: _Block, row: ET.Element, value: ET.Element) -> Measurement:
    asked = block.properties.get(_text(value, "nPropNumber"), _Asked("", "", None))
    if asked.name not in PROPERTIES:
        raise InputError(f"{asked.name or 'a property without a name'} is not estimated")
    if asked.phase not in {"", "Liquid"}:
        raise InputError(f"{asked.name} of the phase {asked.phase}; only liquids are estimated")
    name, unit, _ = PROPERTIES[asked.name]
    conditions = list(block.constraints)
    for given in row.findall(f"{_SPACE}VariableValue"):
        kind, component = block.variables.get(_text(given, "nVarNumber"), ("", None))
        conditions.append((kind, component, _float(given, "nVarValue")))
    state = _state(name, conditions)
    substance = _substance(block.components, conditions)
    uncertainty = _uncertainty(value)
    return Measurement(
        property=name,
        substance=substance,
        state=state,
        value=registry.Quantity(_float(value, "nPropValue"), unit),
        uncertainty=None if uncertainty is None else registry.Quantity(uncertainty, unit),
        component=asked.component if name == "SelfDiffusion" and len(block.components) > 1 else None,
        source=block.source,
    )


def _state(name: str, conditions: list[tuple[str, str | None, float]]) -> ThermodynamicState:
    allowed = {"Temperature, K", "Pressure, kPa", "Mole fraction"}
    other = next((kind for kind, _, _ in conditions if kind not in allowed), None)
    if other is not None:
        raise InputError(f"given at a {other or 'condition without a name'}, which is not understood")
    given = {kind: value for kind, _, value in conditions if kind != "Mole fraction"}
    if "Temperature, K" not in given:
        raise InputError("no temperature is given")
    pressure = given.get("Pressure, kPa", _ATMOSPHERE_KPA if name in _BESIDE_VAPOUR else None)
    if pressure is None:
        raise InputError("no pressure is given")
    temperature = registry.Quantity(given["Temperature, K"], "kelvin")
    return ThermodynamicState(temperature=temperature, pressure=registry.Quantity(pressure, "kPa"))


def _substance(components: tuple[str, ...], conditions: list[tuple[str, str | None, float]]) -> Substance:
    if len(components) == 1:
        return Substance.pure(components[0])
    given = {smiles: value for kind, smiles, value in conditions if kind == "Mole fraction" and smiles}
    missing = [smiles for smiles in components if smiles not in given]
    if len(missing) > 1:
        raise InputError(f"no mole fractions of {' and '.join(missing)} are given")
    if missing:
        given[missing[0]] = 1 - sum(given.values())
    fractions = {smiles: value for smiles, value in given.items() if value > 1e-9}
    return Substance.pure(next(iter(fractions))) if len(fractions) == 1 else Substance.mixture(fractions)


def _uncertainty(value: ET.Element) -> float | None:
    """Return one standard uncertainty, the combined one where there is one."""
    for kind, standard, expanded in (
        ("CombinedUncertainty", "nCombStdUncertValue", "nCombExpandUncertValue"),
        ("PropUncertainty", "nStdUncertValue", "nExpandUncertValue"),
    ):
        if _text(value, f"{kind}/{standard}"):
            return abs(_float(value, f"{kind}/{standard}"))
        if _text(value, f"{kind}/{expanded}"):
            return abs(_float(value, f"{kind}/{expanded}")) / _LEVEL_95
    return None


def _smiles(compound: ET.Element) -> str | None:
    from rdkit import Chem, rdBase  # noqa: PLC0415

    with rdBase.BlockLogs():
        read: Any = Chem.MolFromInchi
        molecule = read(_text(compound, "sStandardInChI"))
        if molecule is None and _text(compound, "sSmiles"):
            molecule = Chem.MolFromSmiles(_text(compound, "sSmiles"))
    return None if molecule is None or molecule.GetNumAtoms() == 0 else str(Chem.MolToSmiles(molecule))


def _citation(root: ET.Element) -> str:
    about = root.find(f"{_SPACE}Citation")
    if about is None:
        return ""
    doi, title = _text(about, "sDOI"), " ".join(_text(about, "sTitle").split())
    return f"doi:{doi}" if doi else title


def _text(item: ET.Element, path: str) -> str:
    found = item.find("/".join(f"{_SPACE}{part}" for part in path.split("/")))
    return (found.text or "").strip() if found is not None else ""


def _float(item: ET.Element, path: str) -> float:
    text = _text(item, path)
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{path}: {text!r} is not a number") from None
