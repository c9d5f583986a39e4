"""A Conversation to a generateContent body.

Format: https://ai.google.dev/api/generate-content.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from hybridllm.wire.conversation import (
    Conversation,
    Message,
    OutputFormat,
    Sampling,
    Text,
    Tool,
    ToolChoice,
)
from hybridllm.wire.dialect import DropPolicy, Target
from hybridllm.wire.google.part_writer import PartWriter, text_part
from hybridllm.wire.google.signatures import NATIVE
from hybridllm.wire.google.thinking import thinking_config

WHERE = "Google's generateContent API"

_HARMLESS = frozenset(
    {
        "context_management",
        "diagnostics",
        "include",
        "inference_geo",
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
        "service_tier",
        "speed",
        "store",
        "stream_options",
        "tool_options",
        "truncation",
        "user",
        "user_profile_id",
        "verbosity",
        "workspace_id",
    }
)
"""Fields of other dialects that do not change what the answer may say."""

_TRIVIAL: dict[str, tuple[Any, ...]] = {
    "include": ([], ["reasoning.encrypted_content"]),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "n": (1,),
    "store": (False,),
}
"""Values that ask for what is done anyway."""


def write_request(conv: Conversation, target: Target, policy: DropPolicy) -> bytes:
    """The body to send. Raises Inexpressible for what `policy` refuses."""
    extras = _extras(conv, policy)
    body: dict[str, Any] = {"contents": _contents(conv, target, policy)}
    system = [*conv.system, *_later_system(conv.messages)]
    if system and conv.messages:
        body["systemInstruction"] = {"parts": [text_part(text.text) for text in system]}
    if conv.tools:
        body["tools"] = _tools(conv.tools, extras.pop("functionDeclarations", {}), policy)
    calling = _calling_config(conv.tool_choice)
    if conv.parallel_tools is False and conv.tools:
        policy.unsupported("parallel_tools", harmless=True, where=WHERE)
    config = _generation_config(conv, target, policy)
    for name, value in extras.items():
        group, _, key = name.rpartition(".")
        if group == "generationConfig":
            config[key] = value
        elif group == "toolConfig.functionCallingConfig":
            calling[key] = value
        elif group == "toolConfig":
            body.setdefault("toolConfig", {})[key] = value
        else:
            body[name] = value
    if calling:
        body.setdefault("toolConfig", {})["functionCallingConfig"] = calling
    if config:
        body["generationConfig"] = config
    return msgspec.json.encode(body)


def _extras(conv: Conversation, policy: DropPolicy) -> dict[str, Any]:
    """What Google's own reader kept; what another dialect's kept is dropped or refused."""
    if conv.origin == NATIVE:
        return dict(conv.extras)
    for name, value in conv.extras.items():
        if value is not None and value not in _TRIVIAL.get(name, ()):
            policy.unsupported(name, harmless=name in _HARMLESS, where=WHERE)
    return {}


def _later_system(messages: list[Message]) -> list[Text]:
    """Google has one system instruction: what was said in mid conversation joins it."""
    return [
        part
        for message in messages
        if message.role == "system"
        for part in message.parts
        if isinstance(part, Text)
    ]


def _contents(conv: Conversation, target: Target, policy: DropPolicy) -> list[dict[str, Any]]:
    writer = PartWriter(conv.messages, target, policy)
    contents: list[dict[str, Any]] = []
    for i, message in enumerate(conv.messages):
        if message.role == "system":
            continue
        parts = writer.write(message, f"messages[{i}]")
        if parts:
            role = "model" if message.role == "assistant" else "user"
            contents.append({"role": role, "parts": parts})
    if not contents:
        # Google answers no request without contents, other dialects one with a system text alone.
        texts = [*conv.system, *_later_system(conv.messages)] or [Text(text="")]
        contents.append({"role": "user", "parts": [text_part(text.text) for text in texts]})
    return contents


def _tools(tools: list[Tool], further: dict[str, dict[str, Any]], policy: DropPolicy) -> list[Any]:
    """One entry of all functions, and each of Google's own tools as it came."""
    declarations: list[dict[str, Any]] = []
    entries: list[Any] = []
    for tool in tools:
        if tool.opaque is not None:
            if tool.origin == NATIVE:
                entries.append(Raw(tool.opaque.encode()))
            else:
                policy.unsupported(tool.name, harmless=False, where=WHERE)
            continue
        if tool.strict:
            policy.unsupported("strict", harmless=True, where=WHERE)
        declared: dict[str, Any] = {"name": tool.name}
        if tool.description:
            declared["description"] = tool.description
        if tool.schema is not None:
            declared["parametersJsonSchema"] = tool.schema
        declarations.append(declared | further.get(tool.name, {}))
    if declarations:
        entries.insert(0, {"functionDeclarations": declarations})
    return entries


def _calling_config(choice: ToolChoice | None) -> dict[str, Any]:
    """AUTO takes no list of names; VALIDATED is AUTO that does."""
    if choice is None:
        return {}
    if choice.mode == "tool" and choice.name:
        return {"mode": "ANY", "allowedFunctionNames": [choice.name]}
    mode = {"auto": "AUTO", "none": "NONE"}.get(choice.mode, "ANY")
    if not choice.allowed or mode == "NONE":
        return {"mode": mode}
    return {
        "mode": "VALIDATED" if mode == "AUTO" else mode,
        "allowedFunctionNames": list(choice.allowed),
    }


def _generation_config(conv: Conversation, target: Target, policy: DropPolicy) -> dict[str, Any]:
    config = _sampling(conv.sampling)
    if conv.stop:
        config["stopSequences"] = conv.stop
    if conv.max_output_tokens is not None:
        config["maxOutputTokens"] = min(conv.max_output_tokens, target.max_output_tokens)
    if conv.output is not None:
        config |= _output(conv.output)
    if conv.reasoning is not None:
        if target.reasoning:
            limit = conv.max_output_tokens or target.max_output_tokens
            thinking = thinking_config(conv.reasoning, target.model, limit)
            if thinking:
                config["thinkingConfig"] = thinking
        elif conv.reasoning.effort != "none" and conv.reasoning.budget_tokens != 0:
            policy.unsupported("reasoning", harmless=True, where=target.model)
    return config


def _output(output: OutputFormat) -> dict[str, Any]:
    config: dict[str, Any] = {"responseMimeType": "application/json"}
    if output.schema is not None:
        config["responseJsonSchema"] = output.schema
    return config


def _sampling(sampling: Sampling) -> dict[str, Any]:
    values = {
        "temperature": sampling.temperature,
        "topP": sampling.top_p,
        "topK": sampling.top_k,
        "seed": sampling.seed,
        "presencePenalty": sampling.presence_penalty,
        "frequencyPenalty": sampling.frequency_penalty,
    }
    return {name: value for name, value in values.items() if value is not None}
