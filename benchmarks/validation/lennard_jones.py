"""Published values of the Lennard-Jones fluid, as argon with sigma 0.3405 nm and epsilon / k 119.8 K."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from potential_energy import PotentialEnergy
from rows import Group, Row

from protocols import (
    Density,
    EnthalpyOfMixing,
    EnthalpyOfVaporization,
    ExcessMolarVolume,
    IsobaricHeatCapacity,
    IsothermalCompressibility,
    OpenMMForceField,
    SelfDiffusion,
    ShearViscosity,
    SolvationFreeEnergy,
    Substance,
    SurfaceTension,
    ThermalExpansion,
    ThermodynamicState,
)

__all__ = ["LENNARD_JONES_GROUPS"]

_HERE = Path(__file__).parent

SIGMA_NM = 0.3405
EPSILON_K = 119.8
BOLTZMANN = 1.380649e-23
GAS_CONSTANT = 8.314462618e-3
EPSILON_KJ = GAS_CONSTANT * EPSILON_K
_ATOM_G = 39.948 * 1.66053906660e-24
_SIGMA_CM3 = (SIGMA_NM * 1e-7) ** 3
_BAR_OF_REDUCED_PRESSURE = EPSILON_K * BOLTZMANN / (SIGMA_NM * 1e-9) ** 3 / 1e5

_G_PER_ML_OF_REDUCED_DENSITY = _ATOM_G / _SIGMA_CM3
_DIFFUSION = 1000 * SIGMA_NM * math.sqrt(EPSILON_KJ / 39.948)  # nm^2/ns
_VISCOSITY = math.sqrt(EPSILON_KJ * 39.948) / SIGMA_NM**2 * 1.66053906660e-3  # mPa s
_TENSION = EPSILON_K * BOLTZMANN / (SIGMA_NM * 1e-9) ** 2 * 1000  # mN/m

NIST_MC = "NIST Standard Reference Simulation Website, Monte Carlo"
NIST_MD = "NIST Standard Reference Simulation Website, molecular dynamics"
NIST_SAT = "NIST Standard Reference Simulation Website, SAT-TMMC with long-range correction"
THOL = "equation of state of Thol et al., J. Phys. Chem. Ref. Data 45, 023101 (2016), by teqp 0.23"
TRIPLE_POINT = "Ferrario et al., Phys. Rev. A 44, 6936 (1991), 2048 atoms"
JANECEK = "0.74 to 0.77, Trokhymchuk and Alejandre (1999), Janecek (2006), as recalled"
VRABEC = "correlation of Vrabec, Kedia, Fuchs and Hasse, Mol. Phys. 104, 1509 (2006)"
BY_DEFINITION = "zero by definition"
MONTE_CARLO = "the same model by monte_carlo.c"

LENNARD_JONES = {
    "number_of_molecules": 500,
    "initial_density": "1.18 g/mL",
    "cutoff": f"{3 * SIGMA_NM} nm",
    "switching_distance": f"{2.9 * SIGMA_NM} nm",
    "timestep": "5 fs",
    "output_interval": "0.5 ps",
    "segment_time": "100 ps",
    "equilibration_time": "100 ps",
    "production_time": "4 ns",
}

TRANSPORT = LENNARD_JONES | {
    "equilibration_time": "50 ps",
    "production_time": "500 ps",
    "nve_time": "30 ps",
    "nve_segments": 15,
    "nve_spacing": "3 ps",
    "stress_interval": "100 fs",
}


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


def _number_density(density: float) -> float:
    return density * _SIGMA_CM3 / _ATOM_G


def _energies(value: float) -> float:
    return value / EPSILON_KJ


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


def _mixing(
    group: str,
    title: str,
    state: ThermodynamicState,
    *published: tuple[float, float, str],
    **settings: Any,
) -> Group:
    """Return the enthalpy of mixing and the excess volume of equal parts of [Ar] and [Kr] of a file."""
    mixture = Substance.mixture({"[Ar]": 0.5, "[Kr]": 0.5})
    rows = (
        Row(f"{title}: enthalpy of mixing", EnthalpyOfMixing(mixture, state), *published[0], "kJ/mol"),
        Row(f"{title}: excess volume", ExcessMolarVolume(mixture, state), *published[1], "cm^3/mol"),
    )
    force_field = OpenMMForceField(str(_HERE / f"{group.replace('-', '_')}.xml"))
    return Group(group, rows, force_field, LENNARD_JONES | {"production_time": "1 ns"} | settings)


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


def _constant_volume(
    density: float, energy: float, pressure: float, diffusion: float, temperature: float
) -> Group:
    """Monte Carlo at T* 0.85, and the diffusion of molecular dynamics very near to it."""
    argon = Substance.pure("[Ar]")
    state = ThermodynamicState(temperature=f"{0.85 * EPSILON_K} K")
    near = ThermodynamicState(temperature=f"{temperature * EPSILON_K} K")
    at = f"T* 0.85, rho* {density}"
    rows = [
        Row(f"Lennard-Jones: energy of an atom, {at}", PotentialEnergy(argon, state), energy, 0.0005, NIST_MC,
            convert=lambda total: total / 500 / EPSILON_KJ, settings_term=0.004),
        Row(f"Lennard-Jones: pressure, {at}", ShearViscosity(argon, state), pressure, 0.001, NIST_MC,
            convert=lambda bar: bar / _BAR_OF_REDUCED_PRESSURE, settings_term=0.02, detail="pressure"),
    ]  # fmt: skip
    if diffusion:
        where = f"T* {temperature}, rho* {density}"
        rows.append(
            Row(f"Lennard-Jones: diffusion in the box, {where}", SelfDiffusion(argon, near), diffusion,
                0.0005, NIST_MD, convert=lambda value: value / _DIFFUSION, settings_term=0.05 * diffusion,
                detail="D_PBC"),
        )  # fmt: skip
    settings = TRANSPORT | {"initial_density": f"{density * _G_PER_ML_OF_REDUCED_DENSITY} g/mL"}
    return Group(f"lennard-jones-nvt-{density}", tuple(rows), OpenMMForceField("argon.xml"), settings)


def _viscosity() -> Group:
    state = ThermodynamicState(temperature=f"{0.722 * EPSILON_K} K")
    rows = (
        Row("Lennard-Jones: viscosity, T* 0.722, rho* 0.8442", ShearViscosity(Substance.pure("[Ar]"), state),
            3.24, 0.04, TRIPLE_POINT, convert=lambda value: value / _VISCOSITY),
    )  # fmt: skip
    settings = TRANSPORT | {
        "initial_density": f"{0.8442 * _G_PER_ML_OF_REDUCED_DENSITY} g/mL",
        "nve_time": "60 ps",
        "nve_segments": 30,
    }
    return Group("lennard-jones-viscosity", rows, OpenMMForceField("argon.xml"), settings)


def _surface() -> Group:
    state = ThermodynamicState(temperature=f"{0.85 * EPSILON_K} K", pressure="3.199 bar")
    rows = (
        Row("Lennard-Jones: surface tension, T* 0.85", SurfaceTension(Substance.pure("[Ar]"), state), 0.755,
            0.01, JANECEK, convert=lambda tension: tension / _TENSION),
    )  # fmt: skip
    settings = LENNARD_JONES | {
        "number_of_molecules": 600,
        "initial_density": "1.3 g/mL",
        "output_interval": "0.2 ps",
        "segment_time": "50 ps",
        "production_time": "400 ps",
    }
    return Group("lennard-jones-surface", rows, OpenMMForceField("argon.xml"), settings)


def _shifted_surface() -> Group:
    """Return the surface of the potential truncated at 2.5 sigma and shifted; 2 % are the correlation's."""
    tension = 2.08 * (1 - 0.85 / 1.0779) ** 1.21
    state = ThermodynamicState(
        temperature=f"{0.85 * EPSILON_K} K", pressure=f"{0.03 * _BAR_OF_REDUCED_PRESSURE} bar"
    )
    rows = (
        Row("shifted Lennard-Jones: surface tension, T* 0.85", SurfaceTension(Substance.pure("[Ar]"), state),
            tension, 0.02 * tension, VRABEC, convert=lambda value: value / _TENSION),
    )  # fmt: skip
    settings = LENNARD_JONES | {
        "number_of_molecules": 1000,
        "initial_density": "1.15 g/mL",
        "cutoff": f"{2.5 * SIGMA_NM} nm",
        "switching_distance": None,
        "long_range_correction": False,
        "output_interval": "0.2 ps",
        "segment_time": "50 ps",
        "production_time": "2 ns",
    }
    force_field = OpenMMForceField(str(_HERE / "lennard_jones_shifted.xml"))
    return Group("lennard-jones-shifted-surface", rows, force_field, settings)


LENNARD_JONES_GROUPS = (
    _saturated(0.85, 0.0076357, (0.77681, 0.00005), 6.358, (5.480, 0.6039, 0.12867)),
    _saturated(1.0, 0.024950, (0.70094, 0.00006), 5.860, (6.070, 0.8153, 0.24325)),
    _constant_volume(0.776, -5.5121, 0.0067714, 0.061, 0.851),
    _constant_volume(0.82, -5.7947, 0.55355, 0.048, 0.852),
    _constant_volume(0.86, -6.0305, 1.2660, 0, 0.85),
    _viscosity(),
    _excess_chemical_potential(),
    _surface(),
    _shifted_surface(),
    _mixing(
        "twins",
        "argon under two names",
        ThermodynamicState(temperature="101.83 K", pressure="20 bar"),
        (0, 0, BY_DEFINITION),
        (0, 0, BY_DEFINITION),
    ),
    _mixing(
        "argon-krypton",
        "argon and krypton",
        ThermodynamicState(temperature="119.8 K", pressure="25 bar"),
        (-0.0301, 0.0047, MONTE_CARLO),
        (-0.637, 0.021, MONTE_CARLO),
        cutoff="1.09 nm",
        switching_distance="1.05 nm",
        initial_densities={"[Ar]": "1.18 g/mL", "[Kr]": "2.4 g/mL"},
    ),
)
