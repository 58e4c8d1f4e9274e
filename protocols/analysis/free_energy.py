"""AlchemicalFreeEnergy: how much work it takes to bring a solute in, from simulations of it partly there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from protocols.analysis.mbar import free_energy_difference
from protocols.analysis.observables import ObservablesFiles
from protocols.analysis.statistics import MINIMUM_DISCARD, Status
from protocols.constants import GAS_CONSTANT
from protocols.dynamics.windows import read_energies
from protocols.graphs.protocol import Protocol
from protocols.lambdas import AlchemicalState
from protocols.quantities import AnyQuantity, Temperature, Time, registry
from workflow_backends.resources import ComputeResources

__all__ = ["AlchemicalFreeEnergy"]


class AlchemicalFreeEnergy(Protocol):
    """The free energy of the first alchemical state less that of the last, by MBAR.

    M. R. Shirts and J. D. Chodera, J. Chem. Phys. 129, 124105 (2008). At constant pressure p V is the same in
    every state of a frame, so that it is left out.

    Parameters
    ----------
    states
        Of the solute, in order.
    observables_files
        For each state the tables of `OpenMMAlchemicalSimulation` in it, with frames at equal intervals: one a
        replica, or several in order where a replica was continued.
    temperature
        At which they were simulated.
    minimum_discard
        Fraction of each replica that is left out at its start whatever is detected.

    Raises
    ------
    InputError
        There are not as many tables as states, of as many replicas each.
    """

    states: Annotated[tuple[AlchemicalState, ...], Field(min_length=2)]
    observables_files: Annotated[tuple[ObservablesFiles, ...], Field(min_length=2)]
    temperature: Temperature
    minimum_discard: Annotated[float, Field(ge=0, lt=1)] = MINIMUM_DISCARD

    class Outputs(Protocol.Outputs):
        """The free energy.

        Parameters
        ----------
        value, standard_error
            In kJ/mol; None where states overlap so little that there is no error to be had.
        overlaps
            Of each state with the next, 0 to 1; below 0.03 nothing is known.
        n_effective
            Uncorrelated samples of the state that has fewest, pooled over replicas.
        statistical_inefficiency
            Time between uncorrelated samples in the state where it is longest.
        discarded_ps
            Simulated time left out of each replica, in picoseconds, for each state.
        status, reason
            Whether the simulations are long enough and overlap, and if not, why not.
        """

        value: AnyQuantity
        standard_error: AnyQuantity | None
        overlaps: tuple[float, ...]
        n_effective: float
        statistical_inefficiency: Time
        discarded_ps: tuple[tuple[float, ...], ...]
        status: Status
        reason: str

    def execute(self, directory: Path, available_resources: ComputeResources) -> Outputs:  # noqa: ARG002
        """Estimate."""
        kt = GAS_CONSTANT * float(self.temperature.to("kelvin").magnitude)
        tables = [
            [read_energies(files if isinstance(files, tuple) else (files,)) for files in replicas]
            for replicas in self.observables_files
        ]
        times = tables[0][0][0]
        interval = float(times[1] - times[0]) if len(times) > 1 else float(times[0])
        found = free_energy_difference(
            [[energies / kt for _, energies in replicas] for replicas in tables],
            [f"lambdas ({electrostatics:g}, {sterics:g})" for electrostatics, sterics in self.states],
            self.minimum_discard,
        )
        error = found.standard_error
        return self.Outputs(
            value=registry.Quantity(found.value * kt, "kJ/mol"),
            standard_error=None if error is None else registry.Quantity(error * kt, "kJ/mol"),
            overlaps=found.overlaps,
            n_effective=found.n_effective,
            statistical_inefficiency=registry.Quantity(found.statistical_inefficiency * interval, "ps"),
            discarded_ps=tuple(tuple(frames * interval for frames in window) for window in found.discarded),
            status=found.status,
            reason=found.reason,
        )
