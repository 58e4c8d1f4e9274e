"""The base of everything a user constructs: frozen, typed, closed, with errors of one line."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from protocols.errors import InputError
from protocols.identity import content, digest

__all__ = ["Model"]


class Model(BaseModel):
    """A frozen pydantic model that refuses unknown fields and raises InputError in one line."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, validate_default=True, allow_inf_nan=False
    )

    if not TYPE_CHECKING:  # the type checker sees the signature that pydantic derives from the fields

        def __init__(self, **inputs: Any) -> None:
            try:
                super().__init__(**inputs)
            except ValidationError as error:
                raise InputError(one_line(error, type(self))) from None

    def identity_content(self) -> Any:
        """Return the name of the class and its fields, as plain data: files by content, one unit each."""
        return self._content

    @cached_property
    def _content(self) -> Any:
        kind = type(self)
        fields = {name: content(getattr(self, name), f"{kind.__name__}.{name}") for name in kind.model_fields}
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


def _describe(detail: Any, model: type[BaseModel]) -> str:
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        return str(cause)
    field = ".".join(str(part) for part in detail["loc"]) or model.__name__
    match detail["type"]:
        case "missing":
            return f"{field}: missing; {model.__name__} needs it"
        case "extra_forbidden":
            known = ", ".join(model.model_fields) or "none"
            return f"{field}: not an input of {model.__name__}; its inputs are {known}"
        case "value_error":
            return f"{field}: {cause}"
        case _:
            _, _, rule = detail["msg"].partition(" should ")
            message = f"must {rule.partition(' after validation')[0]}" if rule else detail["msg"]
            return f"{field}: {detail['input']!r} is not allowed; it {message}"
