"""A Conversation to a Responses body.

Format: https://platform.openai.com/docs/api-reference/responses/create. Another dialect's caller
sends the whole conversation each time, so nothing is stored for it, and reasoning comes sealed.
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
from hybridllm.wire.openai.models import effort_of, is_reasoner, wants_thought
from hybridllm.wire.openai.schemas import format_name, is_strict
from hybridllm.wire.responses.item_writer import WHERE, ItemWriter
from hybridllm.wire.responses.signatures import NATIVE

_HARMLESS = frozenset(
    {
        "functionDeclarations",
        "generationConfig.mediaResolution",
        "inference_geo",
        "labels",
        "metadata",
        "obfuscation",
        "prediction",
        "safetySettings",
        "service_tier",
        "speed",
        "store",
        "stream_options",
        "tool_options",
        "toolConfig.functionCallingConfig.mode",
        "verbosity",
    }
)
"""Fields of other dialects that do not change what the answer may say."""

_TRIVIAL: dict[str, tuple[Any, ...]] = {
    "generationConfig.candidateCount": (1,),
    "generationConfig.responseLogprobs": (False,),
    "generationConfig.responseModalities": (["TEXT"],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "n": (1,),
    "top_logprobs": (0,),
}
"""Values that ask for what OpenAI does anyway."""

_STATELESS: dict[str, Any] = {"store": False, "include": ["reasoning.encrypted_content"]}
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_LEAST_OUTPUT = 16
"""OpenAI refuses a lower `max_output_tokens`."""
_JSON_ONLY = "Answer with one JSON object and nothing else."


def write_request(conv: Conversation, target: Target, policy: DropPolicy) -> bytes:
    """The body to send. Raises Inexpressible for what `policy` refuses."""
    native = conv.origin == NATIVE
    extras = _extras(conv, policy)
    nested = _nested(extras)
    body: dict[str, Any] = {"model": target.model}
    output, further = _output(conv, target, policy, native)
    body |= _input(conv, further, ItemWriter(target, policy, native=native))
    body |= _tool_fields(conv, extras.pop("tool_options", {}), policy, native)
    if text := ({"format": output} if output is not None else {}) | nested["text"]:
        body["text"] = text
    if conv.max_output_tokens is not None:
        body["max_output_tokens"] = _limit(conv.max_output_tokens, target, native)
    reasoning = _reasoning(conv.reasoning, target, policy) | nested["reasoning"]
    if reasoning:
        body["reasoning"] = reasoning
    body |= _sampling(conv.sampling, target, policy, reasoning.get("effort"))
    if conv.stop:
        policy.unsupported("stop", harmless=False, where=WHERE)
    known = {"safety_identifier": conv.end_user, "prompt_cache_key": conv.cache_key}
    body |= {name: value for name, value in known.items() if value is not None}
    if conv.stream:
        body["stream"] = True
    return msgspec.json.encode(body | extras)


def _extras(conv: Conversation, policy: DropPolicy) -> dict[str, Any]:
    """What this dialect's own reader kept; what another's kept is dropped or refused."""
    if conv.origin == NATIVE:
        return dict(conv.extras)
    for name, value in conv.extras.items():
        if value is not None and value not in _TRIVIAL.get(name, ()):
            policy.unsupported(name, harmless=name in _HARMLESS, where=WHERE)
    return dict(_STATELESS)


def _nested(extras: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The extras that belong into `reasoning` and `text`, taken out."""
    nested: dict[str, dict[str, Any]] = {"reasoning": {}, "text": {}}
    for name in list(extras):
        group, _, key = name.partition(".")
        if key and group in nested:
            nested[group][key] = extras.pop(name)
    if "verbosity" in extras:
        nested["text"]["verbosity"] = extras.pop("verbosity")
    return nested


def _input(conv: Conversation, further: list[Text], writer: ItemWriter) -> dict[str, Any]:
    """`instructions` and `input`. What stands first in the system prompt is the instructions,
    unless it has a cache breakpoint, which only content can have."""
    system = [text for text in conv.system if text.text]
    made: dict[str, Any] = {}
    if system and system[0].cache is None:
        made["instructions"] = system.pop(0).text
    items = writer.system([*system, *further])
    for i, message in enumerate(conv.messages):
        items += writer.write(message, f"messages[{i}]")
    return {**made, "input": items}


def _limit(limit: int, target: Target, native: bool) -> int:
    return min(limit if native else max(limit, _LEAST_OUTPUT), target.max_output_tokens)


def _tool_fields(
    conv: Conversation, options: dict[str, Any], policy: DropPolicy, native: bool
) -> dict[str, Any]:
    """Tools and how to choose among them. Another dialect's caller who allows some of the tools is
    served by leaving out the others."""
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
            tools.append(_function(tool, native) | options.get(tool.name, {}))
    if not tools:
        return {}
    fields: dict[str, Any] = {"tools": tools}
    if choice is not None:
        fields["tool_choice"] = _tool_choice(choice, conv.tools, native)
    if conv.parallel_tools is not None:
        fields["parallel_tool_calls"] = conv.parallel_tools
    return fields


def _function(tool: Tool, native: bool) -> dict[str, Any]:
    """Functions are strict here unless they say otherwise, which suits few schemas."""
    made: dict[str, Any] = {"type": "function", "name": tool.name}
    if tool.description is not None:
        made["description"] = tool.description
    made["parameters"] = tool.schema
    made["strict"] = tool.strict
    if not native:
        made["strict"] = bool(tool.strict) and tool.schema is not None and is_strict(tool.schema)
    return made


def _tool_choice(choice: ToolChoice, tools: list[Tool], native: bool) -> str | dict[str, Any]:
    if choice.mode == "tool" and choice.name is not None:
        return _named(choice.name, tools)
    if choice.allowed and native and choice.mode != "none":
        allowed = [_named(name, tools) for name in choice.allowed]
        return {"type": "allowed_tools", "mode": choice.mode, "tools": allowed}
    return choice.mode


def _named(name: str, tools: list[Tool]) -> dict[str, Any]:
    own = next((t.opaque for t in tools if t.name == name and t.opaque is not None), None)
    if own is None:
        return {"type": "function", "name": name}
    kind = msgspec.json.decode(own)["type"]
    if kind == "mcp":
        return {"type": kind, "server_label": name}
    return {"type": kind, "name": name} if kind == "custom" else {"type": kind}


def _output(
    conv: Conversation, target: Target, policy: DropPolicy, native: bool
) -> tuple[dict[str, Any] | None, list[Text]]:
    """The text format, and what the system prompt must say for it."""
    output = conv.output
    if output is None:
        return None, []
    if output.schema is not None and target.json_schema:
        return _schema(output, native), []
    wanted = _JSON_ONLY
    if output.schema is not None:
        policy.unsupported("output", harmless=False, where=target.model)
        wanted += " It must match this JSON schema: " + msgspec.json.encode(output.schema).decode()
    elif native:
        return {"type": "json_object"}, []
    # OpenAI refuses its JSON mode where no message speaks of JSON.
    return {"type": "json_object"}, [Text(text=wanted)]


def _schema(output: OutputFormat, native: bool) -> dict[str, Any]:
    name = output.name if native else format_name(output.name)
    made: dict[str, Any] = {"type": "json_schema", "name": name, "schema": output.schema}
    if output.description is not None:
        made["description"] = output.description
    if not native:
        made["strict"] = output.schema is not None and is_strict(output.schema)
    elif output.strict is not None:
        made["strict"] = output.strict
    return made


def _reasoning(reasoning: Reasoning | None, target: Target, policy: DropPolicy) -> dict[str, Any]:
    if reasoning is None:
        return {}
    if not target.reasoning:
        if wants_thought(reasoning):
            policy.unsupported("reasoning", harmless=True, where=target.model)
        return {}
    made: dict[str, Any] = {}
    if (effort := effort_of(reasoning, target.model)) is not None:
        made["effort"] = effort
    if reasoning.show and effort != "none":
        made["summary"] = "auto"
    return made


def _sampling(
    sampling: Sampling, target: Target, policy: DropPolicy, effort: str | None
) -> dict[str, Any]:
    """A model that reasons takes no sampling controls but their defaults; the API knows no others
    than these two."""
    made: dict[str, Any] = {}
    fixed = is_reasoner(target.model) and effort != "none"
    for name in ("temperature", "top_p"):
        value = getattr(sampling, name)
        if value is None or (fixed and value == 1):
            continue
        if fixed:
            policy.unsupported(name, harmless=True, where=target.model)
        else:
            made[name] = value
    for name in ("top_k", "seed", "presence_penalty", "frequency_penalty"):
        if getattr(sampling, name):
            policy.unsupported(name, harmless=True, where=WHERE)
    return made
