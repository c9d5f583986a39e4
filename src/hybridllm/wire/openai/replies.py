"""Whole replies: ChatCompletion to Reply and back.

Format: https://platform.openai.com/docs/api-reference/chat/object. Of several choices the first is
the reply. `reasoning_content` (or `reasoning`) is what compatible servers add; how signatures
travel is told in `hybridllm.wire.openai.signatures`.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.wire.conversation import (
    Finish,
    Opaque,
    Part,
    Refusal,
    Reply,
    Text,
    Thinking,
    ToolCall,
)
from hybridllm.wire.openai.message_writer import call_of
from hybridllm.wire.openai.part_writer import raw_of
from hybridllm.wire.openai.signatures import (
    NATIVE,
    Opened,
    details_of,
    opened_id,
    sealed_id,
    thoughts_of,
)
from hybridllm.wire.openai.usage import (
    WireUsage,
    finish_reason,
    neutral_finish,
    neutral_usage,
    wire_usage,
)

_NULL = Raw(b"null")
UNKNOWN_ID = "chatcmpl-unknown"
"""The id of a reply whose provider gave none."""


class WireFunction(Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(Struct):
    type: str | None = None
    id: str | None = None
    function: WireFunction | None = None


class _TextPart(Struct):
    type: str = ""
    text: str | None = None


class _Message(Struct):
    content: str | list[_TextPart] | None = None
    refusal: str | None = None
    tool_calls: list[Raw] | None = None
    function_call: WireFunction | None = None
    audio: Raw = _NULL
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: Raw = _NULL


class _Choice(Struct):
    message: _Message
    finish_reason: str | None = None
    stop_reason: str | int | None = None


class _Completion(Struct):
    choices: list[_Choice]
    id: str = ""
    model: str = ""
    created: int = 0
    usage: WireUsage | None = None


_completion = msgspec.json.Decoder(_Completion)
_call = msgspec.json.Decoder(_Call)


def malformed(e: Exception) -> ProviderError:
    """Never quotes the reply, which may hold what the caller wrote."""
    return ProviderError(
        f"OpenAI's reply cannot be read ({type(e).__name__}).", kind=ErrorKind.MALFORMED_REPLY
    )


def read_reply(body: bytes) -> Reply:
    """Raises ProviderError(MALFORMED_REPLY)."""
    try:
        completion = _completion.decode(body)
        choice = completion.choices[0]
        parts = _parts(choice.message)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, IndexError) as e:
        raise malformed(e) from e
    calls = any(isinstance(part, ToolCall) for part in parts)
    finish = neutral_finish(choice.finish_reason or "", calls=calls)
    sequence = stop_sequence(finish, choice.stop_reason)
    return Reply(
        id=completion.id,
        model=completion.model,
        created=completion.created,
        parts=parts,
        finish=Finish.STOP_SEQUENCE if sequence is not None else finish,
        usage=neutral_usage(completion.usage) if completion.usage is not None else None,
        stop_sequence=sequence,
    )


def stop_sequence(finish: Finish, reason: str | int | None) -> str | None:
    """vLLM's `stop_reason` is the stop sequence that was met, or the number of a token."""
    return reason if isinstance(reason, str) and finish is Finish.STOP else None


def _parts(message: _Message) -> list[Part]:
    said: list[Part] = []
    content = message.content
    if isinstance(content, list):
        content = "".join(part.text or "" for part in content)
    if content:
        said.append(Text(text=content))
    if message.refusal:
        said.append(Refusal(text=message.refusal))
    if bytes(message.audio) != b"null":
        said.append(Opaque(origin=NATIVE, kind="audio", raw=bytes(message.audio).decode()))
    ids: list[Opened] = []
    for i, raw in enumerate(message.tool_calls or ()):
        said.append(_call_part(raw, i, ids))
    if message.function_call is not None:
        said.append(_tool_call(Opened("call_1"), message.function_call))
    reasoning = message.reasoning_content or message.reasoning
    return [*thoughts_of(reasoning, message.reasoning_details, ids), *said]


def _call_part(raw: Raw, number: int, ids: list[Opened]) -> Part:
    call = _call.decode(raw)
    if call.function is None:
        kind = f"{call.type or 'unknown'}_tool_call"
        return Opaque(origin=NATIVE, kind=kind, raw=bytes(raw).decode())
    ids.append(opened_id(call.id or f"call_{number + 1}"))
    return _tool_call(ids[-1], call.function)


def _tool_call(opened: Opened, function: WireFunction) -> ToolCall:
    return ToolCall(
        id=opened.id,
        name=function.name or "",
        arguments=function.arguments or "{}",
        signature=opened.signature,
        origin=opened.origin,
    )


def write_reply(reply: Reply) -> bytes:
    """A ChatCompletion of one choice."""
    message, calls = _message(reply.parts)
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": finish_reason(reply.finish, calls=calls),
    }
    body: dict[str, Any] = {
        "id": reply.id or UNKNOWN_ID,
        "object": "chat.completion",
        "created": reply.created,
        "model": reply.model,
        "choices": [choice],
    }
    if reply.usage is not None:
        body["usage"] = wire_usage(reply.usage)
    return msgspec.json.encode(body)


def _message(parts: list[Part]) -> tuple[dict[str, Any], bool]:
    """The assistant's message, and whether it calls a tool. What only another dialect can say is
    left out."""
    texts = [part.text for part in parts if isinstance(part, Text)]
    refusals = [part.text for part in parts if isinstance(part, Refusal)]
    thoughts = [part for part in parts if isinstance(part, Thinking)]
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(texts) if texts else None,
        "refusal": "".join(refusals) if refusals else None,
    }
    if reasoning := "".join(thought.text for thought in thoughts):
        message["reasoning_content"] = reasoning
    if details := details_of(thoughts):
        message["reasoning_details"] = details
    calls: list[Any] = []
    for part in parts:
        if isinstance(part, ToolCall):
            calls.append(call_of(part, sealed_id(part, [] if calls else thoughts)))
        elif isinstance(part, Opaque) and part.origin == NATIVE:
            if part.kind == "audio":
                message["audio"] = raw_of(part)
            else:
                calls.append(raw_of(part))
    if calls:
        message["tool_calls"] = calls
    return message, bool(calls)
