"""A Chat Completions body to a Conversation.

Format: https://platform.openai.com/docs/api-reference/chat/create. The legacy `functions`,
`function_call` and `max_tokens` are read as what replaced them.
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
    Tool,
    ToolChoice,
)
from hybridllm.wire.openai.messages import NULL, read_messages
from hybridllm.wire.openai.signatures import NATIVE
from hybridllm.wire.reading import check_text, read, required


class _Body(Struct):
    model: str
    messages: list[Raw]
    tools: list[Raw] | None = None
    functions: list[Raw] | None = None
    tool_choice: Raw = NULL
    function_call: Raw = NULL
    parallel_tool_calls: bool | None = None
    response_format: Raw = NULL
    stop: str | list[str] | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    reasoning_effort: str | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    metadata: dict[str, Any] | None = None
    session_id: str | None = None


class _Typed(Struct):
    type: str = "function"


class _Function(Struct):
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _FunctionTool(Struct):
    function: _Function


class _Named(Struct):
    name: str


class _OwnTool(Struct):
    type: str
    custom: _Named | None = None


class _Allowed(Struct):
    mode: str
    tools: list[_Choice]


class _Choice(Struct):
    type: str = "function"
    function: _Named | None = None
    custom: _Named | None = None
    allowed_tools: _Allowed | None = None


class _Schema(Struct):
    name: str = "response"
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class _Format(Struct):
    json_schema: _Schema


_body = msgspec.json.Decoder(_Body)
_typed = msgspec.json.Decoder(_Typed)
_function = msgspec.json.Decoder(_Function)
_function_tool = msgspec.json.Decoder(_FunctionTool)
_own_tool = msgspec.json.Decoder(_OwnTool)
_choice = msgspec.json.Decoder(str | _Choice | None)
_legacy_choice = msgspec.json.Decoder(str | _Named | None)
_format = msgspec.json.Decoder(_Format)
_fields = msgspec.json.Decoder(dict[str, Any])
_KNOWN = frozenset(_Body.__struct_fields__)
_EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh", "max"})
_MODES = ("auto", "none", "required")


def read_request(body: bytes) -> Conversation:
    """The whole request. Raises RequestError naming the malformed field."""
    check_text(body)
    request = read(_body, body)
    if not request.messages:
        required("messages", "Send at least one message.")
    system, messages = read_messages(request.messages)
    extras = {name: value for name, value in _fields.decode(body).items() if name not in _KNOWN}
    metadata = {k: v for k, v in (request.metadata or {}).items() if k != "task"}
    if metadata:
        extras["metadata"] = metadata
    options = dict(request.stream_options or {})
    include_usage = bool(options.pop("include_usage", False))
    if options:
        extras["stream_options"] = options
    limit = request.max_completion_tokens
    stop = [request.stop] if isinstance(request.stop, str) else request.stop
    return Conversation(
        model=request.model,
        origin=NATIVE,
        system=system,
        messages=messages,
        tools=_tools(request),
        tool_choice=_tool_choice(request),
        parallel_tools=request.parallel_tool_calls,
        output=_output(request.response_format, extras),
        stop=stop or [],
        max_output_tokens=request.max_tokens if limit is None else limit,
        sampling=_sampling(request),
        reasoning=_reasoning(request.reasoning_effort),
        stream=bool(request.stream),
        include_usage=include_usage,
        end_user=request.safety_identifier or request.user,
        cache_key=request.prompt_cache_key,
        extras=extras,
    )


def _sampling(request: _Body) -> Sampling:
    return Sampling(
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        seed=request.seed,
        presence_penalty=request.presence_penalty,
        frequency_penalty=request.frequency_penalty,
    )


def _tools(request: _Body) -> list[Tool]:
    """Functions, and tools of any other type as they are."""
    tools: list[Tool] = []
    for i, raw in enumerate(request.tools or ()):
        path = f"tools[{i}]"
        if read(_typed, raw, path).type == "function":
            tools.append(_function_of(read(_function_tool, raw, path).function, path))
        else:
            own = read(_own_tool, raw, path)
            name = own.custom.name if own.custom is not None else own.type
            tools.append(Tool(name=name, opaque=bytes(raw).decode(), origin=NATIVE))
    for i, raw in enumerate(request.functions or ()):
        path = f"functions[{i}]"
        tools.append(_function_of(read(_function, raw, path), path))
    return tools


def _function_of(function: _Function, path: str) -> Tool:
    if not function.name:
        required(f"{path}.name")
    return Tool(
        name=function.name,
        description=function.description,
        schema=function.parameters,
        strict=function.strict,
    )


def _tool_choice(request: _Body) -> ToolChoice | None:
    choice = read(_choice, request.tool_choice, "tool_choice")
    if choice is None:
        return _legacy(request.function_call)
    if isinstance(choice, str):
        return ToolChoice(mode=_mode(choice, "tool_choice"))
    if choice.type == "allowed_tools":
        allowed = choice.allowed_tools or required("tool_choice.allowed_tools")
        mode = _mode(allowed.mode, "tool_choice.allowed_tools.mode")
        return ToolChoice(mode=mode, allowed=tuple(filter(None, map(_name_of, allowed.tools))))
    return ToolChoice(mode="tool", name=_name_of(choice) or required("tool_choice.function.name"))


def _name_of(choice: _Choice) -> str:
    named = choice.function or choice.custom
    return named.name if named is not None else ""


def _legacy(raw: Raw) -> ToolChoice | None:
    choice = read(_legacy_choice, raw, "function_call")
    if choice is None:
        return None
    if isinstance(choice, str):
        return ToolChoice(mode=_mode(choice, "function_call"))
    return ToolChoice(mode="tool", name=choice.name)


def _mode(mode: str, path: str) -> str:
    if mode not in _MODES:
        raise RequestError(f"'{path}' must be {', '.join(_MODES)} or name a tool.", field=path)
    return mode


def _output(raw: Raw, extras: dict[str, Any]) -> OutputFormat | None:
    """Formats newer than this file go to extras."""
    if bytes(raw) == b"null":
        return None
    match read(_typed, raw, "response_format").type:
        case "text":
            return None
        case "json_object":
            return OutputFormat(kind="json")
        case "json_schema":
            found = read(_format, raw, "response_format").json_schema
            return OutputFormat(
                kind="schema",
                name=found.name,
                description=found.description,
                schema=found.schema,
                strict=found.strict,
            )
    extras["response_format"] = _fields.decode(raw)
    return None


def _reasoning(effort: str | None) -> Reasoning | None:
    if effort is None:
        return None
    if effort not in _EFFORTS:
        raise RequestError(
            "'reasoning_effort' must be none, minimal, low, medium, high, xhigh or max.",
            field="reasoning_effort",
        )
    return Reasoning(effort=effort)
