"""CombinedForceField: molecules of one box with parameters of several sources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from pydantic import model_validator

from protocols.errors import InputError
from protocols.settings import InteractionSettings
from protocols.systems.molecules import (
    Graph,
    ParameterisedMolecules,
    Pick,
    assembled,
    formula,
    graphs_of,
    only_atoms,
)
from protocols.systems.sources import Parameterised, ParameterSource

__all__ = ["CombinedForceField"]

_FLEXIBLE = InteractionSettings(constraints=None, rigid_water=False)


class CombinedForceField(ParameterSource):
    """Several sources, such as one of a solute and one of water; each molecule takes the first for it.

    Molecules of different sources interact by the Lorentz-Berthelot rules of a NonbondedForce. Sources whose
    molecules interact by formulas of their own cannot be combined.

    Parameters
    ----------
    *sources
        Two or more, of which a name stands for an `OpenMMForceField`. An input takes a list of them too.

    Raises
    ------
    InputError
        There are fewer than two, one is a combination itself, or one is a whole box.
    """

    type: Literal["CombinedForceField"] = "CombinedForceField"
    sources: tuple[ParameterSource, ...]

    if TYPE_CHECKING:

        def __init__(self, *sources: ParameterSource | str) -> None: ...

    else:

        def __init__(self, *sources: Any, **inputs: Any) -> None:
            super().__init__(**({"sources": sources} | inputs))

    @model_validator(mode="after")
    def _fit_together(self) -> CombinedForceField:
        if len(self.sources) < 2:
            raise InputError(f"sources: {len(self.sources)} given; a combination needs at least two")
        for source in self.sources:
            if isinstance(source, CombinedForceField):
                raise InputError(
                    f"sources: {source!r:.60} is not allowed; combine OpenMMForceField, GaffForceField and "
                    "SmirnoffForceField, or files of single molecules"
                )
            if source.given_box() is not None:
                raise InputError(f"force_field: {source} is a whole box; it cannot be combined with others")
        return self

    def check_covers(self, smiles: str) -> None:
        """Raise InputError unless one of the sources has parameters for this molecule."""
        self._of(smiles)

    def preparations(self, smiles: str) -> tuple[Any, ...]:
        """Return those of the source that covers the molecule."""
        return self._of(smiles).preparations(smiles)

    def completed(self, parameters: Sequence[ParameterSource]) -> ParameterSource:
        """Return the sources with what their preparations found."""
        return CombinedForceField(*(source.completed(parameters) for source in self.sources))

    def parameterised(
        self, topology: Any, positions: Any, interactions: InteractionSettings, *, periodic: bool
    ) -> Parameterised:
        """Return the System of molecules, each kind with the parameters of the source that covers it."""
        known: dict[Graph, tuple[ParameterisedMolecules, tuple[int, ...]]] = {}
        picks = []
        for graph, atoms in graphs_of(topology):
            if graph not in known:
                source = self._parameters(*only_atoms(topology, positions, atoms))
                [(_, match)] = source.find(graph)
                known[graph] = source, match
            source, match = known[graph]
            picks.append(Pick(source, 0, tuple(atoms[place] for place in match)))
        return assembled(picks, topology, positions, interactions, periodic=periodic, name=str(self))

    def _parameters(self, topology: Any, positions: Any) -> ParameterisedMolecules:
        """Return one molecule with the parameters of the first source that covers it."""
        for source in self.sources:
            try:
                made = source.parameterised(topology, positions, _FLEXIBLE, periodic=False)
            except ValueError:
                continue
            return ParameterisedMolecules(made.system, made.topology)
        [(graph, _)] = graphs_of(topology)
        raise InputError(f"force_field: {self} does not cover a molecule {formula(graph)}")

    def _of(self, smiles: str) -> ParameterSource:
        problems = []
        for source in self.sources:
            try:
                source.check_covers(smiles)
            except InputError as error:
                problems.append(str(error).removeprefix("force_field: "))
            else:
                return source
        raise InputError(f"force_field: no source covers {smiles}: {'; '.join(problems)}")

    def __str__(self) -> str:
        return " + ".join(str(source) for source in self.sources)
