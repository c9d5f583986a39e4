"""What OpenAI accepts as a chat completion request, and how it refuses the rest."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from hybridllm.simulators.ask import Ask, OfferedTool, Refused, Segment
from hybridllm.simulators.models import ModelSpec, find_model
from hybridllm.simulators.openai import errors
from hybridllm.simulators.openai.messages import read_messages
from hybridllm.simulators.openai.strict import check_strict

ARGUMENTS = frozenset(
    [
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "metadata",
        "modalities",
        "model",
        "moderation",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
        "web_search_options",
    ]
)

_RANGES = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
    "top_logprobs": (0, 20),
    "n": (1, 128),
    "max_tokens": (1, 2**31),
    "max_completion_tokens": (1, 2**31),
}
_INTEGERS = ("n", "seed", "top_logprobs", "max_tokens", "max_completion_tokens")
_BOOLEANS = ("stream", "logprobs", "parallel_tool_calls", "store")
_EFFORT = {"none": 0, "minimal": 64, "low": 1024, "medium": 4096, "high": 16384, "xhigh": 32768}
_NAME = re.compile(r"[a-zA-Z0-9_-]+")


def read_chat_request(data: Any) -> Ask:
    """Check a decoded body. Raises Refused in OpenAI's words."""
    if not isinstance(data, dict):
        raise errors.invalid("Invalid request body: expected a JSON object.")
    extra = sorted(data.keys() - ARGUMENTS)
    if extra:
        raise errors.invalid(
            f"Unrecognized request argument{'s' if len(extra) > 1 else ''} supplied: "
            + ", ".join(name[:64] for name in extra[:20])
        )
    data = {name: value for name, value in data.items() if value is not None}
    model, spec = _model(data)
    _check_scalars(data, spec)
    messages = read_messages(data)
    tools, choice = _tools(data)
    schema, plain_json = _response_format(data, messages.segments)
    stream = bool(data.get("stream"))
    return Ask(
        model=model,
        spec=spec,
        stream=stream,
        prompt=[Segment(_text_of(tool)) for tool in data.get("tools", ())] + messages.segments,
        last_user=messages.last_user,
        answers_tools=messages.answers_tools,
        tools=tools,
        must_call=choice,
        may_call=data.get("tool_choice") != "none",
        parallel=data.get("parallel_tool_calls", True),
        schema=schema,
        json=plain_json,
        max_output=data.get("max_completion_tokens", data.get("max_tokens")),
        stops=_stops(data),
        choices=data.get("n", 1),
        thinking=_EFFORT[data.get("reasoning_effort", "none")],
        own=_wants_usage(data, stream),
    )


def _text_of(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _model(data: dict[str, Any]) -> tuple[str, ModelSpec]:
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


def _check_scalars(data: dict[str, Any], spec: ModelSpec) -> None:
    for name in _INTEGERS:
        if name in data and type(data[name]) is not int:
            raise errors.wrong_type(name, "an integer", data[name])
    for name in _BOOLEANS:
        if name in data and type(data[name]) is not bool:
            raise errors.wrong_type(name, "a boolean", data[name])
    for name, (low, high) in _RANGES.items():
        value = data.get(name)
        if value is None:
            continue
        if type(value) not in (int, float):
            raise errors.wrong_type(name, "a decimal", value)
        kind = "integer" if name in _INTEGERS else "decimal"
        for wrong, side, sign, bound in (
            (value < low, "below minimum", ">=", low),
            (value > high, "above maximum", "<=", high),
        ):
            if wrong:
                raise errors.invalid(
                    f"Invalid '{name}': {kind} {side} value. Expected a value {sign} {bound}, "
                    f"but got {value} instead.",
                    name,
                    f"{kind}_{side.replace(' ', '_').replace('minimum', 'min')}_value".replace(
                        "maximum", "max"
                    ),
                )
    effort = data.get("reasoning_effort", "none")
    if effort not in _EFFORT:
        raise errors.invalid(
            f"Invalid value: '{str(effort)[:50]}'. Supported values are: "
            + ", ".join(f"'{name}'" for name in _EFFORT)
            + ".",
            "reasoning_effort",
            "invalid_value",
        )
    _check_reasoning(data, spec)
    _check_metadata(data)


def _check_reasoning(data: dict[str, Any], spec: ModelSpec) -> None:
    """Reasoning models refuse what others take, and the other way round."""
    if not spec.reasoning:
        if "reasoning_effort" in data:
            raise errors.invalid("Unrecognized request argument supplied: reasoning_effort")
        return
    if "max_tokens" in data:
        raise errors.unsupported(
            "max_tokens",
            "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead.",
        )
    for name in ("temperature", "top_p"):
        if spec.fixed_temperature and data.get(name, 1) != 1:
            raise errors.invalid(
                f"Unsupported value: '{name}' does not support {data[name]} with this model. "
                "Only the default (1) value is supported.",
                name,
                "unsupported_value",
            )


def _check_metadata(data: dict[str, Any]) -> None:
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


def _stops(data: dict[str, Any]) -> tuple[str, ...]:
    stop = data.get("stop", [])
    stops = [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or not all(isinstance(one, str) for one in stops):
        raise errors.wrong_type("stop", "a string or an array of strings", stop)
    if len(stops) > 4:
        raise errors.invalid(
            "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an "
            f"array with length {len(stops)} instead.",
            "stop",
            "array_above_max_length",
        )
    return tuple(stops)


def _wants_usage(data: dict[str, Any], stream: bool) -> bool:
    options = data.get("stream_options")
    if options is None:
        return False
    if not stream:
        raise errors.invalid(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            "stream_options",
        )
    if not isinstance(options, dict):
        raise errors.wrong_type("stream_options", "an object", options)
    for name in options.keys() - {"include_usage", "include_obfuscation"}:
        raise errors.unknown(f"stream_options.{name[:64]}")
    return bool(options.get("include_usage"))


def _tools(data: dict[str, Any]) -> tuple[list[OfferedTool], str | None]:
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
    offered = [_tool(tool, f"tools[{at}]") for at, tool in enumerate(tools)]
    choice = data.get("tool_choice", "auto" if offered else "none")
    if "tool_choice" in data and not offered:
        raise errors.invalid(
            "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are "
            "specified.",
            "tool_choice",
        )
    if choice == "required":
        return offered, "*"
    if isinstance(choice, dict):
        return _named_choice(choice, offered)
    if choice not in ("auto", "none"):
        raise errors.invalid(
            f"Invalid value: '{str(choice)[:50]}'. Supported values are: 'none', 'auto', and "
            "'required'.",
            "tool_choice",
            "invalid_value",
        )
    return offered, None


def _named_choice(
    choice: dict[str, Any], offered: list[OfferedTool]
) -> tuple[list[OfferedTool], str | None]:
    if choice.get("type") == "allowed_tools":
        allowed = choice.get("allowed_tools", {})
        names = {
            tool.get("function", {}).get("name")
            for tool in allowed.get("tools", ())
            if isinstance(tool, dict)
        }
        narrowed = [tool for tool in offered if tool.name in names]
        return narrowed, "*" if allowed.get("mode") == "required" else None
    name = choice.get("function", {}).get("name")
    if not any(tool.name == name for tool in offered):
        raise errors.invalid(
            f"Tool choice 'function' not found in 'tools' parameter: '{str(name)[:64]}'.",
            "tool_choice",
        )
    return offered, str(name)


def _tool(tool: Any, where: str) -> OfferedTool:
    if not isinstance(tool, dict):
        raise errors.wrong_type(where, "an object", tool)
    if tool.get("type") == "custom":
        name = tool.get("custom", {}).get("name", "custom")
        return OfferedTool(str(name), {"type": "object", "properties": {}})
    for name in tool.keys() - {"type", "function"}:
        raise errors.unknown(f"{where}.{name[:64]}")
    if tool.get("type") != "function":
        raise errors.invalid(
            f"Invalid value: '{str(tool.get('type'))[:50]}'. Supported values are: 'function' and "
            "'custom'.",
            f"{where}.type",
            "invalid_value",
        )
    function = tool.get("function")
    if not isinstance(function, dict):
        raise errors.missing(f"{where}.function")
    for name in function.keys() - {"name", "description", "parameters", "strict"}:
        raise errors.unknown(f"{where}.function.{name[:64]}")
    name = function.get("name")
    if not isinstance(name, str) or not name:
        raise errors.missing(f"{where}.function.name")
    if len(name) > 64 or not _NAME.fullmatch(name):
        raise errors.invalid(
            f"Invalid '{where}.function.name': string does not match pattern. Expected a string "
            "that matches the pattern '^[a-zA-Z0-9_-]+$'.",
            f"{where}.function.name",
            "invalid_value",
        )
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    if not isinstance(schema, dict) or schema.get("type") != "object":
        kind = schema.get("type") if isinstance(schema, dict) else None
        raise errors.invalid(
            f"Invalid schema for function '{name}': schema must be a JSON Schema of 'type: "
            f'"object"\', got \'type: "{kind}"\'.',
            f"{where}.function.parameters",
            "invalid_function_parameters",
        )
    if function.get("strict"):
        check_strict(schema, f"function '{name}'", f"{where}.function.parameters")
    return OfferedTool(name, schema)


def _response_format(
    data: dict[str, Any], segments: list[Segment]
) -> tuple[dict[str, Any] | None, bool]:
    wanted = data.get("response_format", {"type": "text"})
    if not isinstance(wanted, dict):
        raise errors.wrong_type("response_format", "an object", wanted)
    kind = wanted.get("type")
    if kind == "text":
        return None, False
    if kind == "json_object":
        if not any("json" in segment.text.lower() for segment in segments):
            raise errors.invalid(
                "'messages' must contain the word 'json' in some form, to use 'response_format' "
                "of type 'json_object'.",
                "messages",
            )
        return None, True
    if kind != "json_schema":
        raise errors.invalid(
            f"Invalid value: '{str(kind)[:50]}'. Supported values are: 'json_object', "
            "'json_schema', and 'text'.",
            "response_format.type",
            "invalid_value",
        )
    outer = wanted.get("json_schema")
    if not isinstance(outer, dict) or not outer.get("name"):
        raise errors.missing("response_format.json_schema.name")
    schema = outer.get("schema", {})
    if not isinstance(schema, dict):
        raise errors.wrong_type("response_format.json_schema.schema", "an object", schema)
    if outer.get("strict"):
        check_strict(schema, f"response_format '{outer['name']}'", "response_format")
    return schema, False
