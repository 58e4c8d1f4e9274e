"""Whether an output can be an input: their declared types, compared when protocols are wired.

Only what could never work is refused; where a declaration leaves doubt, the run decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from functools import lru_cache
from pathlib import Path, PurePath
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import pint
from pydantic import BaseModel, BeforeValidator, PlainValidator, RootModel, WrapValidator

from protocols.errors import InputError
from protocols.quantities import Dimension
from protocols.references import OutputReference, references_in

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from protocols.protocol import Protocol

__all__ = ["check_wiring"]

_SEQUENCES = (list, tuple, set, frozenset, Sequence)
_SCALARS = (bool, int, float, complex, str, bytes, PurePath, Enum, pint.Quantity, BaseModel)
_CONVERTING = (BeforeValidator, PlainValidator, WrapValidator)


class _Kind(NamedTuple):
    """One kind of value that a declaration allows.

    Parameters
    ----------
    cls
        Its class.
    dimension
        Of a quantity, in words; None for any.
    items
        What a sequence or the values of a mapping hold: one declaration for all, or one for each place; empty
        when that is not declared.
    by_place
        Whether there is one for each place.
    """

    cls: type
    dimension: str | None = None
    items: tuple[_Kinds, ...] = ()
    by_place: bool = False


_Kinds = tuple[_Kind, ...] | None  # None: anything


def check_wiring(cls: type[Protocol], field: str, value: Any) -> None:
    """Refuse an input with references of which one is an output of a type that the input cannot take.

    Parameters
    ----------
    cls
        Whose input it is.
    field
        The name of the input.
    value
        A reference, or references in lists, tuples and dicts.

    Raises
    ------
    InputError
        Names the input, what it takes, the output, and what that is.
    """
    _check(_input_kinds(cls, field), value, field)


def _check(taken: _Kinds, value: Any, where: str) -> None:
    if taken is None:
        return
    if isinstance(value, OutputReference):
        given = _output_kinds(value)
        if not _fits(given, taken):
            source = f"{type(value.protocol).__name__}.output.{value.name}"
            raise InputError(f"{where}: takes {_words(taken)}, and {source} is {_words(given)}")
    elif isinstance(value, list | tuple | dict) and next(references_in(value), None) is not None:
        container = Mapping if isinstance(value, dict) else _SEQUENCES
        containers = [kind for kind in taken if issubclass(kind.cls, container)]
        if not containers:
            raise InputError(f"{where}: takes {_words(taken)}, and a {type(value).__name__} is given")
        for place, item in value.items() if isinstance(value, dict) else enumerate(value):
            _check(_held(containers, place), item, f"{where}[{place!r}]")


def _held(containers: list[_Kind], place: Any) -> _Kinds:
    """Return what the containers take at an index or for a key."""
    held: list[_Kind] = []
    for kind in containers:
        index = place if kind.by_place else 0
        kinds = kind.items[index] if index < len(kind.items) else None
        if kinds is None:
            return None
        held += kinds
    return tuple(held)


@lru_cache(maxsize=4096)
def _input_kinds(cls: type[Protocol], field: str) -> _Kinds:
    decorators = cls.__pydantic_decorators__
    converted = any(
        decorator.info.mode != "after"
        for name, decorator in decorators.field_validators.items()
        if name != "_accept_references" and {field, "*"} & set(decorator.info.fields)
    )
    if converted or _converts(cls):
        return None
    return _declared(cls.model_fields[field])


def _output_kinds(reference: OutputReference) -> _Kinds:
    cls, types = type(reference.protocol), reference.protocol.output_types
    if types is cls.Outputs.model_fields:
        return _class_output_kinds(cls, reference.name)
    return _declared(types[reference.name])


@lru_cache(maxsize=4096)
def _class_output_kinds(cls: type[Protocol], name: str) -> _Kinds:
    return _declared(cls.Outputs.model_fields[name])


def _declared(field: FieldInfo) -> _Kinds:
    return _kinds(field.annotation, tuple(field.metadata))


def _kinds(annotation: Any, metadata: tuple[Any, ...] = ()) -> _Kinds:
    """Return what an annotation allows; None itself is left out, since what is wired is there."""
    origin, args = get_origin(annotation), get_args(annotation)
    if any(isinstance(item, _CONVERTING) for item in metadata):
        return None
    if origin is Annotated:
        return _kinds(args[0], (*metadata, *args[1:]))
    if origin in {Union, UnionType}:
        return _joined([_kinds(arg, metadata) for arg in args if arg is not NoneType])
    if origin is Literal:
        return tuple(_Kind(type(arg)) for arg in args if arg is not None) or None
    cls = origin or annotation
    return _class_kinds(cls, args, metadata) if isinstance(cls, type) else None


def _class_kinds(cls: type, args: tuple[Any, ...], metadata: tuple[Any, ...]) -> _Kinds:
    if issubclass(cls, pint.Quantity):
        return (_Kind(cls, next((item.name for item in metadata if isinstance(item, Dimension)), None)),)
    if issubclass(cls, Mapping):
        return (_Kind(cls, items=(_kinds(args[1]),) if len(args) == 2 else ()),)
    if issubclass(cls, _SCALARS):  # before sequences, since a text is one
        return None if issubclass(cls, BaseModel) and _converts(cls) else (_Kind(cls),)
    if issubclass(cls, _SEQUENCES):
        by_place = issubclass(cls, tuple) and Ellipsis not in args
        held = tuple(_kinds(arg) for arg in args if arg is not Ellipsis)
        return (_Kind(cls, items=held, by_place=by_place),)
    return None


def _joined(alternatives: list[_Kinds]) -> _Kinds:
    joined: list[_Kind] = []
    for kinds in alternatives:
        if kinds is None:
            return None
        joined += kinds
    return tuple(joined) or None


def _converts(model: type[BaseModel]) -> bool:
    """Whether a model may be made of something else than its fields."""
    validators = model.__pydantic_decorators__.model_validators.values()
    return issubclass(model, RootModel) or any(item.info.mode != "after" for item in validators)


def _fits(given: _Kinds, taken: _Kinds) -> bool:
    if given is None or taken is None:
        return True
    return any(_one_fits(one, other) for one in given for other in taken)


def _one_fits(given: _Kind, taken: _Kind) -> bool:
    if issubclass(given.cls, pint.Quantity) and issubclass(taken.cls, pint.Quantity):
        return given.dimension == taken.dimension or None in (given.dimension, taken.dimension)
    if _is_sequence(given.cls) and _is_sequence(taken.cls):
        return _items_fit(given, taken)
    if issubclass(given.cls, Mapping) and issubclass(taken.cls, Mapping):
        return _items_fit(given, taken)
    if issubclass(given.cls, taken.cls) or issubclass(taken.cls, given.cls):
        return True
    if issubclass(given.cls, int) and issubclass(taken.cls, float | complex):
        return True
    # Text is how these are written, and a member of an Enum is found by its value.
    return (given.cls is str and issubclass(taken.cls, PurePath | pint.Quantity)) or issubclass(
        taken.cls, Enum
    )


def _is_sequence(cls: type) -> bool:
    return issubclass(cls, _SEQUENCES) and not issubclass(cls, str | bytes)


def _items_fit(given: _Kind, taken: _Kind) -> bool:
    if not given.items or not taken.items:
        return True
    if given.by_place and taken.by_place:
        pairs = list(zip(given.items, taken.items, strict=False))
        return len(given.items) == len(taken.items) and all(_fits(one, other) for one, other in pairs)
    return all(_fits(one, other) for one in given.items for other in taken.items)


def _words(kinds: _Kinds) -> str:
    if kinds is None:
        return "anything"
    return " or ".join(dict.fromkeys(_article(_name(kind)) for kind in kinds))


def _name(kind: _Kind) -> str:
    if issubclass(kind.cls, pint.Quantity):
        return kind.dimension or "quantity"
    name = "Path" if issubclass(kind.cls, Path) else kind.cls.__name__
    held = {_words(item).partition(" ")[2] for item in kind.items if item is not None}
    return f"{name} of {' and '.join(sorted(held))}" if held else name


def _article(word: str) -> str:
    return f"{'an' if word[0].lower() in 'aeiou' else 'a'} {word}"
