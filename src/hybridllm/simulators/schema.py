"""Instances that conform to a JSON Schema: what a simulated model answers or calls a tool with.

Covers what the providers' structured outputs accept: type (also as a list, and Google's upper
case), properties, required, enum, const, items, minItems, minimum, maximum, minLength, maxLength,
format, anyOf, oneOf, allOf, $ref to $defs, nullable. Recursive references end as soon as the
schema allows it.
"""

from __future__ import annotations

from typing import Any

from hybridllm.simulators.prose import pieces_of

Schema = dict[str, Any]
_MAX_DEPTH = 8

_FORMATS = {
    "date": "2026-01-15",
    "date-time": "2026-01-15T09:30:00Z",
    "time": "09:30:00Z",
    "email": "ada@example.com",
    "uri": "https://example.com/",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
    "ipv4": "192.0.2.1",
    "hostname": "example.com",
    "duration": "PT5M",
}


_NUMBERS = ("minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum", "multipleOf")


def fault_in(schema: Any, path: str = "") -> str | None:
    """Where a JSON Schema is none ("properties.a.type"), or None. Google's numbers may be text."""
    if isinstance(schema, bool):
        return None
    if not isinstance(schema, dict):
        return path or "schema"
    start = f"{path}." if path else ""
    kinds = schema.get("type", "string")
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if not isinstance(kind, str):
            return f"{start}type"
    for name in ("properties", "$defs", "defs", "definitions"):
        if not isinstance(schema.get(name, {}), dict):
            return start + name
    for name in ("required", "enum", "anyOf", "oneOf", "allOf"):
        if not isinstance(schema.get(name, []), list):
            return start + name
    if not all(isinstance(name, str) for name in schema.get("required", ())):
        return f"{start}required"
    for name in _NUMBERS:
        if isinstance(schema.get(name, 0), bool | list | dict | None):
            return start + name
    return _fault_within(schema, start)


def _fault_within(schema: Schema, start: str) -> str | None:
    inner = {f"{start}items": schema["items"]} if "items" in schema else {}
    for name in ("properties", "$defs", "defs", "definitions"):
        inner |= {f"{start}{name}.{key}": one for key, one in schema.get(name, {}).items()}
    for name in ("anyOf", "oneOf", "allOf"):
        inner |= {f"{start}{name}.{at}": one for at, one in enumerate(schema.get(name, ()))}
    return next((found for at, one in inner.items() if (found := fault_in(one, at))), None)


def instance_of(schema: Schema, seed: int = 0) -> Any:
    """A JSON value that the schema accepts, the same for the same seed."""
    return _value(schema, schema, seed, 0)


def _value(schema: Any, root: Schema, seed: int, depth: int) -> Any:
    if not isinstance(schema, dict):
        return "value"
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][seed % len(schema["enum"])]
    for union in ("anyOf", "oneOf"):
        if schema.get(union):
            return _value(_choice(schema[union], root, depth), root, seed, depth + 1)
    kind = _kind(schema)
    if kind == "object":
        return _object(schema, root, seed, depth)
    if kind == "array":
        return _array(schema, root, seed, depth)
    if kind == "string":
        return _string(schema, seed)
    if kind in ("integer", "number"):
        return _number(schema, kind)
    return {"boolean": seed % 2 == 0, "null": None}.get(kind, "value")


def _resolved(schema: Schema, root: Schema) -> Schema:
    """Follow $ref and merge allOf, so that the rest sees one plain schema."""
    for _ in range(_MAX_DEPTH):
        ref = schema.get("$ref")
        if not isinstance(ref, str) or not ref.startswith("#"):
            break
        target: Any = root
        for step in ref[1:].split("/"):
            if step:
                step = step.replace("~1", "/").replace("~0", "~")
                target = target.get(step, {}) if isinstance(target, dict) else {}
        schema = target if isinstance(target, dict) else {}
    for part in schema.get("allOf", ()):
        part = _resolved(part, root)
        merged = {**schema, **part}
        merged["properties"] = {**schema.get("properties", {}), **part.get("properties", {})}
        merged["required"] = [*schema.get("required", ()), *part.get("required", ())]
        merged.pop("allOf", None)
        schema = merged
    # Google takes a null for a field that is not there.
    return {name: one for name, one in schema.items() if one is not None or name == "const"}


def _choice(options: list[Any], root: Schema, depth: int) -> Any:
    """The first option; deep in a recursive schema, one that needs no further nesting."""
    if depth < _MAX_DEPTH:
        return options[0]
    simple = [
        option
        for option in options
        if isinstance(option, dict) and _kind(_resolved(option, root)) not in ("object", "array")
    ]
    return (simple or options)[0]


def _kind(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind.lower()
    if "properties" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def _object(schema: Schema, root: Schema, seed: int, depth: int) -> dict[str, Any]:
    properties: dict[str, Any] = schema.get("properties", {})
    required = set(schema.get("required", ()))
    wanted = [name for name in properties if depth < _MAX_DEPTH // 2 or name in required]
    return {
        name: _value(properties[name], root, seed + at, depth + 1) for at, name in enumerate(wanted)
    } | {name: "value" for name in required if name not in properties}


def _array(schema: Schema, root: Schema, seed: int, depth: int) -> list[Any]:
    least = int(schema.get("minItems", 0))
    length = least if depth >= _MAX_DEPTH // 2 else max(1, least)
    length = min(length, int(schema.get("maxItems", length)))
    return [_value(schema.get("items"), root, seed + at, depth + 1) for at in range(length)]


def _string(schema: Schema, seed: int) -> str:
    known = _FORMATS.get(str(schema.get("format")))
    if known is not None:
        return known
    least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
    text = "".join(pieces_of(4, seed))
    while len(text) < least:
        text += " indeed"
    return text if most is None else text[: max(int(most), 0)]


def _number(schema: Schema, kind: str) -> int | float:
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    if kind == "integer":
        value = 7
        if low is not None and value <= low:
            value = int(low // 1) + 1 if "minimum" not in schema else -int(-low // 1)
        if high is not None and value >= high:
            value = int(high // 1) if "maximum" in schema else -int(-high // 1) - 1
        step = schema.get("multipleOf")
        return value if not step else int(-(-value // step) * step)
    number = 7.5
    if low is not None and number <= low:
        number = float(low) if "minimum" in schema else float(low) + 0.5
    if high is not None and number >= high:
        number = float(high)
        if "maximum" not in schema:
            number = (float(low) + number) / 2 if low is not None else number - 0.5
    return number
