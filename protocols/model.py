"""The base of everything a user constructs: frozen, typed, closed, with errors of one line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from protocols.errors import InputError

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
            message = detail["msg"].removeprefix("Input ").replace("should be", "must be")
            return f"{field}: {detail['input']!r} is not allowed; it {message}"
