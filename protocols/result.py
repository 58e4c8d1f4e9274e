"""What an estimate gives back for each property."""

from __future__ import annotations

import builtins
from dataclasses import dataclass, field
from pathlib import Path

from protocols.analysis.checks import Check
from protocols.analysis.statistics import Status
from protocols.properties.base import Property
from protocols.quantities import Quantity, unit_symbol, with_error

__all__ = ["PropertyResult"]


@dataclass(frozen=True)
class PropertyResult:
    """A property's value and how far it can be trusted.

    Parameters
    ----------
    property
        What was asked for.
    status
        Converged, not converged within the limits, too short to tell, or failed.
    protocol
        Type and identity of the protocol that gave the value, or that failed.
    directory
        That protocol's directory.
    value, standard_error
        None when it failed or no round ended; a constant has no standard error. The error is statistical.
    n_effective
        Uncorrelated samples behind the value.
    reason
        Why it is not converged, or how a value is known exactly.
    error
        What went wrong when it failed.
    platform
        The OpenMM platforms of the production simulations.
    ns_per_day
        The mean speed of one production simulation.
    trajectory_files
        Of the production runs in order, if asked for, each beside its ``topology.pdb``.
    rounds
        How many production runs each replica had.
    incidents
        What went wrong in the production simulations and was overcome.
    mole_fractions
        In the box, by SMILES; counts are whole, so that they may differ from what was asked for.
    details
        What else the simulations gave on the way to the value, by name, such as the densities of both phases
        of a slab; and how averages were sampled: the longest discarded time of a replica, the statistical
        inefficiency, the overlaps of alchemical states. Of a sum, each ends with the name of its average.
    checks
        Temperature and pressure against what was set, and whether each liquid still was one.
    notes
        What the standard error leaves out: settings that shift the value, and the size of the box.
    """

    property: Property
    status: Status
    protocol: str
    directory: Path
    value: Quantity | None = None
    standard_error: Quantity | None = None
    n_effective: float | None = None
    reason: str = ""
    error: Exception | None = None
    platform: str | None = None
    ns_per_day: float | None = None
    trajectory_files: tuple[Path, ...] = ()
    rounds: tuple[int, ...] = ()
    incidents: tuple[str, ...] = ()
    mole_fractions: dict[str, float] = field(default_factory=dict)
    details: dict[str, Quantity] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()

    @builtins.property  # the name is that of a field
    def warnings(self) -> tuple[Check, ...]:
        """The checks that did not pass."""
        return tuple(check for check in self.checks if not check.passed)

    def __str__(self) -> str:
        return "; ".join([self._value(), *map(str, self.warnings)])

    def _value(self) -> str:
        if self.value is None:
            return f"{self.property}: {self.status}: {self.reason if self.error is None else self.error}"
        number, symbol = self.value.magnitude, unit_symbol(self.value)
        if self.standard_error is None:
            text = f"{self.property}: {number:.6g} {symbol}".rstrip()
            if self.status is Status.converged:
                return f"{text} ({self.reason or 'no standard error'})"
            text += " (no standard error)"
        else:
            error = self.standard_error.to(self.value.units).magnitude
            text = f"{self.property}: {with_error(number, error)} {symbol}".rstrip()
        return text if self.status is Status.converged else f"{text} ({self.status}: {self.reason})"
