"""A Messages body to a Conversation. Format: https://docs.anthropic.com/en/api/messages"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from hybridllm.errors import RequestError
from hybridllm.wire.anthropic.blocks import Mark, mark_of, read_content, read_texts
from hybridllm.wire.anthropic.facts import ROLES
from hybridllm.wire.anthropic.signatures import NATIVE
from hybridllm.wire.conversation import (
    CacheMark,
    Conversation,
    Media,
    Message,
    OutputFormat,
    Reasoning,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from hybridllm.wire.reading import check_text, read, required


class _Message(Struct):
    role: str
    content: Raw


class _Choice(Struct):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _Thinking(Struct):
    type: str
    budget_tokens: int | None = None
    display: str | None = None


class _Format(Struct):
    type: str
    schema: dict[str, Any]


class _OutputConfig(Struct):
    effort: str | None = None
    format: _Format | None = None


class _Body(Struct):
    model: str
    messages: list[_Message]
    max_tokens: int
    system: Raw | UnsetType = UNSET
    tools: list[Raw] | None = None
    tool_choice: _Choice | None = None
    thinking: _Thinking | None = None
    output_config: _OutputConfig | None = None
    output_format: _Format | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stream: bool | None = None
    metadata: dict[str, Any] | None = None
    cache_control: Mark | None = None
    session_id: str | None = None


class _Tool(Struct):
    name: str = ""
    type: str | None = None
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    strict: bool | None = None
    cache_control: Mark | None = None


_body = msgspec.json.Decoder(_Body)
_tool = msgspec.json.Decoder(_Tool)
_fields = msgspec.json.Decoder(dict[str, Any])
_KNOWN = frozenset(_Body.__struct_fields__)
_KNOWN_OF_TOOL = frozenset({*_Tool.__struct_fields__, "eager_input_streaming"})
_EFFORTS = frozenset({"low", "medium", "high", "xhigh", "max"})
_MODES = {"auto": "auto", "any": "required", "none": "none", "tool": "tool"}


def read_request(body: bytes) -> Conversation:
    """The whole request. Raises RequestError naming the malformed field."""
    check_text(body)
    request = read(_body, body)
    if not request.messages:
        required("messages", "Send at least one message.")
    extras = {name: value for name, value in _fields.decode(body).items() if name not in _KNOWN}
    metadata = dict(request.metadata or {})
    user = metadata.pop("user_id", None)
    metadata.pop("task", None)
    if metadata:
        extras["metadata"] = metadata
    system: list[Text] = []
    if request.system is not UNSET and bytes(request.system) != b"null":
        system = read_texts(request.system, "system")
    conv = Conversation(
        model=request.model,
        origin=NATIVE,
        system=system,
        messages=[_message(m, f"messages[{i}]") for i, m in enumerate(request.messages)],
        tools=_tools(request.tools or [], extras),
        tool_choice=_tool_choice(request.tool_choice),
        parallel_tools=_parallel(request.tool_choice),
        output=_output(request),
        stop=request.stop_sequences or [],
        max_output_tokens=request.max_tokens,
        sampling=Sampling(
            temperature=request.temperature, top_p=request.top_p, top_k=request.top_k
        ),
        reasoning=_reasoning(request.thinking, request.output_config),
        stream=bool(request.stream),
        include_usage=True,
        end_user=user if isinstance(user, str) else None,
        extras=extras,
    )
    if (cache := mark_of(request.cache_control, "")) is not None:
        _mark_last(conv, cache)
    return conv


def _message(message: _Message, path: str) -> Message:
    if message.role not in ROLES:
        raise RequestError(
            f"'{path}.role' must be 'user', 'assistant' or 'system'.", field=f"{path}.role"
        )
    return Message(role=message.role, parts=read_content(message.content, f"{path}.content"))


def _mark_last(conv: Conversation, cache: CacheMark) -> None:
    """A cache_control of the whole request marks its last block that can be marked."""
    for message in reversed(conv.messages):
        for part in reversed(message.parts):
            if isinstance(part, Text | Media | ToolCall | ToolResult):
                part.cache = part.cache or cache
                return


def _tools(raws: list[Raw], extras: dict[str, Any]) -> list[Tool]:
    """Custom tools, and Anthropic's own as they are. What a definition says beyond name,
    description, schema and strict goes to extras by tool; how its arguments are streamed
    (`eager_input_streaming`) is let go, for it changes no answer."""
    tools: list[Tool] = []
    further: dict[str, Any] = {}
    for i, raw in enumerate(raws):
        path = f"tools[{i}]"
        tool = read(_tool, raw, path)
        cache = mark_of(tool.cache_control, path)
        name = tool.name or tool.type
        if not name:
            required(f"{path}.name")
        if tool.type not in (None, "custom"):
            tools.append(Tool(name=name, opaque=bytes(raw).decode(), origin=NATIVE, cache=cache))
            continue
        if tool.input_schema is None:
            required(f"{path}.input_schema")
        rest = {k: v for k, v in _fields.decode(raw).items() if k not in _KNOWN_OF_TOOL}
        if rest:
            further[name] = rest
        tools.append(
            Tool(
                name=name,
                description=tool.description,
                schema=tool.input_schema,
                strict=tool.strict,
                cache=cache,
            )
        )
    if further:
        extras["tool_options"] = further
    return tools


def _tool_choice(choice: _Choice | None) -> ToolChoice | None:
    if choice is None:
        return None
    if choice.type not in _MODES:
        raise RequestError(
            "'tool_choice.type' must be 'auto', 'any', 'tool' or 'none'.", field="tool_choice.type"
        )
    if choice.type == "tool" and not choice.name:
        required("tool_choice.name")
    return ToolChoice(mode=_MODES[choice.type], name=choice.name)


def _parallel(choice: _Choice | None) -> bool | None:
    if choice is None or choice.disable_parallel_tool_use is None:
        return None
    return not choice.disable_parallel_tool_use


def _output(request: _Body) -> OutputFormat | None:
    wanted = request.output_format
    path = "output_format"
    if request.output_config is not None and request.output_config.format is not None:
        wanted, path = request.output_config.format, "output_config.format"
    if wanted is None:
        return None
    if wanted.type != "json_schema":
        raise RequestError(f"'{path}.type' must be 'json_schema'.", field=f"{path}.type")
    return OutputFormat(kind="schema", schema=wanted.schema, strict=True)


def _reasoning(thinking: _Thinking | None, config: _OutputConfig | None) -> Reasoning | None:
    """A budget of -1 is adaptive thinking, 0 is thinking turned off. A type of thinking that is
    newer than this file counts as adaptive. Models that take a budget show their thoughts unless
    told otherwise; whether adaptive thinking is shown depends on the model."""
    effort = config.effort if config is not None else None
    if effort is not None and effort not in _EFFORTS:
        field = "output_config.effort"
        raise RequestError(f"'{field}' must be low, medium, high, xhigh or max.", field=field)
    if thinking is None:
        return Reasoning(effort=effort) if effort is not None else None
    budget = -1
    if thinking.type == "disabled":
        budget = 0
    elif thinking.type == "enabled":
        if thinking.budget_tokens is None or thinking.budget_tokens < 1:
            required("thinking.budget_tokens", "It must be 1,024 or more.")
        budget = thinking.budget_tokens
    show = True if thinking.type == "enabled" else None
    if thinking.display is not None:
        show = thinking.display != "omitted"
    return Reasoning(effort=effort, budget_tokens=budget, show=show)
