"""The published values that this project is measured against, and how each is computed again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from protocols import (
    Density,
    DielectricConstant,
    EnthalpyOfMixing,
    EnthalpyOfVaporization,
    ExcessMolarVolume,
    IsobaricHeatCapacity,
    IsothermalCompressibility,
    OpenMMForceField,
    SolvationFreeEnergy,
    Substance,
    ThermalExpansion,
    ThermodynamicState,
)
from protocols.properties.base import Property
from protocols.quantities import Quantity

__all__ = ["GROUPS", "Group", "Row"]

HERE = Path(__file__).parent

SIGMA_NM = 0.3405
EPSILON_K = 119.8
BOLTZMANN = 1.380649e-23
GAS_CONSTANT = 8.314462618e-3
EPSILON_KJ = GAS_CONSTANT * EPSILON_K
_ATOM_G = 39.948 * 1.66053906660e-24
_SIGMA_CM3 = (SIGMA_NM * 1e-7) ** 3
_BAR_OF_REDUCED_PRESSURE = EPSILON_K * BOLTZMANN / (SIGMA_NM * 1e-9) ** 3 / 1e5

NIST_SAT = "NIST Standard Reference Simulation Website, SAT-TMMC with long-range correction"
THOL = "equation of state of Thol et al., J. Phys. Chem. Ref. Data 45, 023101 (2016), by teqp 0.23"
MOSDEF = "six codes, MoSDeF reproducibility study"
FORCE_BALANCE = "Wang, Martinez and Pande, J. Phys. Chem. Lett. 5, 1885 (2014)"
EWALD_1998 = "J. Chem. Phys. 109, 4927 (1998)"
FREE_SOLV = "FreeSolv 0.52, GAFF 1.8 with AM1-BCC charges in TIP3P"
BY_DEFINITION = "zero by definition"


def _as_is(value: float) -> float:
    return value


@dataclass(frozen=True)
class Row:
    """One published value.

    Parameters
    ----------
    title
        Of the row.
    property
        Whose value is compared.
    published, uncertainty
        And its standard error, in `unit`.
    source
        Where it stands.
    unit
        Of this row.
    convert
        From a magnitude in the property's own unit to `unit`; it must be linear up to a constant, since the
        standard error goes the same way.
    settings_term
        Of the combined error: what other settings or codes are known to change.
    """

    title: str
    property: Property
    published: float
    uncertainty: float
    source: str
    unit: str = ""
    convert: Callable[[float], float] = _as_is
    settings_term: float = 0.0

    def compare(self, value: Quantity, error: Quantity | None) -> tuple[float, float]:
        """Return our value and standard error in the unit of the row."""
        plain = float(value.to(self.property.unit).magnitude)
        spread = 0.0 if error is None else float(error.to(self.property.unit).magnitude)
        ours = self.convert(plain)
        return ours, abs(self.convert(plain + spread) - ours)


@dataclass(frozen=True)
class Group:
    """Rows that one call of `estimate` gives.

    Parameters
    ----------
    name
        On the command line.
    rows
        That it gives.
    force_field
        Of the model.
    settings
        As the published values have them.
    """

    name: str
    rows: tuple[Row, ...]
    force_field: OpenMMForceField
    settings: dict[str, Any] = field(default_factory=dict)


def _argon(title: str, temperature: float, pressure: float, rows: list[tuple[Any, ...]]) -> Group:
    argon = Substance.pure("[Ar]")
    state = ThermodynamicState(
        temperature=f"{temperature * EPSILON_K} K", pressure=f"{pressure * _BAR_OF_REDUCED_PRESSURE} bar"
    )
    made = tuple(
        Row(
            f"Lennard-Jones: {what}, T* {temperature}",
            kind(argon, state),
            value,
            error,
            source,
            convert=convert,
        )
        for what, kind, value, error, source, convert in rows
    )
    return Group(title, made, OpenMMForceField("argon.xml"), LENNARD_JONES)


LENNARD_JONES = {
    "number_of_molecules": 500,
    "initial_density": "1.18 g/mL",
    "cutoff": f"{3 * SIGMA_NM} nm",
    "timestep": "5 fs",
    "output_interval": "0.5 ps",
    "segment_time": "100 ps",
    "equilibration_time": "100 ps",
    "production_time": "4 ns",
}


def _number_density(density: float) -> float:
    return density * _SIGMA_CM3 / _ATOM_G


def _energies(value: float) -> float:
    return value / EPSILON_KJ


def _kilocalories(value: float) -> float:
    return value / 4.184


def _boltzmann_constants(value: float) -> float:
    return value / (1000 * GAS_CONSTANT)


def _expansion(value: float) -> float:
    return value * EPSILON_K


def _compressibility(value: float) -> float:
    return value * _BAR_OF_REDUCED_PRESSURE


def _saturated(
    temperature: float,
    pressure: float,
    density: tuple[float, float],
    heat: float,
    response: tuple[float, float, float],
) -> Group:
    derivatives = zip(
        ("heat capacity", "thermal expansion", "compressibility"),
        (IsobaricHeatCapacity, ThermalExpansion, IsothermalCompressibility),
        response,
        (_boltzmann_constants, _expansion, _compressibility),
        strict=True,
    )
    return _argon(
        f"lennard-jones-{temperature}",
        temperature,
        pressure,
        [
            ("density", Density, *density, NIST_SAT, _number_density),
            ("enthalpy of vaporization", EnthalpyOfVaporization, heat, 0.0005, NIST_SAT, _energies),
            *((what, kind, value, 0.01 * value, THOL, convert) for what, kind, value, convert in derivatives),
        ],
    )


def _water(
    name: str,
    force_field: str,
    temperature: float,
    pressure: str,
    settings: dict[str, Any],
    *rows: tuple[Any, ...],
) -> Group:
    water = Substance.pure("O")
    state = ThermodynamicState(temperature=f"{temperature} K", pressure=pressure)
    model = force_field.removesuffix(".xml").upper().replace("FB", "-FB").replace("SPCE", "SPC/E")
    made = tuple(
        Row(f"{model}: {what}, {temperature:g} K", kind(water, state), value, error, source, kind.unit)
        for what, kind, value, error, source in rows
    )
    return Group(name, made, OpenMMForceField(force_field), settings)


WATER = {"number_of_molecules": 256, "equilibration_time": "30 ps", "production_time": "1500 ps"}
SWITCHED = WATER | {"switching_distance": "0.7 nm"}


def _force_balance(
    name: str,
    density: tuple[float, float],
    expansion: tuple[float, float],
    compressibility: tuple[float, float],
    dielectric: tuple[float, float],
) -> Group:
    published = {
        "density": (Density, 1e-3, density),
        "thermal expansion": (ThermalExpansion, 1e-4, expansion),
        "compressibility": (IsothermalCompressibility, 1e-6, compressibility),
        "dielectric constant": (DielectricConstant, 1, dielectric),
    }
    rows = [
        (what, kind, scale * value, scale * error, FORCE_BALANCE)
        for what, (kind, scale, (value, error)) in published.items()
    ]
    return _water(name, f"{name}.xml", 298.15, "1 atm", SWITCHED, *rows)


def _mixing() -> Group:
    """Argon under two names, whose mixture is argon, and argon with larger atoms."""
    state = ThermodynamicState(temperature="101.83 K", pressure="20 bar")
    twins = Substance.mixture({"[Ar]": 0.5, "[Kr]": 0.5})
    rows = (
        Row("argon under two names: enthalpy of mixing", EnthalpyOfMixing(twins, state), 0, 0, BY_DEFINITION,
            "kJ/mol"),
        Row("argon under two names: excess volume", ExcessMolarVolume(twins, state), 0, 0, BY_DEFINITION,
            "cm^3/mol"),
    )  # fmt: skip
    return Group("mixing", rows, OpenMMForceField(str(HERE / "twins.xml")), LENNARD_JONES)


def _methane() -> Group:
    methane = Substance.pure("[C]")
    state = ThermodynamicState(temperature="140 K", pressure="1318 kPa")
    rows = (
        Row("TraPPE methane: density, 140 K", Density(methane, state), 0.37596, 0.00001, MOSDEF, "g/mL",
            settings_term=0.0004),
    )  # fmt: skip
    settings = {
        "number_of_molecules": 400,
        "initial_density": "0.3 g/mL",
        "cutoff": "1.4 nm",
        "timestep": "5 fs",
        "output_interval": "0.5 ps",
        "segment_time": "100 ps",
        "equilibration_time": "100 ps",
        "production_time": "2 ns",
    }
    return Group("trappe-methane", rows, OpenMMForceField(str(HERE / "trappe_methane.xml")), settings)


def _excess_chemical_potential() -> Group:
    state = ThermodynamicState(
        temperature=f"{0.85 * EPSILON_K} K", pressure=f"{0.0076357 * _BAR_OF_REDUCED_PRESSURE} bar"
    )
    solution = SolvationFreeEnergy(Substance.solution("[Ar]", "[Ar]"), state)
    rows = (
        Row("Lennard-Jones: excess chemical potential, T* 0.85", solution, -3.847, 0.005, NIST_SAT,
            convert=_energies),
    )  # fmt: skip
    settings = LENNARD_JONES | {
        "initial_density": "1.25 g/mL",
        "equilibration_time": "20 ps",
        "production_time": "1 ns",
        "lambda_sterics": (1, 0.8, 0.65, 0.5, 0.4, 0.32, 0.24, 0.14, 0),
    }
    return Group("excess-chemical-potential", rows, OpenMMForceField("argon.xml"), settings)


def _hydration() -> Group:
    state = ThermodynamicState(temperature="298.15 K", pressure="1 atm")
    hydration = SolvationFreeEnergy(Substance.solution("C", "O"), state)
    rows = (
        Row("methane in TIP3P: hydration free energy", hydration, 2.446, 0.006, FREE_SOLV, "kcal/mol",
            convert=_kilocalories),
    )  # fmt: skip
    force_field = OpenMMForceField("tip3p.xml", str(HERE / "gaff_methane.xml"))
    return Group("hydration", rows, force_field, WATER | {"production_time": "400 ps"})


GROUPS = {
    group.name: group
    for group in (
        _saturated(0.85, 0.0076357, (0.77681, 0.00005), 6.358, (5.480, 0.6039, 0.12867)),
        _saturated(1.0, 0.024950, (0.70094, 0.00006), 5.860, (6.070, 0.8153, 0.24325)),
        _methane(),
        _mixing(),
        _excess_chemical_potential(),
        _hydration(),
        _water(
            "spce",
            "spce.xml",
            300,
            "101.325 kPa",
            WATER,
            ("density", Density, 0.9979, 0.0002, MOSDEF),
            ("enthalpy of vaporization", EnthalpyOfVaporization, 49.20, 0.01, MOSDEF),
            ("dielectric constant", DielectricConstant, 68, 6, EWALD_1998),
        ),
        _force_balance("tip3p", (983.63, 0.15), (9.05, 0.29), (57.8, 0.7), (95.8, 1.5)),
        _force_balance("tip3pfb", (994.06, 0.08), (4.15, 0.15), (44.5, 0.3), (81.3, 1.0)),
        _force_balance("tip4pfb", (995.78, 0.05), (2.44, 0.07), (45.19, 0.17), (77.29, 0.40)),
    )
}
