"""An extension of griffe, which reads our docstrings for mkdocstrings.

A model's constructor takes its fields: they are shown with their types and defaults, those of its bases too.
Formulas such as ``<V>`` in a docstring stay text: in Markdown they would be HTML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import griffe

__all__ = ["ModelInputs"]

_MODEL = "protocols.model.Model"
_CODE_OR_ANGLE = re.compile(r"(`+[^`]*`+)|<")


class ModelInputs(griffe.Extension):
    """Shows what constructors of models take."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Change what was read of a package."""
        for item in _objects(pkg):
            if item.docstring is not None:
                item.docstring.value = _CODE_OR_ANGLE.sub(
                    lambda found: found[1] or "&lt;", item.docstring.value
                )
        for kind in _objects(pkg):
            if isinstance(kind, griffe.Class) and kind.docstring is not None and _is_enumeration(kind):
                values = ", ".join(f"``{item.value}``" for item in kind.attributes.values())
                kind.docstring.value += f"\n\nIts values: {values}."
        models = [item for item in _objects(pkg) if isinstance(item, griffe.Class) and _is_plain_model(item)]
        for model in models:
            constructor = griffe.Function("__init__", parameters=griffe.Parameters(*_inputs(model)))
            model.set_member("__init__", constructor)


def _objects(item: griffe.Object) -> Iterator[griffe.Object]:
    yield item
    for member in item.members.values():
        if not member.is_alias:
            yield from _objects(member)


def _is_enumeration(item: griffe.Class) -> bool:
    return any(str(base).endswith("Enum") for base in item.bases)


def _is_plain_model(item: griffe.Class) -> bool:
    """Whether a class is a model whose constructor takes its fields and nothing else."""
    line = [item, *item.mro()]
    first = next((kind for kind in line if "__init__" in kind.members), None)
    return first is not None and first.path == _MODEL and item.path != _MODEL


def _inputs(model: griffe.Class) -> Iterator[griffe.Parameter]:
    fields: dict[str, griffe.Attribute] = {}
    for kind in reversed([model, *model.mro()]):
        for name, member in kind.members.items():
            if isinstance(member, griffe.Attribute) and _is_field(member) and not name.startswith("_"):
                fields[name] = member
    yield griffe.Parameter("self", kind=griffe.ParameterKind.positional_or_keyword)
    for name, field in fields.items():
        yield griffe.Parameter(
            name,
            annotation=_plain(_looked_up(field.annotation, field)),
            default=None if field.value is None else _default(str(_looked_up(field.value, field))),
            kind=griffe.ParameterKind.keyword_only,
        )


def _is_field(member: griffe.Attribute) -> bool:
    labels = member.labels
    return member.annotation is not None and "instance-attribute" in labels and "property" not in labels


def _looked_up(expression: Any, field: griffe.Attribute) -> Any:
    """Return what a private name of the field's module stands for."""
    name = str(expression)
    module = field.module.members
    return module[name].value if name.startswith("_") and name in module else expression  # type: ignore[union-attr]


def _plain(annotation: Any) -> Any:
    """Return a type without what pydantic checks beside it."""
    if isinstance(annotation, griffe.ExprBinOp):
        return griffe.ExprBinOp(_plain(annotation.left), annotation.operator, _plain(annotation.right))
    if isinstance(annotation, griffe.ExprSubscript) and str(annotation.left) == "Annotated":
        return annotation.slice.elements[0]
    return annotation


def _default(code: str) -> str:
    """Return a default as a user would give it."""
    code = re.sub(r"^quantity\((.*)\)$", r"\1", code)
    return re.sub(r"^Field\(default_factory=(\w+)\)$", r"\1()", code)
