"""OpenAI's strict schemas: every object closed, every property required
(https://platform.openai.com/docs/guides/structured-outputs#supported-schemas)."""

from __future__ import annotations

from typing import Any

from hybridllm.simulators.openai import errors
from hybridllm.simulators.schema import fault_in


def check_strict(schema: Any, what: str, param: str, context: tuple[str, ...] = ()) -> None:
    """Raises Refused where the schema is no strict one. `what` and `param` name it."""
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "object" or "properties" in schema:
        _check_object(schema, what, param, context)
    for name in ("properties", "$defs", "definitions"):
        for key, inner in (schema.get(name) or {}).items():
            check_strict(inner, what, param, (*context, name, key))
    if "items" in schema:
        check_strict(schema["items"], what, param, (*context, "items"))
    for at, option in enumerate(schema.get("anyOf") or ()):
        check_strict(option, what, param, (*context, "anyOf", str(at)))


def check_format_schema(schema: dict[str, Any], name: str, strict: bool, param: str) -> None:
    """A response format's schema. Raises Refused."""
    if (wrong := fault_in(schema)) is not None:
        raise errors.invalid(
            f"Invalid schema for response_format '{name}': In context={wrong}, schema is not "
            "valid.",
            param,
            "invalid_json_schema",
        )
    if strict:
        check_strict(schema, f"response_format '{name}'", param)


def _check_object(schema: dict[str, Any], what: str, param: str, context: tuple[str, ...]) -> None:
    where = f"Invalid schema for {what}: In context={context!r}, "
    code = "invalid_function_parameters" if what.startswith("function") else "invalid_json_schema"
    if schema.get("additionalProperties") is not False:
        raise errors.invalid(
            where + "'additionalProperties' is required to be supplied and to be false.",
            param,
            code,
        )
    required = set(schema.get("required") or ())
    for name in schema.get("properties") or {}:
        if name not in required:
            raise errors.invalid(
                where + "'required' is required to be supplied and to be an array including every "
                f"key in properties. Missing '{name}'.",
                param,
                code,
            )
