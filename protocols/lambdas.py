"""The states between a solute that is there and one that is not."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field

from protocols.errors import InputError
from protocols.model import Model

__all__ = ["AlchemicalSettings", "AlchemicalState"]

AlchemicalState: TypeAlias = tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]]
"""How much there is of the solute's charges, and of its Lennard-Jones interactions with others; 1 is all."""


def _falling(lambdas: tuple[float, ...]) -> tuple[float, ...]:
    if lambdas[0] != 1 or lambdas[-1] != 0 or any(later >= first for first, later in pairwise(lambdas)):
        raise InputError(
            f"lambdas: {lambdas} are not allowed; they must fall from 1 to 0, such as (1, 0.5, 0)"
        )
    return lambdas


_Lambdas: TypeAlias = Annotated[tuple[float, ...], Field(min_length=2), AfterValidator(_falling)]


class AlchemicalSettings(Model):
    """How a solute is taken out of its solvent for a free energy.

    More values overlap more and cost more simulations; where the overlap is too small, the reason of the
    result says between which.

    Parameters
    ----------
    lambda_electrostatics
        Factors of the solute's charges, from 1 to 0; left out for a solute without charges. The free energy
        of charging is nearly quadratic, so that five serve a neutral molecule.
    lambda_sterics
        Of its Lennard-Jones interactions with other molecules, from 1 to 0, once its charges are off.
    """

    lambda_electrostatics: _Lambdas = (1.0, 0.75, 0.5, 0.25, 0.0)
    lambda_sterics: _Lambdas = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0)

    def states_in_solvent(self, *, charged: bool) -> tuple[AlchemicalState, ...]:
        """Return the states of a solute in its solvent, from all there to nothing left.

        Parameters
        ----------
        charged
            Whether it has charges.
        """
        sterics = tuple((0.0 if charged else 1.0, value) for value in self.lambda_sterics)
        return (*self.states_in_vacuum()[:-1], *sterics) if charged else sterics

    def states_in_vacuum(self) -> tuple[AlchemicalState, ...]:
        """Return the states of a solute alone, from all there to no charges."""
        return tuple((value, 1.0) for value in self.lambda_electrostatics)
