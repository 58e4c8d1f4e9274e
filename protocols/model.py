"""The base of everything a user constructs: frozen, typed, closed, with errors of one line."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from protocols.errors import InputError
from protocols.identity import content, digest
from workflow_backends.spelling import did_you_mean

__all__ = ["Model"]


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
            rule = f"{_rule(detail)}{_or_none(detail, model)}"
            return f"{field}: {_shown(detail['input'])} is not allowed; it {rule}"


def _shown(value: Any) -> str:
    return "an empty value" if value is None else f"{value!r:.200}"


# Of pydantic's kinds of problems, by how their names begin, in plain words.
_RULES = {
    "int_": "must be a whole number",
    "float_": "must be a number",
    "bool_": "must be true or false",
    "dict_": "must have keys and values, each as 'key: value'",
    "model_": "must have keys and values, each as 'key: value'",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "greater_than_equal": "must be at least {ge:.15g}",
    "less_than_equal": "must be at most {le:.15g}",
    "greater_than": "must be more than {gt:.15g}",
    "less_than": "must be less than {lt:.15g}",
}


def _or_none(detail: Any, model: type[BaseModel]) -> str:
    """Say that a choice may be left open, where it may."""
    known = model.model_fields.get(str(detail["loc"][0])) if detail["loc"] else None
    optional = known is not None and type(None) in get_args(known.annotation)
    return ", or null (None in Python)" if detail["type"] == "literal_error" and optional else ""


def _rule(detail: Any) -> str:
    rule = next((rule for kind, rule in _RULES.items() if detail["type"].startswith(kind)), None)
    if rule is not None:
        return rule.format(**detail.get("ctx", {}))
    _, _, rest = detail["msg"].partition(" should ")
    return f"must {rest.partition(' after validation')[0]}" if rest else str(detail["msg"])
