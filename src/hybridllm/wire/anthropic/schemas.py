"""JSON schemas as Anthropic's structured output takes them.

Every object must be closed, `oneOf` is not known, and bounds on numbers, lengths and counts are
refused: they move into the description, where the model still reads them.
Source: https://platform.claude.com/docs/en/build-with-claude/structured-outputs
"""

from __future__ import annotations

from typing import Any

import msgspec

_BOUNDS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
)
_MAPS = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "allOf", "prefixItems")


def structured(schema: Any) -> Any:
    """A schema that accepts nothing which `schema` refuses, its bounds on values apart."""
    if not isinstance(schema, dict):
        return schema
    made = {key: value for key, value in schema.items() if key not in _BOUNDS}
    if "oneOf" in made and "anyOf" not in made:
        made["anyOf"] = made.pop("oneOf")
    for key in _MAPS:
        if isinstance(made.get(key), dict):
            made[key] = {name: structured(inner) for name, inner in made[key].items()}
    for key in _LISTS:
        if isinstance(made.get(key), list):
            made[key] = [structured(inner) for inner in made[key]]
    if "items" in made:
        made["items"] = structured(made["items"])
    kinds = made.get("type")
    if kinds == "object" or (isinstance(kinds, list) and "object" in kinds) or "properties" in made:
        made["additionalProperties"] = False
    bounds = {key: schema[key] for key in _BOUNDS if key in schema}
    if isinstance(made.get("minItems"), int) and made["minItems"] > 1:
        bounds["minItems"] = made.pop("minItems")
    if bounds:
        said = msgspec.json.encode(bounds).decode()
        made["description"] = "\n\n".join(filter(None, (schema.get("description"), said)))
    return made
