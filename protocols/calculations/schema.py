"""The JSON Schema of a calculation's YAML file, draft 2020-12, by which editors complete and check it."""

from __future__ import annotations

from typing import Any

from protocols.calculations.file import CalculationFile, PropertyEntry
from protocols.properties.base import Property
from protocols.properties.catalogue import PROPERTIES
from protocols.schema import SchemaGenerator, source_definitions, with_sources
from workflow_backends.discovery import config_schema

__all__ = ["calculation_schema"]


def calculation_schema() -> dict[str, Any]:
    """Return the JSON Schema of a calculation's file.

    Sources of parameters and backends that are not of this package are left open.
    """
    schema: dict[str, Any] = with_sources(CalculationFile.model_json_schema(schema_generator=SchemaGenerator))
    entry = schema["$defs"][PropertyEntry.__name__]
    kind = {"type": "string", "enum": list(PROPERTIES)}
    entry["properties"]["property"] = {"anyOf": [kind, {"type": "array", "items": kind, "minItems": 1}]}
    entry["properties"] |= _options()
    entry["additionalProperties"] = False
    backend = config_schema()
    schema["$defs"] |= source_definitions() | backend.pop("$defs")
    schema["properties"]["backend"] = backend
    about = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:estimate-properties:calculation:1",
    }
    return about | schema


def _options() -> dict[str, Any]:
    """Return what only some properties take."""
    options: dict[str, Any] = {}
    for kind in PROPERTIES.values():
        described = kind.model_json_schema(schema_generator=SchemaGenerator)["properties"]
        options |= {name: described[name] for name in described if name not in Property.model_fields}
    return options
