"""Whether a JSON schema may be sent as strict.

A strict schema has closed objects with every property required, and only the keywords listed here.
Source: https://platform.openai.com/docs/guides/structured-outputs (supported schemas).
"""

from __future__ import annotations

import re
from typing import Any

_NOT_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_KEYWORDS = frozenset(
    {
        "type",
        "title",
        "description",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "anyOf",
        "enum",
        "const",
        "$ref",
        "$defs",
        "definitions",
        "pattern",
        "format",
        "multipleOf",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minItems",
        "maxItems",
    }
)
_FORMATS = frozenset(
    {
        "date-time",
        "time",
        "date",
        "duration",
        "email",
        "hostname",
        "ipv4",
        "ipv6",
        "uuid",
    }
)
_MAX_DEPTH = 10


def is_strict(schema: dict[str, Any]) -> bool:
    """Whether `schema` as it stands satisfies the strict subset: the root is an object. What is no
    JSON schema at all does not."""
    try:
        return schema.get("type") == "object" and "anyOf" not in schema and _strict(schema, 0)
    except (AttributeError, TypeError):
        return False


def _strict(schema: Any, depth: int) -> bool:
    if not isinstance(schema, dict) or depth > _MAX_DEPTH or not schema.keys() <= _KEYWORDS:
        return False
    if "format" in schema and schema["format"] not in _FORMATS:
        return False
    if not schema.keys() & {"type", "anyOf", "$ref", "enum", "const"} or not _closed(schema):
        return False
    inner: list[Any] = list(schema.get("anyOf", ()))
    for key in ("properties", "$defs", "definitions"):
        inner += schema.get(key, {}).values()
    if "items" in schema:
        inner.append(schema["items"])
    return all(_strict(one, depth + 1) for one in inner)


def _closed(schema: dict[str, Any]) -> bool:
    """An object admits its properties alone and wants them all."""
    kinds = schema.get("type")
    if kinds != "object" and not (isinstance(kinds, list) and "object" in kinds):
        return "properties" not in schema
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    return schema.get("additionalProperties") is False and set(required) == set(properties)


def format_name(name: str) -> str:
    """A response format's name as OpenAI takes it (`^[a-zA-Z0-9_-]{1,64}$`)."""
    return _NOT_NAME.sub("_", name)[:64] or "response"
