"""A generateContent body to a Conversation.

Format: https://ai.google.dev/api/generate-content. Calls and results need no ids there: calls
without one are numbered in order (`call_1`...), and a result without one answers the first open
call of its name.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw

from hybridllm.errors import RequestError
from hybridllm.wire.conversation import (
    Conversation,
    Message,
    OutputFormat,
    Part,
    Reasoning,
    Sampling,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
)
from hybridllm.wire.dialect import RequestShape
from hybridllm.wire.google.fields import Fields, as_array
from hybridllm.wire.google.parts import PartReader
from hybridllm.wire.google.schemas import to_json_schema
from hybridllm.wire.google.signatures import NATIVE
from hybridllm.wire.reading import check_text

_ROLES = {"user": "user", "function": "user", "model": "assistant"}
_LEVELS = frozenset({"minimal", "low", "medium", "high", "xhigh"})


def read_request(body: bytes, shape: RequestShape) -> Conversation:
    """The whole request. Raises RequestError naming the malformed field."""
    check_text(body)
    top = Fields(Raw(body), "")
    top.raw("sessionId")
    config = top.object("generationConfig") or Fields(Raw(b"{}"), "generationConfig")
    extras: dict[str, Any] = {}
    conv = Conversation(
        model=(shape.model or "").removeprefix("models/"),
        stream=bool(shape.stream),
        origin=NATIVE,
        system=_system(top.raw("systemInstruction")),
        messages=_messages(top.raw("contents")),
        tools=_tools(top, extras),
        tool_choice=_tool_choice(top, extras),
        output=_output(config, extras),
        stop=config.strings("stopSequences"),
        max_output_tokens=config.take("maxOutputTokens", int),
        sampling=_sampling(config),
        reasoning=_reasoning(config),
    )
    labels = top.json("labels")
    if isinstance(labels, dict) and (kept := {k: v for k, v in labels.items() if k != "task"}):
        extras["labels"] = kept
    extras.update(top.rest())
    extras.update({f"generationConfig.{name}": value for name, value in config.rest().items()})
    conv.extras = extras
    return conv


def _system(raw: Raw | None) -> list[Text]:
    if raw is None:
        return []
    parts = _content(raw, "systemInstruction", PartReader())[1]
    for i, part in enumerate(parts):
        if not isinstance(part, Text):
            raise RequestError(
                "The system instruction may hold text only.", field=f"systemInstruction.parts[{i}]"
            )
    return [part for part in parts if isinstance(part, Text)]


def _messages(raw: Raw | None) -> list[Message]:
    items = [] if raw is None else [raw] if _is_string(raw) else as_array(raw, "contents")
    if not items:
        raise RequestError("'contents' is required and must not be empty.", field="contents")
    reader = PartReader()
    messages: list[Message] = []
    for i, item in enumerate(items):
        role, parts = _content(item, f"contents[{i}]", reader)
        last = messages[-1] if messages else None
        if last is not None and last.role == role and _continues(last, role, parts):
            last.parts += parts
        else:
            messages.append(Message(role=role, parts=parts))
    for message in messages:
        message.parts = _joined_thoughts(message.parts)
    return messages


def _continues(last: Message, role: str, parts: list[Part]) -> bool:
    """A streamed reply comes back as one content a chunk; results as one content a result."""
    if role == "assistant":
        return True
    return all(isinstance(part, ToolResult) for part in (*last.parts, *parts))


def _content(raw: Raw, path: str, reader: PartReader) -> tuple[str, list[Part]]:
    """The role and the parts of a content; a bare string is a user's text."""
    if _is_string(raw):
        return "user", reader.read(raw, path)
    fields = Fields(raw, path)
    role = fields.take("role", str) or "user"
    if role not in _ROLES and path != "systemInstruction":
        raise RequestError(
            f"'{path}.role' must be 'user' or 'model'.",
            field=f"{path}.role",
            remedy="System text goes into systemInstruction.",
        )
    parts: list[Part] = []
    for part, at in fields.array("parts"):
        parts += reader.read(part, at)
    return _ROLES.get(role, "system"), parts


def _is_string(raw: Raw) -> bool:
    return bytes(raw).lstrip()[:1] == b'"'


def _joined_thoughts(parts: list[Part]) -> list[Part]:
    """A foreign signature is streamed after its thought, in a part of its own: one block again."""
    joined: list[Part] = []
    for part in parts:
        if isinstance(part, Thinking) and part.signature and part.origin != NATIVE:
            while joined and isinstance(last := joined[-1], Thinking) and not last.signature:
                if last.sealed or last.origin != NATIVE:
                    break
                part.text = last.text + part.text
                joined.pop()
        joined.append(part)
    return joined


def _tools(top: Fields, extras: dict[str, Any]) -> list[Tool]:
    """Functions, and Google's own tools as they are. What a declaration says beyond name,
    description and parameters (`behavior`, `response`) goes to extras by function."""
    tools: list[Tool] = []
    further: dict[str, Any] = {}
    for entry in top.objects("tools"):
        for declared in entry.objects("functionDeclarations"):
            name = declared.take("name", str)
            if not name:
                path = declared.at("name")
                raise RequestError(f"'{path}' is required.", field=path)
            schema = declared.json("parametersJsonSchema")
            openapi = declared.json("parameters")
            for found, key in ((schema, "parametersJsonSchema"), (openapi, "parameters")):
                if found is not None and not isinstance(found, dict):
                    path = declared.at(key)
                    raise RequestError(f"'{path}' must be an object.", field=path)
            tools.append(
                Tool(
                    name=name,
                    description=declared.take("description", str),
                    schema=schema or (to_json_schema(openapi) if openapi else None),
                )
            )
            if declared:
                further[name] = declared.rest()
        for name, value in entry.rest().items():
            tools.append(
                Tool(name=name, opaque=msgspec.json.encode({name: value}).decode(), origin=NATIVE)
            )
    if further:
        extras["functionDeclarations"] = further
    return tools


def _tool_choice(top: Fields, extras: dict[str, Any]) -> ToolChoice | None:
    config = top.object("toolConfig")
    if config is None:
        return None
    calling = config.object("functionCallingConfig")
    choice: ToolChoice | None = None
    if calling is not None:
        mode = (calling.take("mode", str) or "").upper()
        allowed = tuple(calling.strings("allowedFunctionNames"))
        if mode == "ANY" and len(allowed) == 1:
            choice = ToolChoice(mode="tool", name=allowed[0])
        elif mode in _MODES:
            choice = ToolChoice(mode=_MODES[mode], allowed=allowed)
        else:
            path = calling.at("mode")
            raise RequestError(f"'{path}' must be AUTO, ANY, NONE or VALIDATED.", field=path)
        if mode == "VALIDATED" and not allowed:
            extras["toolConfig.functionCallingConfig.mode"] = mode
        for name, value in calling.rest().items():
            extras[f"toolConfig.functionCallingConfig.{name}"] = value
    extras.update({f"toolConfig.{name}": value for name, value in config.rest().items()})
    return choice


_MODES = {
    "": "auto",
    "MODE_UNSPECIFIED": "auto",
    "AUTO": "auto",
    "VALIDATED": "auto",
    "ANY": "required",
    "NONE": "none",
}


def _output(config: Fields, extras: dict[str, Any]) -> OutputFormat | None:
    mime = config.take("responseMimeType", str)
    schema, openapi = config.json("responseJsonSchema"), config.json("responseSchema")
    if mime not in (None, "application/json", "text/plain"):
        # text/x.enum: an answer that is one of a schema's values, bare. Only Google has it.
        values = {"responseMimeType": mime, "responseJsonSchema": schema, "responseSchema": openapi}
        extras.update({f"generationConfig.{k}": v for k, v in values.items() if v is not None})
        return None
    if isinstance(schema, dict):
        return OutputFormat(kind="schema", schema=schema)
    if isinstance(openapi, dict):
        return OutputFormat(kind="schema", schema=to_json_schema(openapi))
    return OutputFormat(kind="json") if mime == "application/json" else None


def _sampling(config: Fields) -> Sampling:
    return Sampling(
        temperature=config.take("temperature", float),
        top_p=config.take("topP", float),
        top_k=config.take("topK", int),
        seed=config.take("seed", int),
        presence_penalty=config.take("presencePenalty", float),
        frequency_penalty=config.take("frequencyPenalty", float),
    )


def _reasoning(config: Fields) -> Reasoning | None:
    thinking = config.object("thinkingConfig")
    if thinking is None:
        return None
    level = (thinking.take("thinkingLevel", str) or "").lower()
    if level and level not in _LEVELS and level != "thinking_level_unspecified":
        path = thinking.at("thinkingLevel")
        raise RequestError(f"'{path}' must be MINIMAL, LOW, MEDIUM, HIGH or XHIGH.", field=path)
    return Reasoning(
        effort=level if level in _LEVELS else None,
        budget_tokens=thinking.take("thinkingBudget", int),
        show=thinking.take("includeThoughts", bool),
    )
