"""The JSON Schema of documents, draft 2020-12, for editors and for programs that write documents."""

from __future__ import annotations

from typing import Any

import pint
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from protocols.graphs.document import FORMAT, VERSION
from protocols.graphs.plugins import shipped_classes
from protocols.graphs.protocol import Protocol
from protocols.quantities import exact_text
from protocols.running.groups import ConditionalGroup
from protocols.systems.sources import ANY_SOURCE, ParameterSource

__all__ = ["SchemaGenerator", "source_definitions", "with_sources", "workflow_schema"]

_OUTPUT, _MEMBER_OUTPUT = "#/$defs/output", "#/$defs/member_output"
_GROUP_VALUE = "#/$defs/group_value"
_NAMED_OUTPUT = {"type": "string", "pattern": r"^.*\.[^.]+$"}
_ANY = {"$ref": "#/$defs/ParameterSource"}
_MEMBER = "-member"  # ends the name of a protocol's schema as a member


def workflow_schema() -> dict[str, Any]:
    """Return the JSON Schema of a document.

    The inputs of the protocols of this package are described one by one. Those of plugins and of classes of
    the user's own are left open.
    """
    classes = dict(sorted(shipped_classes(Protocol).items()))
    keys, shared = models_json_schema(
        [(cls, "validation") for cls in classes.values()], schema_generator=SchemaGenerator
    )
    definitions: dict[str, Any] = with_sources(shared["$defs"]) | source_definitions()
    inputs = {name: keys[(cls, "validation")]["$ref"] for name, cls in classes.items()}
    versions = {name: cls.version for name, cls in classes.items()}
    group = inputs[ConditionalGroup.__name__]
    of_members = {name: f"{reference}{_MEMBER}" for name, reference in inputs.items() if reference != group}
    for reference in inputs.values():
        name = reference.rpartition("/")[2]
        plain, definitions[name] = definitions[name], _wired(definitions[name], _OUTPUT)
        if reference == group:
            definitions[name] = _group(definitions[name])
        else:
            definitions[f"{name}{_MEMBER}"] = _wired(plain, _GROUP_VALUE)
    definitions["Condition"]["properties"]["output"] = {"$ref": _MEMBER_OUTPUT}
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
            "output": _reference("$output", "of another protocol: its label"),
            "member_output": _reference("$member", "of a member of the group: its name"),
            "group_value": _group_value(),
            "protocol": _protocol(versions, inputs),
            "member": _protocol(versions, of_members)
            | {"not": {"properties": {"type": {"const": "ConditionalGroup"}}}},
        },
    }


def source_definitions() -> dict[str, Any]:
    """Return the definition of "ParameterSource", whatever may stand for one, and those that it refers to.

    Sources of plugins and of classes of the user's own are left open.
    """
    sources = shipped_classes(ParameterSource).values()
    keys, shared = models_json_schema(
        [(cls, "validation") for cls in sources], schema_generator=SchemaGenerator
    )
    definitions: dict[str, Any] = with_sources(shared["$defs"])
    typed = [name for name, found in definitions.items() if "type" in found.get("properties", {})]
    for name in typed:
        definitions[name]["required"] = ["type", *definitions[name].get("required", ())]
    other = {"type": "string", "not": {"enum": [cls.__name__ for cls in sources]}}
    definitions["ParameterSource"] = {
        "anyOf": [
            *(keys[(cls, "validation")] for cls in sources),
            {"type": "array", "items": _ANY, "minItems": 1},
            {"type": "object", "required": ["type"], "properties": {"type": other}},
        ]
    }
    return definitions


def with_sources(schema: Any) -> Any:
    """Return a schema with a reference in every place where any source of parameters may stand."""
    if isinstance(schema, list):
        return [with_sources(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.items() >= ANY_SOURCE.items():
        return {key: item for key, item in schema.items() if key not in ANY_SOURCE} | _ANY
    return {key: with_sources(item) for key, item in schema.items()}


class SchemaGenerator(GenerateJsonSchema):
    """Writes quantities among defaults as documents hold them."""

    def encode_default(self, dft: Any) -> Any:
        """Return a default as a document holds it."""
        return exact_text(dft) if isinstance(dft, pint.Quantity) else super().encode_default(dft)


def _reference(key: str, whose: str) -> dict[str, Any]:
    return _marker(f"An output {whose}, a dot, and the name of the output.", {key: _NAMED_OUTPUT})


def _marker(description: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "description": description,
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


def _group_value() -> dict[str, Any]:
    """Return the schema of what a member may take in place of a value."""
    before = "The output of a member in the iteration before; in the first, the start."
    so_far = "The output of a member in every iteration so far."
    number = "The number of the iteration; counting starts with this one."
    return {
        "anyOf": [
            {"$ref": _OUTPUT},
            {"$ref": _MEMBER_OUTPUT},
            _marker(before, {"$previous": _NAMED_OUTPUT, "start": {}}),
            _marker(so_far, {"$collected": _NAMED_OUTPUT}),
            _marker(number, {"$iteration": {"type": "integer"}}),
        ]
    }


def _group(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a group's inputs, in which members and their outputs have a form of their own."""
    own = {
        "protocols": {
            "type": "object",
            "additionalProperties": {"$ref": "#/$defs/member"},
            "minProperties": 1,
        },
        "conditions": {"type": "array", "items": {"$ref": "#/$defs/Condition"}, "minItems": 1},
        "outputs": {"type": "object", "additionalProperties": {"$ref": _MEMBER_OUTPUT}},
    }
    return schema | {"properties": schema["properties"] | own}


def _protocol(versions: dict[str, int], inputs: dict[str, str]) -> dict[str, Any]:
    """Return the schema of one protocol, whose type decides what its inputs are."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["type", "version", "inputs"],
        "properties": {
            "type": {
                "description": "A protocol of this package, of a plugin, or a class as package.module:Class.",
                "type": "string",
                "examples": list(inputs),
            },
            "version": {"type": "integer", "minimum": 1},
            "inputs": {"type": "object"},
        },
        "allOf": [
            {
                "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
                "then": {"properties": {"version": {"const": versions[name]}, "inputs": {"$ref": reference}}},
            }
            for name, reference in inputs.items()
        ],
    }


def _wired(protocol: dict[str, Any], reference: str) -> dict[str, Any]:
    """Return the schema of a protocol's inputs, of which each may be a reference, and so may its items."""
    properties = protocol.get("properties", {})
    return protocol | {"properties": {name: _or(item, reference) for name, item in properties.items()}}


def _or(schema: Any, reference: str) -> Any:
    if not isinstance(schema, dict):  # true and false are schemas too
        return schema
    outside = {key: schema[key] for key in ("title", "description", "default", "examples") if key in schema}
    inside = {key: value for key, value in schema.items() if key not in outside}
    return outside | {"anyOf": [_items_or(inside, reference), {"$ref": reference}]}


def _items_or(schema: dict[str, Any], reference: str) -> dict[str, Any]:
    changed = dict(schema)
    for key in {"items", "additionalProperties"} & set(schema):
        changed[key] = _or(schema[key], reference)
    if "prefixItems" in schema:
        changed["prefixItems"] = [_or(item, reference) for item in schema["prefixItems"]]
    if "anyOf" in schema:
        changed["anyOf"] = [_items_or(item, reference) for item in schema["anyOf"]]
    return changed
