"""CombinedForceField: several sources of parameters, each for the molecules that it covers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from protocols.errors import InputError
from protocols.settings import InteractionSettings
from protocols.systems.computed import joined
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.gaff import GaffForceField
from protocols.systems.smirnoff import SmirnoffForceField
from protocols.systems.sources import Parameterised, ParameterSource

__all__ = ["CombinedForceField"]

_Source = OpenMMForceField | GaffForceField | SmirnoffForceField


class CombinedForceField(ParameterSource):
    """Several sources of parameters, of which the first that covers a molecule gives it its parameters.

    For example a GAFF solute in TIP3P water:
    ``CombinedForceField(GaffForceField(), OpenMMForceField("tip3p.xml"))``.

    Parameters
    ----------
    *sources
        Two or more: OpenMMForceField or the name of a file for one, GaffForceField, SmirnoffForceField. They
        must scale 1-4 interactions alike.

    Raises
    ------
    InputError
        There are fewer than two, or one is of another kind.
    """

    type: Literal["CombinedForceField"] = "CombinedForceField"
    sources: tuple[_Source, ...]

    if TYPE_CHECKING:

        def __init__(self, *sources: _Source | str) -> None: ...

    else:

        def __init__(self, *sources: _Source | str, **inputs: Any) -> None:
            for source in sources:
                if not isinstance(source, _Source | str):
                    raise InputError(
                        f"sources: {source!r:.60} is not allowed; combine OpenMMForceField, GaffForceField "
                        "and SmirnoffForceField"
                    )
            super().__init__(**({"sources": sources} if sources else {}), **inputs)
            if len(self.sources) < 2:
                raise InputError(f"sources: {len(self.sources)} given; a combination needs at least two")

    def check_covers(self, smiles: str) -> None:
        """Raise InputError unless one of the sources covers the molecule."""
        self._source_of(smiles)

    def preparations(self, smiles: str) -> tuple[Any, ...]:
        """Return what the source of this molecule needs."""
        return self._source_of(smiles).preparations(smiles)

    def completed(self, parameters: Sequence[ParameterSource]) -> ParameterSource:
        """Return one force field of all files."""
        files = [source for source in self.sources if isinstance(source, OpenMMForceField)]
        return joined([*files, *parameters])

    def parameterised(
        self, topology: Any, positions: Any, interactions: InteractionSettings, *, periodic: bool
    ) -> Parameterised:
        """Return an OpenMM System of molecules that need no preparation."""
        return self.completed(()).parameterised(topology, positions, interactions, periodic=periodic)

    def _source_of(self, smiles: str) -> ParameterSource:
        """Return the first source that covers a molecule."""
        problems = []
        for source in self.sources:
            try:
                source.check_covers(smiles)
            except InputError as problem:
                problems.append(str(problem).removeprefix("force_field: "))
            else:
                return source
        raise InputError(f"force_field: {'; '.join(problems)}")

    def __str__(self) -> str:
        return " + ".join(str(source) for source in self.sources)
