"""A Conversation to a Messages body. Format: https://docs.anthropic.com/en/api/messages

There is no JSON mode without a schema: a bare one is refused by default; where the configuration
drops `output`, the system prompt asks for a JSON object instead.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Raw

from hybridllm.wire.anthropic.block_writer import WHERE, Block, BlockWriter, marked
from hybridllm.wire.anthropic.schemas import structured
from hybridllm.wire.anthropic.signatures import NATIVE
from hybridllm.wire.anthropic.thinking import (
    ThinkingConfig,
    generation_of,
    thinking_config,
    wants_thinking,
)
from hybridllm.wire.conversation import Conversation, Sampling, Tool, ToolChoice
from hybridllm.wire.dialect import DropPolicy, Target

_HARMLESS = frozenset(
    {
        "functionDeclarations",
        "generationConfig.mediaResolution",
        "include",
        "labels",
        "max_tool_calls",
        "metadata",
        "moderation",
        "obfuscation",
        "prediction",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning.context",
        "reasoning.mode",
        "reasoning.summary",
        "safety_identifier",
        "safetySettings",
        "service_tier",
        "store",
        "stream_options",
        "tool_options",
        "toolConfig.functionCallingConfig.mode",
        "truncation",
        "user",
        "verbosity",
    }
)
"""Fields of other dialects that do not change what the answer may say."""

_TRIVIAL: dict[str, tuple[Any, ...]] = {
    "generationConfig.candidateCount": (1,),
    "generationConfig.responseModalities": (["TEXT"],),
    "include": ([], ["reasoning.encrypted_content"]),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "n": (1,),
    "store": (False,),
    "top_logprobs": (0,),
}
"""Values that ask for what Anthropic does anyway."""

_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_JSON_ONLY = "Answer with one JSON object and nothing else."
_BEGINNING = "(The conversation begins with the assistant.)"


def write_request(conv: Conversation, target: Target, policy: DropPolicy) -> bytes:
    """The body to send. Raises Inexpressible for what `policy` refuses."""
    native = conv.origin == NATIVE
    extras = _extras(conv, policy)
    limit = conv.max_output_tokens
    max_tokens = target.max_output_tokens if limit is None else min(limit, target.max_output_tokens)
    body: dict[str, Any] = {"model": target.model, "max_tokens": max_tokens}
    system = [marked({"type": "text", "text": t.text}, t.cache) for t in conv.system if t.text]
    messages = _messages(conv, system, BlockWriter(target, policy, native=native), native)
    tools = _tools(conv, extras.pop("tool_options", {}), target, policy)
    thinking = _thinking(conv, target, policy, max_tokens, messages)
    output_format = _output_format(conv, target, policy, system, native)
    if system:
        plain = len(system) == 1 and "cache_control" not in system[0]
        body["system"] = system[0]["text"] if plain else system
    body["messages"] = messages
    if tools:
        body["tools"] = tools
        if (choice := _tool_choice(conv.tool_choice, conv.parallel_tools)) is not None:
            body["tool_choice"] = choice
    if thinking.thinking is not None:
        body["thinking"] = thinking.thinking
    config = {"effort": thinking.effort, "format": output_format}
    if config := {name: value for name, value in config.items() if value is not None}:
        body["output_config"] = config
    body |= _sampling(conv.sampling, target, policy, thinking.on)
    if stop := _stop(conv.stop, policy):
        body["stop_sequences"] = stop
    if conv.cache_key is not None:
        policy.unsupported("cache_key", harmless=True, where=WHERE)
    metadata = extras.pop("metadata", {})
    if conv.end_user is not None:
        metadata = {"user_id": conv.end_user, **metadata}
    if metadata:
        body["metadata"] = metadata
    if conv.stream:
        body["stream"] = True
    return msgspec.json.encode(body | extras)


def _extras(conv: Conversation, policy: DropPolicy) -> dict[str, Any]:
    """What Anthropic's own reader kept; what another dialect's kept is dropped or refused."""
    if conv.origin == NATIVE:
        return dict(conv.extras)
    for name, value in conv.extras.items():
        if value is not None and value not in _TRIVIAL.get(name, ()):
            policy.unsupported(name, harmless=name in _HARMLESS, where=WHERE)
    return {}


def _messages(
    conv: Conversation, system: list[Block], writer: BlockWriter, native: bool
) -> list[dict[str, Any]]:
    """Turns that alternate and begin with the user's. A system text in mid conversation, which
    only newer models take, stays where an Anthropic caller put it and else joins `system`."""
    messages: list[dict[str, Any]] = []
    for i, message in enumerate(conv.messages):
        blocks = writer.write(message, f"messages[{i}]")
        if not blocks:
            continue
        if message.role == "system" and not native:
            system += blocks
        elif messages and messages[-1]["role"] == message.role:
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": message.role, "content": blocks})
    if not messages and system:
        # Anthropic answers no request without messages, other dialects one with a system text.
        messages.append({"role": "user", "content": list(system)})
        system.clear()
    elif messages and messages[0]["role"] == "assistant":
        messages.insert(0, {"role": "user", "content": [{"type": "text", "text": _BEGINNING}]})
    for turn in messages:
        if turn["role"] == "user":
            # Results must be the first blocks of the turn that answers the calls.
            turn["content"].sort(key=lambda block: block["type"] != "tool_result")
    return messages


def _tools(
    conv: Conversation, options: dict[str, Any], target: Target, policy: DropPolicy
) -> list[Any]:
    """The definitions. A choice among some of the tools is said by leaving out the others."""
    allowed = conv.tool_choice.allowed if conv.tool_choice is not None else ()
    written: list[Any] = []
    for i, tool in enumerate(conv.tools):
        if allowed and tool.name not in allowed:
            continue
        if tool.opaque is not None:
            if tool.origin == NATIVE:
                written.append(Raw(tool.opaque.encode()))
            else:
                policy.unsupported(tool.name, harmless=False, where=WHERE)
        elif not _TOOL_NAME.fullmatch(tool.name):
            policy.unsupported(f"tools[{i}].name", harmless=False, where=WHERE)
        else:
            made = _tool(tool, target, policy) | options.get(tool.name, {})
            written.append(marked(made, tool.cache))
    return written


def _tool(tool: Tool, target: Target, policy: DropPolicy) -> dict[str, Any]:
    made: dict[str, Any] = {"name": tool.name}
    if tool.description:
        made["description"] = tool.description
    made["input_schema"] = {"type": "object", **(tool.schema or {"properties": {}})}
    if tool.strict is not None and target.json_schema:
        made["strict"] = tool.strict
    elif tool.strict:
        policy.unsupported("strict", harmless=True, where=target.model)
    return made


def _tool_choice(choice: ToolChoice | None, parallel: bool | None) -> dict[str, Any] | None:
    if choice is None and parallel is None:
        return None
    mode = choice.mode if choice is not None else "auto"
    made: dict[str, Any] = {"type": {"required": "any"}.get(mode, mode)}
    if choice is not None and mode == "tool":
        made["name"] = choice.name
    if parallel is not None and mode != "none":
        made["disable_parallel_tool_use"] = not parallel
    return made


def _thinking(
    conv: Conversation,
    target: Target,
    policy: DropPolicy,
    max_tokens: int,
    messages: list[dict[str, Any]],
) -> ThinkingConfig:
    """How to think. What stands in the way of it (a forced tool, a model that cannot, a turn of
    tool use whose thoughts were another provider's) drops it."""
    reasoning = conv.reasoning
    if reasoning is None:
        return ThinkingConfig()
    config: ThinkingConfig | None = None
    forced = conv.tool_choice is not None and conv.tool_choice.mode in ("required", "tool")
    if target.reasoning or not wants_thinking(reasoning):
        config = thinking_config(
            reasoning,
            generation_of(target.model),
            max_tokens,
            native=conv.origin == NATIVE,
            signed=all(_begins_with_thought(m["content"]) for m in messages if _calls(m)),
        )
        if not target.reasoning:
            config = ThinkingConfig()
    if config is not None and config.on and forced and conv.tools:
        config = None
    if config is None:
        policy.unsupported("reasoning", harmless=True, where=WHERE)
        return ThinkingConfig()
    return config


def _calls(message: dict[str, Any]) -> bool:
    return any(block["type"] == "tool_use" for block in message["content"])


def _begins_with_thought(blocks: list[Block]) -> bool:
    return blocks[0]["type"] in ("thinking", "redacted_thinking")


def _output_format(
    conv: Conversation, target: Target, policy: DropPolicy, system: list[Block], native: bool
) -> dict[str, Any] | None:
    output = conv.output
    if output is None:
        return None
    if output.schema is not None and target.json_schema:
        schema = output.schema if native else structured(output.schema)
        return {"type": "json_schema", "schema": schema}
    policy.unsupported("output", harmless=False, where=WHERE)
    wanted = _JSON_ONLY
    if output.schema is not None:
        wanted += " It must match this JSON schema: " + msgspec.json.encode(output.schema).decode()
    system.append({"type": "text", "text": wanted})
    return None


def _sampling(
    sampling: Sampling, target: Target, policy: DropPolicy, thinks: bool
) -> dict[str, Any]:
    """Temperature is 0..1 here. Thought allows none but its default, and of temperature and top_p
    newer models take one, the newest neither."""
    generation = generation_of(target.model)
    made: dict[str, Any] = {}
    for name in ("seed", "presence_penalty", "frequency_penalty"):
        if getattr(sampling, name):
            policy.unsupported(name, harmless=True, where=WHERE)
    temperature, top_p, top_k = sampling.temperature, sampling.top_p, sampling.top_k
    if temperature is not None and temperature != 1:
        if thinks or not generation.samples:
            policy.unsupported("temperature", harmless=True, where=target.model)
        else:
            if temperature > 1:
                policy.unsupported("temperature", harmless=True, where=WHERE)
            made["temperature"] = min(temperature, 1)
    elif temperature is not None and generation.samples:
        made["temperature"] = temperature
    if top_p is not None and top_p != 1:
        exclusive = generation.one_sampling_control and "temperature" in made
        if exclusive or not generation.samples or (thinks and top_p < _LEAST_TOP_P):
            policy.unsupported("top_p", harmless=True, where=target.model)
        else:
            made["top_p"] = top_p
    if top_k is not None:
        if thinks or not generation.samples:
            policy.unsupported("top_k", harmless=True, where=target.model)
        else:
            made["top_k"] = top_k
    return made


_LEAST_TOP_P = 0.95
"""The least that may be set beside thinking."""


def _stop(stop: list[str], policy: DropPolicy) -> list[str]:
    """Anthropic refuses sequences of nothing but white space."""
    kept = [sequence for sequence in stop if sequence.strip()]
    if len(kept) < len(stop):
        policy.unsupported("stop", harmless=True, where=WHERE)
    return kept
