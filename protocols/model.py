"""The base of everything a user constructs: frozen, typed, closed, with errors of one line."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from protocols.errors import InputError
from protocols.identity import content, digest

__all__ = ["Model", "did_you_mean"]


class Model(BaseModel):
    """A frozen pydantic model that refuses unknown fields and raises InputError in one line."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, validate_default=True, allow_inf_nan=False
    )

    later_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields that are newer than results that are kept; the identity has them where they are not default."""

    if not TYPE_CHECKING:  # the type checker sees the signature that pydantic derives from the fields

        def __init__(self, **inputs: Any) -> None:
            try:
                super().__init__(**inputs)
            except ValidationError as error:
                problem = InputError(one_line(error, type(self)))
                problem.problems = problems(error, type(self))
                raise problem from None

    def identity_content(self) -> Any:
        """Return the name of the class and its fields, as plain data: files by content, one unit each."""
        return self._content

    @cached_property
    def _content(self) -> Any:
        kind = type(self)
        names = [
            name
            for name, field in kind.model_fields.items()
            if name not in kind.later_fields or getattr(self, name) != field.default
        ]
        fields = {name: content(getattr(self, name), f"{kind.__name__}.{name}") for name in names}
        return {"model": kind.__qualname__, "fields": fields}

    def __copy__(self) -> Self:
        """Copy the fields without what was computed of them, since model_copy may change them next."""
        copied = super().__copy__()
        for name in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[name]
        return copied

    def __getstate__(self) -> dict[Any, Any]:
        """Pickle the fields alone."""
        state = super().__getstate__()
        fields = type(self).model_fields
        return state | {"__dict__": {name: v for name, v in state["__dict__"].items() if name in fields}}

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(digest(self.identity_content()))


def one_line(error: ValidationError, model: type[BaseModel]) -> str:
    """Return pydantic's report as one line that names each field, its value and what is allowed."""
    return "; ".join(_describe(detail, model) for detail in error.errors(include_url=False))


def problems(error: ValidationError, model: type[BaseModel]) -> tuple[tuple[tuple[str | int, ...], str], ...]:
    """Return where each problem is and what is told of it, those of models inside by themselves."""
    found: list[tuple[tuple[str | int, ...], str]] = []
    for detail in error.errors(include_url=False):
        cause = detail.get("ctx", {}).get("error")
        inside = cause.problems if isinstance(cause, InputError) else ()
        here = tuple(detail["loc"])
        found += [((*here, *place), message) for place, message in inside] or [
            (here, _describe(detail, model))
        ]
    return tuple(found)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint at the name that was probably meant, or nothing."""
    close = get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _describe(detail: Any, model: type[BaseModel]) -> str:
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        return str(cause)
    field = ".".join(str(part) for part in detail["loc"]) or model.__name__
    name = model.model_config.get("title", model.__name__)
    match detail["type"]:
        case "missing":
            return f"{field}: missing; {name} needs it"
        case "extra_forbidden":
            known = ", ".join(model.model_fields) or "none"
            hint = did_you_mean(field, model.model_fields)
            return f"{field}: not an input of {name}{hint}; its inputs are {known}"
        case "value_error":
            return f"{field}: {cause}"
        case _:
            _, _, rule = detail["msg"].partition(" should ")
            message = f"must {rule.partition(' after validation')[0]}" if rule else detail["msg"]
            return f"{field}: {detail['input']!r} is not allowed; it {message}"
