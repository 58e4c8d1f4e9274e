"""Free energy of solvation."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np
import openmm

from protocols.analysis.combination import WeightedSum
from protocols.analysis.free_energy import AlchemicalFreeEnergy
from protocols.dynamics.gas import molecule_in_vacuum
from protocols.errors import InputError
from protocols.graphs.protocol import Protocol
from protocols.lambdas import AlchemicalState
from protocols.properties.alchemical import liquid_windows, vacuum_windows
from protocols.properties.averages import tables
from protocols.properties.base import Property, PropertyWorkflow, Replicas
from protocols.properties.boxes import check_density_is_given
from protocols.quantities import quantity
from protocols.settings import InteractionSettings, SimulationSettings
from protocols.substance import Component, net_charge
from protocols.systems.alchemy import check_alchemy, load_alchemy
from protocols.systems.sources import ParameterSource

__all__ = ["SolvationFreeEnergy"]

_PLUS, _MINUS = quantity("1 dimensionless"), quantity("-1 dimensionless")
_NEUTRAL = 0.01  # e; charges in force-field files are rounded


class SolvationFreeEnergy(Property):
    """The free energy of bringing one molecule from a fixed place in vacuum to a fixed place in a liquid.

    That is Ben-Naim's standard state, or 1 M of ideal gas to 1 M of ideal solution, A. Ben-Naim, Solvation
    Thermodynamics (Plenum, 1987). With a solute and a solvent of one kind of molecule it is that liquid's
    excess chemical potential.

    The solute's charges are turned off, then its Lennard-Jones interactions with the solvent, with a soft
    core, each window simulated by itself, and what lies between is found with MBAR: M. R. Shirts and J. D.
    Chodera, J. Chem. Phys. 129, 124105 (2008). Since charges vanish within the solute too, the same is done
    in vacuum and subtracted, unless no two charges of the solute interact, when it is zero. Without a
    pressure the volume is that of the initial density, which must be given.

    Parameters
    ----------
    substance
        One molecule of a neutral solute in a solvent: `Substance.solution`.
    state
        With or without a pressure.
    target
        Standard error at which to stop, such as "0.2 kJ/mol".
    """

    unit: ClassVar[str] = "kJ/mol"

    def workflow(
        self, force_field: ParameterSource, settings: SimulationSettings, rounds: Sequence[int] | None = None
    ) -> PropertyWorkflow:
        """Return the free energy from windows of the solution, less that from windows of the solute alone."""
        solute = self._solute().smiles
        check_density_is_given(self.substance, self.state, force_field, settings)
        force_field.check_covers(solute)
        charged, alone = _charges(solute, force_field, settings.interactions)
        load_alchemy()
        states = settings.states_in_solvent(charged=charged)
        windows = liquid_windows(self.substance, self.state, states, force_field, settings, rounds=rounds)
        liquid = self._difference(states, windows)
        result: Protocol = liquid
        if alone:
            states = settings.states_in_vacuum()
            vacuum = vacuum_windows(solute, self.state, states, force_field, settings, rounds=rounds)
            of_charging = self._difference(states, vacuum)
            result = WeightedSum.of_averages([("solution", _PLUS, liquid), ("vacuum", _MINUS, of_charging)])
        return PropertyWorkflow(
            result, tuple(replica for window in windows for replica in window), len(windows)
        )

    def _difference(
        self, states: tuple[AlchemicalState, ...], windows: tuple[Replicas, ...]
    ) -> AlchemicalFreeEnergy:
        return AlchemicalFreeEnergy(
            states=states,
            observables_files=tuple(tables(window) for window in windows),
            temperature=self.state.temperature,
        )

    def _solute(self) -> Component:
        if [component.count for component in self.substance.solutes] != [1]:
            raise InputError(
                f"substance: {self.substance} is not allowed; a solvation free energy needs one molecule of "
                "one solute, such as a solute C in a solvent O"
            )
        [solute] = self.substance.solutes
        if net_charge(solute.smiles) != 0:
            raise InputError(
                f"substance: {solute.smiles} is charged; a solvation free energy needs a neutral solute"
            )
        return solute


@lru_cache(maxsize=1000)
def _charges(
    smiles: str, force_field: ParameterSource, interactions: InteractionSettings
) -> tuple[bool, bool]:
    """Return whether a solute has charges, and whether any two of them interact with each other.

    A solute whose parameters are not known before the run has charges, which first and second neighbours
    never feel.

    Raises
    ------
    InputError
        They sum to more than rounding, or the solute cannot be made to vanish.
    """
    if force_field.preparations(smiles):
        return True, _has_third_neighbours(smiles)
    context = molecule_in_vacuum(smiles, force_field, interactions, seed=1)  # the System lives as long
    system = context.getSystem()
    number = system.getNumParticles()
    check_alchemy(system, list(range(number)))
    [force] = [force for force in system.getForces() if isinstance(force, openmm.NonbondedForce)]
    charges = np.array([force.getParticleParameters(i)[0]._value for i in range(number)])
    if abs(charges.sum()) > _NEUTRAL:
        raise InputError(
            f"force_field: {force_field} gives {smiles} a charge of {charges.sum():.3g} e; a solvation free "
            "energy needs a neutral solute"
        )
    products = np.triu(np.outer(charges, charges), 1)
    for index in range(force.getNumExceptions()):
        first, second, product, _, _ = force.getExceptionParameters(index)
        products[min(first, second), max(first, second)] = product._value
    return bool(charges.any()), bool(products.any())


def _has_third_neighbours(smiles: str) -> bool:
    """Tell whether any two atoms are three bonds apart or more."""
    from rdkit import Chem  # noqa: PLC0415

    return bool(Chem.GetDistanceMatrix(Chem.AddHs(Chem.MolFromSmiles(smiles))).max() >= 3)
