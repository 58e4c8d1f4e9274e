"""The JSON Schema of documents, draft 2020-12, for editors and for programs that write documents."""

from __future__ import annotations

from typing import Any

import pint
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from protocols.document import FORMAT, VERSION
from protocols.plugins import shipped_classes
from protocols.protocol import Protocol
from protocols.quantities import exact_text

__all__ = ["workflow_schema"]

_REFERENCE = "#/$defs/output"


def workflow_schema() -> dict[str, Any]:
    """Return the JSON Schema of a document.

    The inputs of the protocols of this package are described one by one. Those of plugins and of classes of
    the user's own are left open.
    """
    classes = dict(sorted(shipped_classes(Protocol).items()))
    keys, shared = models_json_schema(
        [(cls, "validation") for cls in classes.values()], schema_generator=_Generator
    )
    definitions = dict(shared["$defs"])
    inputs = {name: keys[(cls, "validation")]["$ref"] for name, cls in classes.items()}
    for reference in inputs.values():
        name = reference.rpartition("/")[2]
        definitions[name] = _wired(definitions[name])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{FORMAT.replace('/', ':')}:{VERSION}",
        "title": "Workflow",
        "description": "Protocols by label, each with its inputs: values, or outputs of other protocols.",
        "type": "object",
        "additionalProperties": False,
        "required": ["format", "version", "protocols"],
        "properties": {
            "format": {"const": FORMAT},
            "version": {"const": VERSION},
            "protocols": {"type": "object", "additionalProperties": {"$ref": "#/$defs/protocol"}},
        },
        "$defs": definitions
        | {
            "output": _output(),
            "protocol": _protocol({name: (classes[name].version, inputs[name]) for name in classes}),
        },
    }


class _Generator(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        """Return a default as a document holds it."""
        return exact_text(dft) if isinstance(dft, pint.Quantity) else super().encode_default(dft)


def _output() -> dict[str, Any]:
    return {
        "description": "An output of another protocol: its label, a dot, and the name of the output.",
        "type": "object",
        "additionalProperties": False,
        "required": ["$output"],
        "properties": {"$output": {"type": "string", "pattern": r"^.*\.[^.]+$"}},
    }


def _protocol(known: dict[str, tuple[int, str]]) -> dict[str, Any]:
    """Return the schema of one protocol, whose type decides what its inputs are."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["type", "version", "inputs"],
        "properties": {
            "type": {
                "description": "A protocol of this package, of a plugin, or a class as package.module:Class.",
                "type": "string",
                "examples": list(known),
            },
            "version": {"type": "integer", "minimum": 1},
            "inputs": {"type": "object"},
        },
        "allOf": [
            {
                "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
                "then": {"properties": {"version": {"const": version}, "inputs": {"$ref": inputs}}},
            }
            for name, (version, inputs) in known.items()
        ],
    }


def _wired(protocol: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a protocol's inputs, of which each may be an output, and so may its items."""
    properties = {name: _or_output(schema) for name, schema in protocol.get("properties", {}).items()}
    return protocol | {"properties": properties}


def _or_output(schema: Any) -> Any:
    if not isinstance(schema, dict):  # true and false are schemas too
        return schema
    outside = {key: schema[key] for key in ("title", "description", "default", "examples") if key in schema}
    inside = {key: value for key, value in schema.items() if key not in outside}
    return outside | {"anyOf": [_items_or_outputs(inside), {"$ref": _REFERENCE}]}


def _items_or_outputs(schema: dict[str, Any]) -> dict[str, Any]:
    changed = dict(schema)
    for key in {"items", "additionalProperties"} & set(schema):
        changed[key] = _or_output(schema[key])
    if "prefixItems" in schema:
        changed["prefixItems"] = [_or_output(item) for item in schema["prefixItems"]]
    if "anyOf" in schema:
        changed["anyOf"] = [_items_or_outputs(item) for item in schema["anyOf"]]
    return changed
