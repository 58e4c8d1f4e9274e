"""Force fields of single sites: Lennard-Jones and Mie, written as OpenMM force-field XML."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Annotated

from openmm import app
from pydantic import Field, field_validator, model_validator

from protocols.errors import InputError
from protocols.model import Model
from protocols.quantities import AnyQuantity, Length, Quantity, describe_quantity
from protocols.substance import canonical_smiles
from protocols.systems.forcefield import ForceFieldFile, OpenMMForceField
from protocols.systems.topology import Molecule

__all__ = ["SiteParameters", "force_field_of_sites"]

_BOLTZMANN = 8.31446261815324e-3  # kJ/mol/K
_MIE = (
    "prefactor*epsilon*((sigma/r)^n-(sigma/r)^m); prefactor=n/(n-m)*(n/m)^(m/(n-m));"
    "n=3+sqrt((n1-3)*(n2-3)); m=3+sqrt((m1-3)*(m2-3));"
    "sigma=0.5*(sigma1+sigma2); epsilon=sqrt(epsilon1*epsilon2)"
)


class SiteParameters(Model):
    """The interactions of one kind of single-site molecule.

    The potential is that of G. Mie, Ann. Phys. 316, 657 (1903), C epsilon ((sigma/r)^n - (sigma/r)^m) with
    C = n/(n-m) (n/m)^(m/(n-m)); exponents 12 and 6 are Lennard-Jones.

    Parameters
    ----------
    smiles
        Of the molecule: an atom such as "[Ar]", or a site such as "{CH4}".
    sigma
        Where the potential is zero.
    epsilon
        Its depth, as a molar energy such as "1 kJ/mol", or divided by the Boltzmann constant, such as
        "119.8 K".
    repulsion, attraction
        The exponents n and m.
    """

    smiles: str
    sigma: Length
    epsilon: AnyQuantity
    repulsion: Annotated[float, Field(gt=3)] = 12.0
    attraction: Annotated[float, Field(gt=3)] = 6.0

    @field_validator("smiles")
    @classmethod
    def _one_site(cls, smiles: str) -> str:
        canonical = canonical_smiles(smiles)
        if len(Molecule.from_smiles(canonical).elements) != 1:
            raise InputError(f"smiles: {smiles} has several atoms; give one such as '[Ar]' or '{{CH4}}'")
        return canonical

    @model_validator(mode="after")
    def _attracts(self) -> SiteParameters:
        if self.repulsion <= self.attraction:
            raise InputError(
                f"repulsion: {self.repulsion:g} is not allowed; it must be more than the attraction, "
                f"{self.attraction:g}"
            )
        _molar(self.epsilon)
        return self


def force_field_of_sites(*sites: SiteParameters) -> OpenMMForceField:
    """Return the force field of single sites.

    Sites interact by a NonbondedForce where all are Lennard-Jones, and else by a CustomNonbondedForce, with
    the long-range correction in either case. Unlike ones have the mean sigma and the geometric mean of
    epsilon; their exponents are those of T. Lafitte et al., J. Chem. Phys. 139, 154504 (2013).

    Raises
    ------
    InputError
        None is given, or a molecule twice.
    """
    names = [site.smiles for site in sites]
    if not names or len(set(names)) < len(names):
        raise InputError(f"sites: {', '.join(names) or 'none'} is not allowed; give each molecule once")
    root = ET.Element("ForceField")
    types, residues = ET.SubElement(root, "AtomTypes"), ET.SubElement(root, "Residues")
    lennard_jones = all((site.repulsion, site.attraction) == (12, 6) for site in sites)
    if lennard_jones:
        force = ET.SubElement(root, "NonbondedForce", coulomb14scale="0.833333", lj14scale="0.5")
    else:
        force = ET.SubElement(root, "CustomNonbondedForce", energy=_MIE, bondCutoff="0")
        for name in ("sigma", "epsilon", "n", "m"):
            ET.SubElement(force, "PerParticleParameter", name=name)
    for site in sites:
        molecule = Molecule.from_smiles(site.smiles)
        [atom], kind = molecule.atom_names, f"site-{site.smiles}"
        symbol = app.Element.getByAtomicNumber(molecule.elements[0]).symbol
        ET.SubElement(
            types, "Type", {"name": kind, "class": kind, "element": symbol, "mass": f"{molecule.mass:.10g}"}
        )
        residue = ET.SubElement(residues, "Residue", name=site.smiles)
        ET.SubElement(residue, "Atom", name=atom, type=kind)
        ET.SubElement(force, "Atom", {"type": kind} | _numbers(site, lennard_jones))
    return OpenMMForceField(files=(ForceFieldFile(name="sites", xml=ET.tostring(root, encoding="unicode")),))


def _numbers(site: SiteParameters, lennard_jones: bool) -> dict[str, str]:
    values = {"sigma": float(site.sigma.to("nm").magnitude), "epsilon": _molar(site.epsilon)}
    values |= {"charge": 0.0} if lennard_jones else {"n": site.repulsion, "m": site.attraction}
    return {name: repr(value) for name, value in values.items()}


def _molar(epsilon: Quantity) -> float:
    """Return a depth in kJ/mol."""
    if epsilon.is_compatible_with("kelvin"):
        return float(epsilon.to("kelvin").magnitude) * _BOLTZMANN
    if epsilon.is_compatible_with("kJ/mol"):
        return float(epsilon.to("kJ/mol").magnitude)
    raise InputError(f"epsilon: {describe_quantity(epsilon)} is not allowed; give '1 kJ/mol' or '119.8 K'")
