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
from pydantic import (
    BaseModel,
    BeforeValidator,
    PlainValidator,
    RootModel,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    create_model,
)

from protocols.errors import InputError
from protocols.graphs.references import OutputReference, Placeholder, references_in
from protocols.model import Model
from protocols.quantities import Dimension

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from protocols.graphs.protocol import Protocol

__all__ = ["wired"]

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


def wired(cls: type[Protocol], field: str, value: Any) -> Any:
    """Return an input with references in it, checked as far as can be told before anything has run.

    Parameters
    ----------
    cls
        Whose input it is.
    field
        The name of the input.
    value
        A reference, or references among other values in lists, tuples and dicts.

    Returns
    -------
    Any
        The input, in which all that is no reference has become what the field declares.

    Raises
    ------
    InputError
        An output is of a type that the input cannot take, or a value is not allowed; the message names both
        sides.
    """
    taken = _input_kinds(cls, field)
    _check(taken, value, field)
    if taken is None or isinstance(value, OutputReference):
        return tuple(value) if isinstance(value, list) else value
    return getattr(_holder(cls, field)(**{field: value}), field)


@lru_cache(maxsize=1024)
def _holder(cls: type[Protocol], field: str) -> type[Model]:
    """Return a model of the field alone that takes references for its items."""
    declared = cls.model_fields[field]
    annotation: Any = Annotated[(_open(declared.annotation), *declared.metadata, _KEEP)]
    return create_model(cls.__name__, __base__=Model, **{field: (annotation, ...)})  # type: ignore[call-overload, no-any-return]


def _open(annotation: Any) -> Any:
    """Return the annotation of a container with one that takes references for its items."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return Annotated[(_open(args[0]), *args[1:])]
    if origin in {Union, UnionType}:
        return Union[tuple(_open(arg) for arg in args)]  # noqa: UP007  # the members are not known here
    if _is_container(origin):
        items = tuple(arg if arg is Ellipsis else Annotated[_open(arg), _KEEP] for arg in args)
        return origin[items] if origin is tuple or len(items) > 1 else origin[items[0]]
    return annotation


def _is_container(cls: Any) -> bool:
    return isinstance(cls, type) and issubclass(cls, (*_SEQUENCES, Mapping))


def _keep_reference(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    return value if isinstance(value, OutputReference | Placeholder) else validate(value)


_KEEP = WrapValidator(_keep_reference)


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
    if any(is_one(given.cls) and is_one(taken.cls) for is_one in (_is_sequence, _is_mapping)):
        return _items_fit(given, taken)
    if issubclass(given.cls, taken.cls) or issubclass(taken.cls, given.cls):
        return True
    if issubclass(given.cls, int) and issubclass(taken.cls, float | complex):
        return True
    # Text is how paths and quantities are written, and a member of an Enum is found by its value.
    if issubclass(taken.cls, Enum):
        return given.cls in {int, float, str}
    return given.cls is str and issubclass(taken.cls, PurePath | pint.Quantity)


def _is_sequence(cls: type) -> bool:
    return issubclass(cls, _SEQUENCES) and not issubclass(cls, str | bytes)


def _is_mapping(cls: type) -> bool:
    return issubclass(cls, Mapping)


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
