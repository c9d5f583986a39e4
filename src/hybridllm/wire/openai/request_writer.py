"""A Conversation to a Chat Completions body.

Format: https://platform.openai.com/docs/api-reference/chat/create.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Raw

from hybridllm.wire.conversation import (
    Conversation,
    OutputFormat,
    Reasoning,
    Sampling,
    Text,
    Tool,
    ToolChoice,
)
from hybridllm.wire.dialect import DropPolicy, Target
from hybridllm.wire.openai.message_writer import MessageWriter
from hybridllm.wire.openai.models import effort_of, is_reasoner, wants_thought
from hybridllm.wire.openai.part_writer import WHERE
from hybridllm.wire.openai.schemas import format_name, is_strict
from hybridllm.wire.openai.signatures import NATIVE

_HARMLESS = frozenset(
    {
        "context_management",
        "diagnostics",
        "functionDeclarations",
        "generationConfig.mediaResolution",
        "include",
        "inference_geo",
        "labels",
        "max_tool_calls",
        "metadata",
        "moderation",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning.context",
        "reasoning.mode",
        "reasoning.summary",
        "safetySettings",
        "service_tier",
        "speed",
        "store",
        "stream_options",
        "tool_options",
        "toolConfig.functionCallingConfig.mode",
        "truncation",
        "user_profile_id",
        "verbosity",
        "workspace_id",
    }
)
"""Fields of other dialects that do not change what the answer may say."""

_TRIVIAL: dict[str, tuple[Any, ...]] = {
    "generationConfig.candidateCount": (1,),
    "generationConfig.responseLogprobs": (False,),
    "generationConfig.responseModalities": (["TEXT"],),
    "include": ([], ["reasoning.encrypted_content"]),
    "store": (False,),
}
"""Values that ask for what OpenAI does anyway."""

_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_MAX_STOP = 4
_JSON_ONLY = "Answer with one JSON object and nothing else."


def write_request(conv: Conversation, target: Target, policy: DropPolicy) -> bytes:
    """The body to send. Raises Inexpressible for what `policy` refuses."""
    native = conv.origin == NATIVE
    extras = _extras(conv, policy)
    options = extras.pop("stream_options", {})
    output, further = _output(conv, target, policy, native)
    writer = MessageWriter(target, policy, native=native)
    messages = writer.system([*conv.system, *further])
    for i, message in enumerate(conv.messages):
        messages += writer.write(message, f"messages[{i}]")
    body: dict[str, Any] = {"model": target.model, "messages": messages}
    body |= _tool_fields(conv, policy, native)
    if output is not None:
        body["response_format"] = output
    body |= _limit(conv.max_output_tokens, target)
    effort = _effort(conv.reasoning, target, policy)
    if effort is not None:
        body["reasoning_effort"] = effort
    body |= _sampling(conv.sampling, target, policy, effort, native)
    if stop := _stop(conv.stop, target, policy):
        body["stop"] = stop
    # `user` has a newer name, which compatible servers refuse.
    known = {"user": conv.end_user, "prompt_cache_key": conv.cache_key}
    body |= {name: value for name, value in known.items() if value is not None}
    if conv.stream:
        body["stream"] = True
        body["stream_options"] = {**options, "include_usage": True}
    return msgspec.json.encode(body | extras)


def _extras(conv: Conversation, policy: DropPolicy) -> dict[str, Any]:
    """What OpenAI's own reader kept; what another dialect's kept is dropped or refused."""
    if conv.origin == NATIVE:
        return dict(conv.extras)
    for name, value in conv.extras.items():
        if value is not None and value not in _TRIVIAL.get(name, ()):
            policy.unsupported(name, harmless=name in _HARMLESS, where=WHERE)
    return {}


def _limit(limit: int | None, target: Target) -> dict[str, int]:
    """OpenAI's reasoning models refuse `max_tokens`; of the servers that merely speak the dialect
    all know `max_tokens`, and not all its successor."""
    if limit is None:
        return {}
    name = "max_completion_tokens" if is_reasoner(target.model) else "max_tokens"
    return {name: min(limit, target.max_output_tokens)}


def _tool_fields(conv: Conversation, policy: DropPolicy, native: bool) -> dict[str, Any]:
    """Tools and how to choose among them, which OpenAI refuses without tools. Another provider's
    caller who allows some of the tools is served by leaving out the others, as every server
    understands."""
    choice = conv.tool_choice
    allowed = choice.allowed if choice is not None and not native else ()
    tools: list[Any] = []
    for i, tool in enumerate(conv.tools):
        if allowed and tool.name not in allowed:
            continue
        if tool.opaque is not None and tool.origin == NATIVE:
            tools.append(Raw(tool.opaque.encode()))
        elif tool.opaque is not None:
            policy.unsupported(tool.name, harmless=False, where=WHERE)
        elif not _TOOL_NAME.fullmatch(tool.name):
            policy.unsupported(f"tools[{i}].name", harmless=False, where=WHERE)
        else:
            tools.append({"type": "function", "function": _function(tool, native)})
    if not tools:
        return {}
    fields: dict[str, Any] = {"tools": tools}
    if choice is not None:
        fields["tool_choice"] = _tool_choice(choice, conv.tools, native)
    if conv.parallel_tools is not None:
        fields["parallel_tool_calls"] = conv.parallel_tools
    return fields


def _function(tool: Tool, native: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"name": tool.name}
    if tool.description is not None:
        made["description"] = tool.description
    if tool.schema is not None:
        made["parameters"] = tool.schema
    if tool.strict is not None:
        made["strict"] = tool.strict if native else _as_strict(tool.strict, tool.schema)
    return made


def _as_strict(strict: bool, schema: dict[str, Any] | None) -> bool:
    """Each provider has its own subset of schemas: strict only what is so in OpenAI's."""
    return strict and schema is not None and is_strict(schema)


def _tool_choice(choice: ToolChoice, tools: list[Tool], native: bool) -> str | dict[str, Any]:
    if choice.mode == "tool" and choice.name is not None:
        return _named(choice.name, tools)
    if choice.allowed and native and choice.mode != "none":
        allowed = [_named(name, tools) for name in choice.allowed]
        return {"type": "allowed_tools", "allowed_tools": {"mode": choice.mode, "tools": allowed}}
    return choice.mode


def _named(name: str, tools: list[Tool]) -> dict[str, Any]:
    own = any(tool.name == name and tool.opaque is not None for tool in tools)
    kind = "custom" if own else "function"
    return {"type": kind, kind: {"name": name}}


def _output(
    conv: Conversation, target: Target, policy: DropPolicy, native: bool
) -> tuple[dict[str, Any] | None, list[Text]]:
    """The response format, and what the system prompt must say for it."""
    output = conv.output
    if output is None:
        return None, []
    if output.schema is not None and target.json_schema:
        return {"type": "json_schema", "json_schema": _schema(output, native)}, []
    wanted = _JSON_ONLY
    if output.schema is not None:
        policy.unsupported("output", harmless=False, where=target.model)
        wanted += " It must match this JSON schema: " + msgspec.json.encode(output.schema).decode()
    elif native or _speaks_of_json(conv):
        return {"type": "json_object"}, []
    # OpenAI refuses its JSON mode where no message speaks of JSON.
    return {"type": "json_object"}, [Text(text=wanted)]


def _speaks_of_json(conv: Conversation) -> bool:
    said = [part for message in conv.messages for part in message.parts if isinstance(part, Text)]
    return any("json" in text.text.lower() for text in (*conv.system, *said))


def _schema(output: OutputFormat, native: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"name": output.name if native else format_name(output.name)}
    if output.description is not None:
        made["description"] = output.description
    made["schema"] = output.schema
    if not native:
        made["strict"] = _as_strict(True, output.schema)
    elif output.strict is not None:
        made["strict"] = output.strict
    return made


def _effort(reasoning: Reasoning | None, target: Target, policy: DropPolicy) -> str | None:
    if reasoning is None:
        return None
    if target.reasoning:
        return effort_of(reasoning, target.model)
    if wants_thought(reasoning):
        policy.unsupported("reasoning", harmless=True, where=target.model)
    return None


def _sampling(
    sampling: Sampling, target: Target, policy: DropPolicy, effort: str | None, native: bool
) -> dict[str, Any]:
    """A model that reasons takes no sampling controls but their defaults. `top_k` is known to
    compatible servers alone."""
    made: dict[str, Any] = {}
    fixed = is_reasoner(target.model) and effort != "none"
    for name, default in _DEFAULTS.items():
        value = getattr(sampling, name)
        if value is None or (fixed and value == default):
            continue
        if fixed:
            policy.unsupported(name, harmless=True, where=target.model)
        else:
            made[name] = value
    if sampling.seed is not None:
        made["seed"] = sampling.seed
    if sampling.top_k is not None:
        if native:
            made["top_k"] = sampling.top_k
        else:
            policy.unsupported("top_k", harmless=True, where=WHERE)
    return made


_DEFAULTS: dict[str, float] = {
    "temperature": 1,
    "top_p": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
}


def _stop(stop: list[str], target: Target, policy: DropPolicy) -> list[str]:
    """OpenAI takes four sequences at most, its reasoning models none."""
    if stop and is_reasoner(target.model):
        policy.unsupported("stop", harmless=False, where=target.model)
        return []
    if len(stop) > _MAX_STOP:
        policy.unsupported("stop", harmless=False, where=WHERE)
    return stop[:_MAX_STOP]
