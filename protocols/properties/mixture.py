"""What a property of mixing has: the mixture, and each of its components pure, at one state."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from protocols.analysis.combination import WeightedSum
from protocols.errors import InputError
from protocols.graphs.protocol import Protocol
from protocols.properties.averages import applied_pressure
from protocols.properties.base import Property, PropertyWorkflow, Replicas
from protocols.properties.liquid import liquid_replicas
from protocols.quantities import Quantity
from protocols.settings import SimulationSettings
from protocols.substance import Substance
from protocols.systems.sources import ParameterSource

__all__ = ["PropertyOfMixing"]


class PropertyOfMixing(Property):
    """X_mix - sum x_i X_i, X a property per mole of molecules and x_i the mole fractions in the box.

    Each pure component is simulated with as many molecules as the mixture, and so shares its simulations with
    other properties of the pure component. The numbers of molecules are whole, so that x_i may differ from
    what was asked for; the result says them.
    """

    @abstractmethod
    def average(self, simulations: Replicas, molecules: int) -> tuple[Quantity, Protocol]:
        """Return an average of one liquid, and the factor that makes it one per mole of molecules."""

    def workflow(
        self, force_field: ParameterSource, settings: SimulationSettings, rounds: Sequence[int] | None = None
    ) -> PropertyWorkflow:
        """Return the weighted sum of averages over the mixture and over each pure component."""
        applied_pressure(self)
        self._check()
        fractions = self.substance.mole_fractions(settings.number_of_molecules)
        liquids = [(self.substance, 1.0)]
        liquids += [(Substance.pure(smiles), -fraction) for smiles, fraction in fractions.items()]
        terms: list[tuple[str, Quantity, Protocol]] = []
        simulations: Replicas = ()
        for substance, weight in liquids:
            replicas = liquid_replicas(substance, self.state, force_field, settings, rounds)
            factor, average = self.average(replicas, settings.number_of_molecules)
            terms.append((str(substance), weight * factor, average))
            simulations += replicas
        return PropertyWorkflow(WeightedSum.of_averages(terms), simulations, len(liquids))

    def _check(self) -> None:
        name = type(self).__name__
        if len(self.substance.components) == 1:
            raise InputError(f"substance: {self.substance} is not allowed; {name} needs a mixture")
        for component in self.substance.components:
            if component.count is not None:
                raise InputError(
                    f"count: {component.count} of {component.smiles} is not allowed; "
                    f"{name} needs mole fractions"
                )
