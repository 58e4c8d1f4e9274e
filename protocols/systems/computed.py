"""ComputedForceField: a source whose parameters of each molecule are found by a task."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from typing import Any

from protocols.errors import InputError
from protocols.settings import InteractionSettings
from protocols.systems.forcefield import OpenMMForceField
from protocols.systems.sources import Parameterised, ParameterSource

__all__ = ["ComputedForceField", "joined"]


class ComputedForceField(ParameterSource, ABC):
    """A source whose preparations are OpenMM force fields, one for each molecule."""

    def completed(self, parameters: Sequence[ParameterSource]) -> ParameterSource:
        """Return the force field of all molecules whose parameters were found."""
        return joined(parameters) if parameters else self

    def parameterised(
        self,
        topology: Any,  # noqa: ARG002
        positions: Any,  # noqa: ARG002
        interactions: InteractionSettings,  # noqa: ARG002
        *,
        periodic: bool,  # noqa: ARG002
    ) -> Parameterised:
        """Refuse: the parameters are found by tasks."""
        raise InputError(f"parameters: none given; {self} needs the outputs of its preparations")


def joined(parameters: Sequence[ParameterSource]) -> OpenMMForceField:
    """Return one force field with the files of several, each file once.

    Raises
    ------
    InputError
        One of them is of another kind, or there is none.
    """
    other = next((source for source in parameters if not isinstance(source, OpenMMForceField)), None)
    if other is not None:
        raise InputError(f"parameters: {other} is not allowed; it is no set of OpenMM force-field files")
    files = [file for source in parameters if isinstance(source, OpenMMForceField) for file in source.files]
    return OpenMMForceField(files=tuple(dict.fromkeys(files)))
