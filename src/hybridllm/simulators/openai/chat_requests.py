"""What OpenAI accepts as a chat completion request, and how it refuses the rest."""

from __future__ import annotations

from typing import Any

import msgspec

from hybridllm.simulators.ask import Ask, OfferedTool, Segment
from hybridllm.simulators.models import ModelSpec
from hybridllm.simulators.openai import errors
from hybridllm.simulators.openai.messages import read_messages
from hybridllm.simulators.openai.parameters import (
    EFFORT,
    check_booleans,
    check_fixed_temperature,
    check_metadata,
    check_numbers,
    read_effort,
    read_function,
    read_model,
    read_tool_list,
)
from hybridllm.simulators.openai.strict import check_format_schema

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
    model, spec = read_model(data)
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
        thinking=EFFORT[data.get("reasoning_effort", "none")],
        own=_wants_usage(data, stream),
    )


def _text_of(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _check_scalars(data: dict[str, Any], spec: ModelSpec) -> None:
    check_booleans(data, _BOOLEANS)
    check_numbers(data, _RANGES, _INTEGERS)
    read_effort(data.get("reasoning_effort", "none"), "reasoning_effort")
    _check_reasoning(data, spec)
    check_metadata(data)


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
    check_fixed_temperature(data, spec)


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
    tools = read_tool_list(data)
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
        allowed = choice.get("allowed_tools")
        tools = allowed.get("tools") if isinstance(allowed, dict) else None
        if not isinstance(allowed, dict) or not isinstance(tools, list):
            raise errors.missing("tool_choice.allowed_tools.tools")
        functions = [tool.get("function") for tool in tools if isinstance(tool, dict)]
        names = [one.get("name") for one in functions if isinstance(one, dict)]
        narrowed = [tool for tool in offered if tool.name in names]
        return narrowed, "*" if allowed.get("mode") == "required" else None
    function = choice.get("function")
    if not isinstance(function, dict):
        raise errors.missing("tool_choice.function")
    name = function.get("name")
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
        custom = tool.get("custom")
        if not isinstance(custom, dict) or not isinstance(custom.get("name"), str):
            raise errors.missing(f"{where}.custom.name")
        return OfferedTool(custom["name"], {"type": "object", "properties": {}})
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
    return read_function(function, f"{where}.function")


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
    check_format_schema(schema, outer["name"], bool(outer.get("strict")), "response_format")
    return schema, False
