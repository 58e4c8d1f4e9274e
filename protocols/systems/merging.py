"""Copy particles and their interactions from one OpenMM System into another, to make boxes of molecules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import openmm

from protocols.errors import InputError

__all__ = ["SystemBuilder", "check_forces"]

# The terms of a force, and how many particles stand in one; parameters follow after the particles.
_TERMS = {
    "HarmonicBondForce": ("Bond", 2),
    "HarmonicAngleForce": ("Angle", 3),
    "PeriodicTorsionForce": ("Torsion", 4),
    "RBTorsionForce": ("Torsion", 4),
    "CustomBondForce": ("Bond", 2),
    "CustomAngleForce": ("Angle", 3),
    "CustomTorsionForce": ("Torsion", 4),
}
_HARMONIC = (openmm.HarmonicBondForce, openmm.HarmonicAngleForce)
_IGNORED = ("CMMotionRemover",)
_Indices = Mapping[int, int]


def check_forces(system: Any, name: str) -> None:
    """Raise InputError for a force of a System that cannot be copied, such as that of a polarisable model."""
    for force in system.getForces():
        if type(force).__name__ not in _IGNORED:
            _check_force(force, name)


def _check_force(force: Any, name: str) -> None:
    kind = type(force).__name__
    if kind not in _MAKERS or _is_special(force):
        raise InputError(
            f"force_field: {name} has a {kind} that cannot be copied; known are {', '.join(sorted(_MAKERS))}"
        )


class SystemBuilder:
    """A System that grows by copies of particles of others.

    Forces of a kind become one force. The masses and virtual sites of particles, constraints, bonded forces
    and non-bonded ones are copied; cutoffs are left to `set_interactions`.

    Parameters
    ----------
    name
        Of the source, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.system = openmm.System()
        self._forces: dict[Any, Any] = {}

    def add(self, source: Any, particles: Sequence[int]) -> None:
        """Add particles of a System, in this order, with the interactions among them.

        Raises
        ------
        InputError
            The System has a force that cannot be copied.
        """
        first = self.system.getNumParticles()
        indices = {particle: first + place for place, particle in enumerate(particles)}
        for particle in particles:
            self.system.addParticle(source.getParticleMass(particle))
        for particle in particles:
            if source.isVirtualSite(particle):
                site = _moved_site(source.getVirtualSite(particle), indices, self._name)
                self.system.setVirtualSite(indices[particle], site)
        for number in range(source.getNumConstraints()):
            one, two, distance = source.getConstraintParameters(number)
            if one in indices and two in indices:
                self.system.addConstraint(indices[one], indices[two], distance)
        for force in source.getForces():
            self._add_force(force, indices, first)

    def finished(self) -> Any:
        """Return the System, in which every particle stands in every non-bonded force."""
        for force in self._forces.values():
            self._fill(force, self.system.getNumParticles())
            self.system.addForce(force)
        self.system.addForce(openmm.CMMotionRemover())
        self._forces = {}
        return self.system

    def _add_force(self, force: Any, indices: _Indices, first: int) -> None:
        kind = type(force).__name__
        if kind in _IGNORED:
            return
        target = self._target(force)
        match kind:
            case "NonbondedForce":
                self._fill(target, first)
                _add_nonbonded(force, target, indices)
            case "CustomNonbondedForce":
                self._fill(target, first)
                _add_custom_nonbonded(force, target, indices)
            case "CMAPTorsionForce":
                _add_cmap(force, target, indices)
            case _:
                _add_terms(force, target, indices, *_TERMS[kind])

    def _target(self, force: Any) -> Any:
        """Return the force that takes the terms of this one."""
        kind = type(force).__name__
        _check_force(force, self._name)
        settings = _settings(force)
        if kind == "CustomNonbondedForce":
            other = next((key for key in self._forces if key[0] == kind and key[1] != settings), None)
            if other is not None:
                raise InputError(
                    f"force_field: {self._name} has two kinds of CustomNonbondedForce; molecules with "
                    "different formulas cannot share a box"
                )
        key = (kind, settings)
        if key not in self._forces:
            self._forces[key] = _MAKERS[kind](force)
        return self._forces[key]

    def _fill(self, force: Any, number: int) -> None:
        """Add particles that do not interact, for molecules whose source has no such force."""
        if isinstance(force, openmm.NonbondedForce):
            while force.getNumParticles() < number:
                force.addParticle(0.0, 1.0, 0.0)
        elif isinstance(force, openmm.CustomNonbondedForce) and force.getNumParticles() < number:
            raise InputError(
                f"force_field: {self._name} has molecules without the CustomNonbondedForce of others; "
                "molecules that interact by different formulas cannot share a box"
            )


def _is_special(force: Any) -> bool:
    """Tell whether a force has what only a System as a whole can have."""
    if isinstance(force, openmm.NonbondedForce):
        return bool(force.getNumGlobalParameters() or force.getNumParticleParameterOffsets())
    if isinstance(force, openmm.CustomNonbondedForce):
        return bool(force.getNumInteractionGroups() or force.getNumComputedValues())
    return False


def _settings(force: Any) -> Any:
    """Return what forces must share to become one."""
    kind = type(force).__name__
    if not kind.startswith("Custom"):
        return None
    terms = "Particle" if kind == "CustomNonbondedForce" else _TERMS[kind][0]
    per_term = f"Per{terms}Parameter"
    names = [getattr(force, f"get{per_term}Name")(i) for i in range(getattr(force, f"getNum{per_term}s")())]
    values = [
        (force.getGlobalParameterName(i), force.getGlobalParameterDefaultValue(i))
        for i in range(force.getNumGlobalParameters())
    ]
    tables = []
    if kind == "CustomNonbondedForce":
        tables = [
            (
                force.getTabulatedFunctionName(i),
                openmm.XmlSerializer.serialize(force.getTabulatedFunction(i)),
            )
            for i in range(force.getNumTabulatedFunctions())
        ]
    return force.getEnergyFunction(), tuple(names), tuple(values), tuple(tables)


def _custom(kind: Any, terms: str) -> Callable[[Any], Any]:
    def make(force: Any) -> Any:
        made = kind(force.getEnergyFunction())
        for i in range(getattr(force, f"getNumPer{terms}Parameters")()):
            getattr(made, f"addPer{terms}Parameter")(getattr(force, f"getPer{terms}ParameterName")(i))
        for i in range(force.getNumGlobalParameters()):
            made.addGlobalParameter(force.getGlobalParameterName(i), force.getGlobalParameterDefaultValue(i))
        if kind is openmm.CustomNonbondedForce:
            for i in range(force.getNumTabulatedFunctions()):
                table = force.getTabulatedFunction(i).Copy()
                made.addTabulatedFunction(force.getTabulatedFunctionName(i), table)
        return made

    return make


_MAKERS: dict[str, Callable[[Any], Any]] = {
    "HarmonicBondForce": lambda _: openmm.HarmonicBondForce(),
    "HarmonicAngleForce": lambda _: openmm.HarmonicAngleForce(),
    "PeriodicTorsionForce": lambda _: openmm.PeriodicTorsionForce(),
    "RBTorsionForce": lambda _: openmm.RBTorsionForce(),
    "CMAPTorsionForce": lambda _: openmm.CMAPTorsionForce(),
    "NonbondedForce": lambda _: openmm.NonbondedForce(),
    "CustomNonbondedForce": _custom(openmm.CustomNonbondedForce, "Particle"),
    "CustomBondForce": _custom(openmm.CustomBondForce, "Bond"),
    "CustomAngleForce": _custom(openmm.CustomAngleForce, "Angle"),
    "CustomTorsionForce": _custom(openmm.CustomTorsionForce, "Torsion"),
}


def _add_terms(force: Any, target: Any, indices: _Indices, term: str, size: int) -> None:
    get, add = getattr(force, f"get{term}Parameters"), getattr(target, f"add{term}")
    for number in range(getattr(force, f"getNum{term}s")()):
        values = get(number)
        # A term of a fixed distance has a force constant of zero.
        if values[0] in indices and not (isinstance(force, _HARMONIC) and values[-1]._value == 0):
            add(*(indices[particle] for particle in values[:size]), *values[size:])


def _add_cmap(force: Any, target: Any, indices: _Indices) -> None:
    known = {_map(target, i): i for i in range(target.getNumMaps())}
    for number in range(force.getNumTorsions()):
        which, *particles = force.getTorsionParameters(number)
        if particles[0] in indices:
            values = _map(force, which)
            if values not in known:
                known[values] = target.addMap(*values)
            target.addTorsion(known[values], *(indices[particle] for particle in particles))


def _map(force: Any, number: int) -> tuple[int, tuple[float, ...]]:
    size, energies = force.getMapParameters(number)
    return size, tuple(float(energy._value) for energy in energies)


def _add_nonbonded(force: Any, target: Any, indices: _Indices) -> None:
    for particle in indices:
        target.addParticle(*force.getParticleParameters(particle))
    for number in range(force.getNumExceptions()):
        one, two, *values = force.getExceptionParameters(number)
        if one in indices and two in indices:
            target.addException(indices[one], indices[two], *values)


def _add_custom_nonbonded(force: Any, target: Any, indices: _Indices) -> None:
    for particle in indices:
        target.addParticle(force.getParticleParameters(particle))
    for number in range(force.getNumExclusions()):
        one, two = force.getExclusionParticles(number)
        if one in indices and two in indices:
            target.addExclusion(indices[one], indices[two])


def _moved_site(site: Any, indices: _Indices, name: str) -> Any:
    """Return a virtual site of other particles."""
    particles = [indices[site.getParticle(i)] for i in range(site.getNumParticles())]
    match site:
        case openmm.TwoParticleAverageSite() | openmm.ThreeParticleAverageSite():
            return type(site)(*particles, *(site.getWeight(i) for i in range(len(particles))))
        case openmm.OutOfPlaneSite():
            return type(site)(*particles, site.getWeight12(), site.getWeight13(), site.getWeightCross())
        case openmm.LocalCoordinatesSite():
            return type(site)(
                particles,
                site.getOriginWeights(),
                site.getXWeights(),
                site.getYWeights(),
                site.getLocalPosition(),
            )
        case _:
            raise InputError(
                f"force_field: {name} has a {type(site).__name__}, a virtual site that cannot be copied"
            )
