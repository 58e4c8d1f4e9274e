"""Measured values as a ThermoML document, which its schema (version 2.0) and `read_thermoml` take."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import defaultdict
from typing import Any, NamedTuple

from protocols.data_sets.measurement import DataSet, Measurement
from protocols.data_sets.thermoml import NAMESPACE, PROPERTIES
from protocols.errors import InputError
from protocols.substance import Role

__all__ = ["thermoml_text"]

_NAMES = {name: (theirs, unit, group) for theirs, (name, unit, group) in PROPERTIES.items()}
_FRACTION = "Mole fraction"


class _Block(NamedTuple):
    """What the values of one block have in common."""

    property: str
    smiles: tuple[str, ...]
    component: str | None
    with_pressure: bool


def thermoml_text(data: DataSet) -> str:
    """Return measured values as ThermoML.

    Parameters
    ----------
    data
        Of one source, since a ThermoML document has one citation.

    Returns
    -------
    str
        XML, with a block for each property and set of molecules.

    Raises
    ------
    InputError
        Several sources; a property, a solute or a site that ThermoML has no place for.
    """
    sources = sorted({item.source for item in data.measurements})
    if len(sources) > 1:
        raise InputError(
            f"data set: ThermoML has one source a file, and here are {len(sources)}: {', '.join(sources)};"
            " write a file of each"
        )
    blocks: dict[_Block, list[Measurement]] = defaultdict(list)
    for item in data.measurements:
        blocks[_block(item)].append(item)
    molecules = sorted({smiles for block in blocks for smiles in block.smiles})
    root = ET.Element("DataReport", xmlns=NAMESPACE)
    version = ET.SubElement(root, "Version")
    _add(version, "nVersionMajor", 2)
    _add(version, "nVersionMinor", 0)
    citation = ET.SubElement(root, "Citation")
    source = next(iter(sources), "")
    if source.startswith("doi:"):
        _add(citation, "sDOI", source.removeprefix("doi:"))
    elif source:
        _add(citation, "sTitle", source)
    numbers = {smiles: number for number, smiles in enumerate(molecules, 1)}
    for smiles, number in numbers.items():
        _add_compound(root, smiles, number)
    for block, items in blocks.items():
        _add_block(root, block, items, numbers)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _block(item: Measurement) -> _Block:
    if item.property not in _NAMES:
        raise InputError(f"{item.estimated()}: ThermoML is written of {', '.join(sorted(_NAMES))} only")
    if any(part.role is Role.solute for part in item.substance.components):
        raise InputError(f"{item.estimated()}: ThermoML has no place for single molecules of a solute")
    smiles = tuple(part.smiles for part in item.substance.components)
    return _Block(item.property, smiles, item.component, item.state.pressure is not None)


def _add_compound(root: ET.Element, smiles: str, number: int) -> None:
    from rdkit import Chem  # noqa: PLC0415
    from rdkit.Chem import rdMolDescriptors  # noqa: PLC0415

    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise InputError(f"{smiles}: ThermoML is of molecules, and this is none that RDKit can read")
    compound = ET.SubElement(root, "Compound")
    _add_number(compound, number)
    write: Any = Chem.MolToInchi
    _add(compound, "sStandardInChI", write(molecule))
    _add(compound, "sFormulaMolec", rdMolDescriptors.CalcMolFormula(molecule))
    _add(compound, "sSmiles", smiles)


def _add_block(root: ET.Element, block: _Block, items: list[Measurement], numbers: dict[str, int]) -> None:
    element = ET.SubElement(root, "PureOrMixtureData")
    for smiles in block.smiles:
        _add_number(ET.SubElement(element, "Component"), numbers[smiles])
    _add_property(element, block, numbers)
    _add(ET.SubElement(element, "PhaseID"), "ePhase", "Liquid")
    _add_variable(element, 1, "eTemperature", "Temperature, K")
    if block.with_pressure:
        _add_variable(element, 2, "ePressure", "Pressure, kPa")
    for place, smiles in enumerate(block.smiles[:-1], 3):
        _add_variable(element, place, "eComponentComposition", _FRACTION, numbers[smiles])
    for item in items:
        _add_values(element, item)


def _add_property(element: ET.Element, block: _Block, numbers: dict[str, int]) -> None:
    theirs, _, group = _NAMES[block.property]
    asked = ET.SubElement(element, "Property")
    _add(asked, "nPropNumber", 1)
    method = ET.SubElement(asked, "Property-MethodID")
    named = ET.SubElement(ET.SubElement(method, "PropertyGroup"), group)
    _add(named, "ePropName", theirs)
    _add(named, "sMethodName", "not stated")
    if block.component is not None:
        _add_number(method, numbers[block.component])
    _add(ET.SubElement(asked, "PropPhaseID"), "ePropPhase", "Liquid")
    _add(asked, "ePresentation", "Direct value, X")
    _add(ET.SubElement(asked, "PropUncertainty"), "nUncertAssessNum", 1)


def _add_variable(element: ET.Element, place: int, tag: str, what: str, number: int | None = None) -> None:
    variable = ET.SubElement(element, "Variable")
    _add(variable, "nVarNumber", place)
    kind = ET.SubElement(variable, "VariableID")
    _add(ET.SubElement(kind, "VariableType"), tag, what)
    if number is not None:
        _add_number(kind, number)


def _add_values(element: ET.Element, item: Measurement) -> None:
    state, unit = item.state, _NAMES[item.property][1]
    given = {1: float(state.temperature.to("kelvin").magnitude)}
    if state.pressure is not None:
        given[2] = float(state.pressure.to("kPa").magnitude)
    fractions = [part.mole_fraction or 0.0 for part in item.substance.components]
    given |= dict(enumerate(fractions[:-1], 3))
    row = ET.SubElement(element, "NumValues")
    for place, value in given.items():
        variable = ET.SubElement(row, "VariableValue")
        _add(variable, "nVarNumber", place)
        _add_value(variable, "Var", value)
    result = ET.SubElement(row, "PropertyValue")
    _add(result, "nPropNumber", 1)
    _add_value(result, "Prop", float(item.value.to(unit).magnitude))
    if item.uncertainty is not None:
        uncertainty = ET.SubElement(result, "PropUncertainty")
        _add(uncertainty, "nUncertAssessNum", 1)
        _add(uncertainty, "nStdUncertValue", _plain(float(item.uncertainty.to(unit).magnitude)))


def _add_value(element: ET.Element, kind: str, value: float) -> None:
    """Add a value and the number of its digits, which ThermoML wants beside it."""
    text = _plain(value)
    digits = text.partition("e")[0].lstrip("-0.").replace(".", "")
    _add(element, f"n{kind}Value", text)
    _add(element, f"n{kind}Digits", max(1, len(digits)))


def _plain(value: float) -> str:
    return f"{value:.10g}"  # conversions of units leave noise behind


def _add_number(element: ET.Element, number: int) -> None:
    _add(ET.SubElement(element, "RegNum"), "nOrgNum", number)


def _add(element: ET.Element, tag: str, content: object) -> None:
    ET.SubElement(element, tag).text = str(content)
