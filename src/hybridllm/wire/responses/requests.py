"""A Responses body to a Conversation.

Format: https://platform.openai.com/docs/api-reference/responses/create. What only the OpenAI of the
request could know (`previous_response_id`, `conversation`, `prompt`) stays in `extras`, for other
dialects to refuse.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from hybridllm.errors import RequestError
from hybridllm.wire.conversation import (
    Conversation,
    OutputFormat,
    Reasoning,
    Sampling,
    Text,
    Tool,
    ToolChoice,
)
from hybridllm.wire.reading import check_text, read, required
from hybridllm.wire.responses.items import read_input
from hybridllm.wire.responses.replies import NULL
from hybridllm.wire.responses.signatures import NATIVE


class _Body(Struct):
    model: str
    input: Raw = NULL
    instructions: str | None = None
    tools: list[Raw] | None = None
    tool_choice: Raw = NULL
    parallel_tool_calls: bool | None = None
    text: dict[str, Any] | None = None
    reasoning: dict[str, Any] | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stream: bool | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    metadata: dict[str, Any] | None = None
    session_id: str | None = None


class _Tool(Struct):
    type: str
    name: str | None = None
    server_label: str | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _Choice(Struct):
    type: str
    name: str | None = None
    server_label: str | None = None
    mode: str | None = None
    tools: list[_Choice] | None = None


class _Format(Struct):
    type: str
    name: str = "response"
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


_body = msgspec.json.Decoder(_Body)
_tool = msgspec.json.Decoder(_Tool)
_choice = msgspec.json.Decoder(str | _Choice | None)
_fields = msgspec.json.Decoder(dict[str, Any])
_KNOWN = frozenset(_Body.__struct_fields__)
_FUNCTION = frozenset({"type", "name", "description", "parameters", "strict"})
_DEFAULTS: dict[str, Any] = {
    "background": False,
    "store": True,
    "top_logprobs": 0,
    "truncation": "disabled",
}
"""Values that say what is so anyway."""
_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
_MODES = ("auto", "none", "required")


def read_request(body: bytes) -> Conversation:
    """The whole request. Raises RequestError naming the malformed field."""
    check_text(body)
    request = read(_body, body)
    system, messages = read_input(Raw(b"[]") if bytes(request.input) == b"null" else request.input)
    if request.instructions:
        system.insert(0, Text(text=request.instructions))
    extras = _extras(_fields.decode(body))
    if metadata := {k: v for k, v in (request.metadata or {}).items() if k != "task"}:
        extras["metadata"] = metadata
    return Conversation(
        model=request.model,
        origin=NATIVE,
        system=system,
        messages=messages,
        tools=[_tool_of(raw, f"tools[{i}]", extras) for i, raw in enumerate(request.tools or ())],
        tool_choice=_tool_choice(request.tool_choice),
        parallel_tools=request.parallel_tool_calls,
        output=_output(dict(request.text or {}), extras),
        max_output_tokens=request.max_output_tokens,
        sampling=Sampling(temperature=request.temperature, top_p=request.top_p),
        reasoning=_reasoning(dict(request.reasoning or {}), extras),
        stream=bool(request.stream),
        include_usage=bool(request.stream),
        end_user=request.safety_identifier or request.user,
        cache_key=request.prompt_cache_key,
        extras=extras,
    )


def _extras(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in fields.items()
        if name not in _KNOWN and value is not None and value != _DEFAULTS.get(name, ())
    }


def _tool_of(raw: Raw, path: str, extras: dict[str, Any]) -> Tool:
    """A function, or a tool of any other type as it is, named by its label or its type."""
    tool = read(_tool, raw, path)
    if tool.type == "function":
        name = tool.name or required(f"{path}.name")
        further = {k: v for k, v in _fields.decode(raw).items() if k not in _FUNCTION}
        if further:
            extras.setdefault("tool_options", {})[name] = further
        return Tool(
            name=name,
            description=tool.description,
            schema=tool.parameters,
            strict=tool.strict,
        )
    name = tool.name or tool.server_label or tool.type
    return Tool(name=name, opaque=bytes(raw).decode(), origin=NATIVE)


def _tool_choice(raw: Raw) -> ToolChoice | None:
    choice = read(_choice, raw, "tool_choice")
    if choice is None:
        return None
    if isinstance(choice, str):
        return ToolChoice(mode=_mode(choice, "tool_choice"))
    if choice.type == "allowed_tools":
        mode = _mode(choice.mode or "auto", "tool_choice.mode")
        return ToolChoice(mode=mode, allowed=tuple(map(_name_of, choice.tools or ())))
    if choice.type == "function" and not choice.name:
        required("tool_choice.name")
    return ToolChoice(mode="tool", name=_name_of(choice))


def _name_of(choice: _Choice) -> str:
    """By what a tool is known: an MCP server's tools by its label."""
    return choice.server_label or choice.name or choice.type


def _mode(mode: str, path: str) -> str:
    if mode not in _MODES:
        raise RequestError(f"'{path}' must be {', '.join(_MODES)} or name a tool.", field=path)
    return mode


def _output(text: dict[str, Any], extras: dict[str, Any]) -> OutputFormat | None:
    """`text.format`. Formats newer than this file, and what else is in `text`, go to extras."""
    found = text.pop("format", None)
    extras |= {name: value for name, value in text.items() if value is not None}
    if found is None:
        return None
    try:
        output = msgspec.convert(found, _Format)
    except msgspec.ValidationError as e:
        raise RequestError(f"'text.format' is malformed: {e}.", field="text.format") from e
    match output.type:
        case "text":
            return None
        case "json_object":
            return OutputFormat(kind="json")
        case "json_schema":
            return OutputFormat(
                kind="schema",
                name=output.name,
                description=output.description,
                schema=output.schema,
                strict=output.strict,
            )
    extras["text.format"] = found
    return None


def _reasoning(reasoning: dict[str, Any], extras: dict[str, Any]) -> Reasoning | None:
    """`summary` asks to show thoughts; how detailed, and what else there is, goes to extras."""
    effort = reasoning.pop("effort", None)
    summary = reasoning.pop("summary", None) or reasoning.pop("generate_summary", None)
    if effort is not None and effort not in _EFFORTS:
        raise RequestError(
            "'reasoning.effort' must be none, minimal, low, medium, high, xhigh or max.",
            field="reasoning.effort",
        )
    if summary not in (None, "auto"):
        extras["reasoning.summary"] = summary
    extras |= {f"reasoning.{name}": value for name, value in reasoning.items() if value is not None}
    if effort is None and summary is None:
        return None
    return Reasoning(effort=effort, show=True if summary is not None else None)
