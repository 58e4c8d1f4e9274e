"""What a molecule may be called besides its SMILES: a common name, or a site without hydrogens of its own."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["NAMES", "Site", "site_of"]

NAMES = {
    "acetone": "CC(C)=O",
    "acetonitrile": "CC#N",
    "ammonia": "N",
    "argon": "[Ar]",
    "benzene": "c1ccccc1",
    "butane": "CCCC",
    "chloroform": "ClC(Cl)Cl",
    "cyclohexane": "C1CCCCC1",
    "dimethyl sulfoxide": "CS(C)=O",
    "ethane": "CC",
    "ethanol": "CCO",
    "heptane": "CCCCCCC",
    "hexane": "CCCCCC",
    "krypton": "[Kr]",
    "methane": "C",
    "methanol": "CO",
    "neon": "[Ne]",
    "octane": "CCCCCCCC",
    "pentane": "CCCCC",
    "propan-1-ol": "CCCO",
    "propane": "CCC",
    "toluene": "Cc1ccccc1",
    "united-atom methane": "{CH4}",
    "water": "O",
    "xenon": "[Xe]",
}
"""The SMILES, or the site, of common molecules by name."""

_SITE = re.compile(r"\{([A-Z][a-z]?)(?:H(\d*))?\}")


class Site(NamedTuple):
    """One particle that stands for a heavy atom with its hydrogens.

    Parameters
    ----------
    symbol
        Of the heavy atom.
    hydrogens
        How many it carries.
    """

    symbol: str
    hydrogens: int

    @property
    def name(self) -> str:
        """The formula, such as "CH4"."""
        count = self.hydrogens if self.hydrogens > 1 else ""
        return f"{self.symbol}H{count}" if self.hydrogens else self.symbol


def site_of(text: str) -> Site | None:
    """Return the site that a text such as "{CH4}" stands for, None for any other text."""
    match = _SITE.fullmatch(text.strip())
    if match is None:
        return None
    symbol, count = match[1], match[2]
    return Site(symbol, 0 if count is None else int(count or 1))
