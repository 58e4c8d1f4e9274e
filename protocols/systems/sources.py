"""ParameterSource: what every source of force-field parameters has in common, whatever files it has."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from protocols.errors import InputError
from protocols.graphs.plugins import find_class
from protocols.late import import_late
from protocols.model import Model
from protocols.settings import InteractionSettings

__all__ = ["ANY_SOURCE", "GivenBox", "ParameterSource", "Parameterised", "preparations"]

ANY_SOURCE = {"$comment": "ParameterSource"}
"""The JSON schema of an input that takes any source; it may hold others, and so stands for itself."""


class GivenBox(NamedTuple):
    """A box that somebody else has made.

    Parameters
    ----------
    name
        Of the file.
    topology
        OpenMM's, of atoms and bonds without virtual sites.
    positions
        Of its atoms in nanometres, shape (atoms, 3).
    vectors
        Of the box in nanometres, shape (3, 3).
    """

    name: str
    topology: Any
    positions: NDArray[np.float64]
    vectors: NDArray[np.float64]


class Parameterised(NamedTuple):
    """Molecules with their parameters.

    Parameters
    ----------
    system
        OpenMM System.
    topology
        OpenMM topology of its particles, virtual sites included.
    positions
        Of all particles, an openmm Quantity; those of virtual sites need not be right.
    """

    system: Any
    topology: Any
    positions: Any


def _source_of(value: Any) -> ParameterSource:
    """Return the source that an input stands for."""
    if isinstance(value, ParameterSource):
        return value
    if isinstance(value, dict) and "type" in value:
        kind: Any = find_class(str(value["type"]), ParameterSource)
        _check_complete(kind, value)
        return kind(**value)  # type: ignore[no-any-return]
    if isinstance(value, list | tuple) and any(isinstance(item, dict | ParameterSource) for item in value):
        several: Any = import_late("protocols.systems.combined").CombinedForceField
        return several(*value)  # type: ignore[no-any-return]
    named: Any = import_late("protocols.systems.forcefield").OpenMMForceField
    return named.model_validate(value)  # type: ignore[no-any-return]


def _check_complete(kind: type[Any], inputs: dict[Any, Any]) -> None:
    """Raise InputError for an input that a constructor cannot do without."""
    for parameter in inspect.signature(kind).parameters.values():
        required = parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        if required and parameter.name not in inputs:
            raise InputError(f"force_field: {parameter.name} is missing; {kind.__name__} needs it")


class ParameterSource(Model, ABC):
    """Where force-field parameters come from; held by content, so that a worker needs no file.

    An input of this type takes any source. It takes the name of an OpenMM force-field file too, or a list of
    names, for an `OpenMMForceField`, and a list of sources for a
    `CombinedForceField`. A document writes a source as its fields, among which ``type`` names the
    class: one of this package, of a plugin, or "package.module:Class". A class of its own declares
    ``type: Literal["package.module:Class"] = "package.module:Class"``.
    """

    @abstractmethod
    def check_covers(self, smiles: str) -> None:
        """Raise InputError unless there are parameters for this molecule.

        The message names the molecule, and the atom where there is one. It is called before any work starts,
        so that it must be quick.
        """

    def preparations(self, smiles: str) -> tuple[Any, ...]:  # noqa: ARG002
        """Return outputs of protocols that must run before this molecule has all its parameters.

        Each output, ``protocol.output.name``, is a source that needs no preparation. Most sources need none.
        """
        return ()

    def completed(self, parameters: Sequence[ParameterSource]) -> ParameterSource:  # noqa: ARG002
        """Return the source that has the parameters which its preparations found."""
        return self

    def given_box(self) -> GivenBox | None:
        """Return the box that comes with the parameters and is simulated as it is; most sources have none."""
        return None

    @abstractmethod
    def parameterised(
        self, topology: Any, positions: Any, interactions: InteractionSettings, *, periodic: bool
    ) -> Parameterised:
        """Return an OpenMM System of molecules.

        Parameters
        ----------
        topology
            OpenMM's, of atoms and bonds without virtual sites, with box vectors where periodic.
        positions
            Of its atoms, an openmm Quantity.
        interactions
            Cutoff, constraints, ...
        periodic
            Whether interactions are those of a box, with particle-mesh Ewald where there are charges, or of
            molecules in vacuum, without cutoff.

        Raises
        ------
        InputError
            A molecule is not covered, or the source has not been completed.
        """

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Take any source where the base is declared, and the fields of a class where that class is."""
        if ABC not in cls.__bases__:
            return handler(source)
        return core_schema.no_info_plain_validator_function(_source_of)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Mark the places where any source may stand, which the schema of documents describes."""
        return dict(ANY_SOURCE) if ABC in cls.__bases__ else handler(schema)


def preparations(source: ParameterSource, smiles: Sequence[str]) -> tuple[Any, ...]:
    """Return what a source needs before it has all parameters of these molecules, each once."""
    return tuple(output for each in dict.fromkeys(smiles) for output in source.preparations(each))
