"""Physical constants (CODATA 2018) in the units of OpenMM: nm, ps, kJ/mol, K, e, and bar for pressures."""

import math

__all__ = ["BAR_NM3", "CM3_PER_MOLE_AND_NM3", "COULOMB_CONSTANT", "GAS_CONSTANT"]

GAS_CONSTANT = 8.31446261815324e-3
"""In kJ/mol/K."""

BAR_NM3 = 6.02214076e-2
"""One bar times one cubic nanometre, in kJ/mol."""

_AVOGADRO, _ELEMENTARY_CHARGE, _EPSILON_0 = 6.02214076e23, 1.602176634e-19, 8.8541878128e-12

CM3_PER_MOLE_AND_NM3 = _AVOGADRO * 1e-21
"""One cubic nanometre a molecule in cm^3/mol."""

COULOMB_CONSTANT = _ELEMENTARY_CHARGE**2 * _AVOGADRO / (4 * math.pi * _EPSILON_0) * 1e6
"""1 / (4 pi epsilon_0) in kJ/mol nm/e^2."""
