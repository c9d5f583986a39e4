"""Parameters that several of OpenAI's endpoints have in common, checked as OpenAI checks them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from hybridllm.simulators.ask import OfferedTool, Refused
from hybridllm.simulators.models import ModelSpec, find_model
from hybridllm.simulators.openai import errors
from hybridllm.simulators.openai.strict import check_strict
from hybridllm.simulators.schema import fault_in

EFFORT = {
    "none": 0,
    "minimal": 64,
    "low": 1024,
    "medium": 4096,
    "high": 16384,
    "xhigh": 32768,
    "max": 65536,
}
"""The most reasoning tokens at each effort: our choice, OpenAI names none."""

_NAME = re.compile(r"[a-zA-Z0-9_-]+")


def read_model(data: Mapping[str, Any]) -> tuple[str, ModelSpec]:
    """The request's model and its limits. Raises Refused."""
    name = data.get("model")
    if name is None or name == "":
        raise errors.invalid("you must provide a model parameter")
    if not isinstance(name, str):
        raise errors.wrong_type("model", "a string", name)
    spec = find_model("openai", name)
    if spec is None:
        raise Refused(
            404,
            errors.INVALID,
            f"The model `{name[:100]}` does not exist or you do not have access to it.",
            code="model_not_found",
        )
    return name, spec


def check_booleans(data: Mapping[str, Any], names: Iterable[str]) -> None:
    for name in names:
        if name in data and type(data[name]) is not bool:
            raise errors.wrong_type(name, "a boolean", data[name])


def check_numbers(
    data: Mapping[str, Any], ranges: Mapping[str, tuple[float, float]], integers: Iterable[str]
) -> None:
    """`ranges` are inclusive; `integers` are the names that take no fraction."""
    for name in integers:
        if name in data and type(data[name]) is not int:
            raise errors.wrong_type(name, "an integer", data[name])
    for name, (low, high) in ranges.items():
        value = data.get(name)
        if value is None:
            continue
        if type(value) not in (int, float):
            raise errors.wrong_type(name, "a decimal", value)
        kind = "integer" if name in integers else "decimal"
        for wrong, side, short, sign, bound in (
            (value < low, "below minimum", "below_min", ">=", low),
            (value > high, "above maximum", "above_max", "<=", high),
        ):
            if wrong:
                raise errors.invalid(
                    f"Invalid '{name}': {kind} {side} value. Expected a value {sign} {bound}, "
                    f"but got {value} instead.",
                    name,
                    f"{kind}_{short}_value",
                )


def read_effort(effort: Any, param: str) -> int:
    """The most reasoning tokens that an effort allows."""
    if not isinstance(effort, str) or effort not in EFFORT:
        raise errors.one_of(effort, EFFORT, param)
    return EFFORT[effort]


def check_fixed_temperature(data: Mapping[str, Any], spec: ModelSpec) -> None:
    """Reasoning models take no other temperature or top_p than 1."""
    for name in ("temperature", "top_p"):
        if spec.fixed_temperature and data.get(name, 1) != 1:
            raise errors.invalid(
                f"Unsupported value: '{name}' does not support {data[name]} with this model. "
                "Only the default (1) value is supported.",
                name,
                "unsupported_value",
            )


def check_metadata(data: Mapping[str, Any]) -> None:
    metadata = data.get("metadata", {})
    if not isinstance(metadata, dict):
        raise errors.wrong_type("metadata", "an object", metadata)
    if len(metadata) > 16:
        raise errors.invalid(
            f"Invalid 'metadata': too many properties. Expected an object with at most 16 "
            f"properties, but got an object with {len(metadata)} properties instead.",
            "metadata",
            "object_above_max_properties",
        )
    for name, value in metadata.items():
        if not isinstance(value, str):
            raise errors.wrong_type(f"metadata.{name[:64]}", "a string", value)


def read_function(function: Mapping[str, Any], where: str) -> OfferedTool:
    """A function as a tool: its name, schema and strictness."""
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise errors.missing(f"{where}.name")
    if len(name) > 64 or not _NAME.fullmatch(name):
        raise errors.invalid(
            f"Invalid '{where}.name': string does not match pattern. Expected a string that "
            "matches the pattern '^[a-zA-Z0-9_-]+$'.",
            f"{where}.name",
            "invalid_value",
        )
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    if not isinstance(schema, dict) or schema.get("type") != "object":
        kind = schema.get("type") if isinstance(schema, dict) else None
        raise errors.invalid(
            f"Invalid schema for function '{name}': schema must be a JSON Schema of 'type: "
            f'"object"\', got \'type: "{kind}"\'.',
            f"{where}.parameters",
            "invalid_function_parameters",
        )
    if (wrong := fault_in(schema)) is not None:
        raise errors.invalid(
            f"Invalid schema for function '{name}': In context={wrong}, schema is not valid.",
            f"{where}.parameters",
            "invalid_function_parameters",
        )
    if function.get("strict"):
        check_strict(schema, f"function '{name}'", f"{where}.parameters")
    return OfferedTool(name, schema)


def read_tool_list(data: Mapping[str, Any]) -> list[Any]:
    tools = data.get("tools", [])
    if not isinstance(tools, list):
        raise errors.wrong_type("tools", "an array of objects", tools)
    if len(tools) > 128:
        raise errors.invalid(
            "Invalid 'tools': array too long. Expected an array with maximum length 128, but got "
            f"an array with length {len(tools)} instead.",
            "tools",
            "array_above_max_length",
        )
    return tools
