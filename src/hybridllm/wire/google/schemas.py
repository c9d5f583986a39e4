"""Google's OpenAPI-like Schema to JSON Schema.

`parameters` and `responseSchema` spell types in upper case, say `nullable` instead of a type list,
and write lengths as strings, as proto JSON does with 64-bit integers. There is no way back: the
writer uses `parametersJsonSchema` and `responseJsonSchema`, which take JSON Schema as it is.
Format: https://ai.google.dev/api/caching#Schema
"""

from __future__ import annotations

from typing import Any

from hybridllm.wire.google.fields import camel

_COUNTS = frozenset(
    {"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"}
)
_MAPS = frozenset({"properties", "defs"})
_RENAMED = {"defs": "$defs", "ref": "$ref"}


def to_json_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema that says the same. `propertyOrdering`, an output hint, is left out."""
    found: dict[str, Any] = {}
    for key, value in schema.items():
        name = key if key.startswith("$") else camel(key)
        if name == "type" and isinstance(value, str):
            if value != "TYPE_UNSPECIFIED":
                found["type"] = value.lower()
        elif name in _MAPS and isinstance(value, dict):
            found[_RENAMED.get(name, name)] = {
                k: to_json_schema(v) if isinstance(v, dict) else v for k, v in value.items()
            }
        elif name in ("items", "additionalProperties") and isinstance(value, dict):
            found[name] = to_json_schema(value)
        elif name in ("anyOf", "prefixItems") and isinstance(value, list):
            found[name] = [to_json_schema(v) if isinstance(v, dict) else v for v in value]
        elif name in _COUNTS and isinstance(value, str) and value.isdigit():
            found[name] = int(value)
        elif name == "example":
            found["examples"] = [value]
        elif name not in ("nullable", "propertyOrdering"):
            found[_RENAMED.get(name, name)] = value
    return _with_null(found) if schema.get("nullable") is True else found


def _with_null(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema, or null."""
    if isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
        if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
    elif "anyOf" in schema:
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    return schema
