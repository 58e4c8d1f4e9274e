"""Published values of methane, of models of water and of alcohols."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from potential_energy import PotentialEnergy
from rows import Group, Row

from protocols import (
    CombinedForceField,
    Density,
    DielectricConstant,
    EnthalpyOfVaporization,
    GaffForceField,
    IsothermalCompressibility,
    OpenMMForceField,
    SolvationFreeEnergy,
    Substance,
    SurfaceTension,
    ThermalExpansion,
    ThermodynamicState,
)

__all__ = ["MOLECULE_GROUPS"]

HERE = Path(__file__).parent

MOSDEF = "six codes, MoSDeF reproducibility study"
FORCE_BALANCE = "Wang, Martinez and Pande, J. Phys. Chem. Lett. 5, 1885 (2014)"
EWALD_1998 = "J. Chem. Phys. 109, 4927 (1998)"
VEGA_2007 = "Vega and de Miguel, J. Chem. Phys. 126, 154707 (2007), as recalled"
LIQUID_BENCHMARK = "LiquidBenchmark tables, GAFF 1.x with AM1-BCC charges"
FREE_SOLV = "FreeSolv 0.52, GAFF 1.8 with AM1-BCC charges in TIP3P"
FREE_SOLV_2014 = "FreeSolv 0.31, GAFF 1.x with AM1-BCC charges in TIP3P"

MOLECULES = 256
WATER = {"number_of_molecules": MOLECULES, "equilibration_time": "30 ps", "production_time": "1500 ps"}
SWITCHED = WATER | {"switching_distance": "0.7 nm"}
HYDRATION = WATER | {"equilibration_time": "10 ps", "production_time": "400 ps"}  # of every state


def _kilocalories(value: float) -> float:
    return value / 4.184


def _of_a_molecule(total: float) -> float:
    return total / MOLECULES


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
        Row(
            f"{model}: {what}, {temperature:g} K",
            kind(water, state),
            value,
            error,
            source,
            kind.unit,
            **dict(*more),
        )
        for what, kind, value, error, source, *more in rows
    )
    return Group(name, made, OpenMMForceField(force_field), settings)


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


def _methane() -> Group:
    methane = Substance.pure("{CH4}")
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
    return Group("trappe-methane", rows, OpenMMForceField("trappe_methane.xml"), settings)


def _hydration() -> Group:
    state = ThermodynamicState(temperature="298.15 K", pressure="1 atm")
    hydration = SolvationFreeEnergy(Substance.solution("C", "O"), state)
    rows = (
        Row("methane in TIP3P: hydration free energy", hydration, 2.446, 0.006, FREE_SOLV, "kcal/mol",
            convert=_kilocalories),
    )  # fmt: skip
    force_field = OpenMMForceField("tip3p.xml", str(HERE / "gaff_methane.xml"))
    return Group("hydration", rows, force_field, HYDRATION)


def _hydration_of_methanol() -> Group:
    state = ThermodynamicState(temperature="298.15 K", pressure="1 atm")
    hydration = SolvationFreeEnergy(Substance.solution("CO", "O"), state)
    rows = (
        # The conformer and program of its charges are not told.
        Row("methanol in TIP3P: hydration free energy", hydration, -3.48, 0.01, FREE_SOLV_2014, "kcal/mol",
            convert=_kilocalories, settings_term=0.1),
    )  # fmt: skip
    force_field = CombinedForceField(GaffForceField(version="gaff"), "tip3p.xml")
    return Group("hydration-methanol", rows, force_field, HYDRATION)


def _surface() -> Group:
    state = ThermodynamicState(temperature="300 K", pressure="1 atm")
    rows = (
        Row("SPC/E: surface tension, 300 K", SurfaceTension(Substance.pure("O"), state), 63.6, 1.5, VEGA_2007,
            "mN/m"),
    )  # fmt: skip
    settings = {
        "number_of_molecules": 512,
        "output_interval": "0.1 ps",
        "segment_time": "20 ps",
        "equilibration_time": "100 ps",
        "production_time": "1 ns",
    }
    return Group("spce-surface", rows, OpenMMForceField("spce.xml"), settings)


def _alcohol(name: str, smiles: str, density: float, dielectric: tuple[float, float]) -> Group:
    alcohol = Substance.pure(smiles)
    state = ThermodynamicState(temperature="298.2 K", pressure="101.325 kPa")
    rows = (
        # The table's minor version of GAFF and conformers of charges are not told.
        Row(f"GAFF {name}: density, 298.2 K", Density(alcohol, state), density, 0.00018, LIQUID_BENCHMARK,
            "g/mL", settings_term=0.002),
        Row(f"GAFF {name}: dielectric constant, 298.2 K", DielectricConstant(alcohol, state), *dielectric,
            LIQUID_BENCHMARK),
    )  # fmt: skip
    settings = {
        "number_of_molecules": 256,
        "cutoff": "0.95 nm",
        "initial_density": "0.75 g/mL",
        "equilibration_time": "50 ps",
        "production_time": "1 ns",
    }
    return Group(f"gaff-{name}", rows, GaffForceField(version="gaff"), settings)


MOLECULE_GROUPS = (
    _methane(),
    _alcohol("methanol", "CO", 0.78150, (18.9, 1.3)),
    _alcohol("ethanol", "CCO", 0.78805, (13.2, 1.0)),
    _hydration(),
    _hydration_of_methanol(),
    _water(
        "spce",
        "spce.xml",
        300,
        "101.325 kPa",
        WATER,
        ("density", Density, 0.9979, 0.0002, MOSDEF),
        ("energy of a molecule", PotentialEnergy, -46.705, 0.01, MOSDEF, {"convert": _of_a_molecule}),
        ("enthalpy of vaporization", EnthalpyOfVaporization, 49.20, 0.01, MOSDEF),
        ("dielectric constant", DielectricConstant, 68, 6, EWALD_1998),
    ),
    _surface(),
    _force_balance("tip3p", (983.63, 0.15), (9.05, 0.29), (57.8, 0.7), (95.8, 1.5)),
    _force_balance("tip3pfb", (994.06, 0.08), (4.15, 0.15), (44.5, 0.3), (81.3, 1.0)),
    _force_balance("tip4pfb", (995.78, 0.05), (2.44, 0.07), (45.19, 0.17), (77.29, 0.40)),
)
