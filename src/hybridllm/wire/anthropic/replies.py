"""Whole replies: Message to Reply and back. Format: https://docs.anthropic.com/en/api/messages"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.wire.anthropic.block_writer import arguments_object, tool_id
from hybridllm.wire.anthropic.signatures import (
    NATIVE,
    call_signature,
    joined_calls,
    redacted,
    signs_answer,
    thinking,
    thinking_blocks,
)
from hybridllm.wire.anthropic.usage import (
    WireUsage,
    neutral_finish,
    neutral_usage,
    stop_reason,
    wire_usage,
)
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

_EMPTY = Raw(b"{}")


class WireBlock(Struct):
    """A content block, as far as it is of a kind that has a neutral part."""

    type: str
    text: str = ""
    thinking: str = ""
    signature: str | None = None
    data: str = ""
    id: str = ""
    name: str = ""
    input: Raw = _EMPTY


class _Message(Struct):
    content: list[Raw]
    id: str = ""
    model: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: WireUsage | None = None


_message = msgspec.json.Decoder(_Message)
_block = msgspec.json.Decoder(WireBlock)
_object = msgspec.json.Decoder(dict[str, Raw])


def malformed(e: Exception) -> ProviderError:
    """Never quotes the reply, which may hold what the caller wrote."""
    return ProviderError(
        f"Anthropic's reply cannot be read ({type(e).__name__}).", kind=ErrorKind.MALFORMED_REPLY
    )


def read_reply(body: bytes) -> Reply:
    """Raises ProviderError(MALFORMED_REPLY)."""
    try:
        message = _message.decode(body)
        parts = joined_calls([_part(raw) for raw in message.content])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise malformed(e) from e
    return Reply(
        id=message.id,
        model=message.model,
        parts=parts,
        finish=neutral_finish(message.stop_reason or ""),
        usage=neutral_usage(message.usage) if message.usage is not None else None,
        stop_sequence=message.stop_sequence,
    )


def _part(raw: Raw) -> Part:
    block = _block.decode(raw)
    match block.type:
        case "text":
            return Text(text=block.text)
        case "thinking":
            return thinking(block.thinking, block.signature or "")
        case "redacted_thinking":
            return redacted(block.data)
        case "tool_use":
            return ToolCall(id=block.id, name=block.name, arguments=bytes(block.input).decode())
    return Opaque(origin=NATIVE, kind=block.type, raw=bytes(raw).decode())


def write_reply(reply: Reply) -> bytes:
    """A Message of the assistant."""
    content: list[dict[str, Any]] = []
    for part in reply.parts[:-1] if signs_answer(reply.parts) else reply.parts:
        content += _blocks(part)
    calls = any(block["type"] == "tool_use" for block in content)
    return msgspec.json.encode(
        {
            "id": reply.id or UNKNOWN_ID,
            "type": "message",
            "role": "assistant",
            "model": reply.model,
            "content": content,
            "stop_reason": _reason(reply.finish, calls),
            "stop_sequence": reply.stop_sequence,
            "usage": wire_usage(reply.usage),
        }
    )


UNKNOWN_ID = "msg_unknown"
"""The id of a reply whose provider gave none."""


def _reason(finish: Finish, calls: bool) -> str:
    """A turn whose only call was none (see `_blocks`) does not end in tool use."""
    if finish is Finish.TOOL_CALLS and not calls:
        finish = Finish.MALFORMED_TOOL_CALL
    return stop_reason(finish, calls)


def _blocks(part: Part) -> list[dict[str, Any]]:
    """The blocks of one part of a reply; none for what only another dialect can say. A call whose
    arguments are no JSON object is told as text: no client must run it."""
    match part:
        case Text() | Refusal():
            return [{"type": "text", "text": part.text}] if part.text else []
        case Thinking():
            return thinking_blocks(part)
        case ToolCall():
            arguments = arguments_object(part.arguments)
            if arguments is None:
                said = f"Malformed tool call: {part.name}({part.arguments})"
                return [{"type": "text", "text": said}]
            call = {"type": "tool_use", "id": tool_id(part.id), "name": part.name}
            return [*call_signature(part), {**call, "input": arguments}]
        case Opaque() if part.origin == NATIVE:
            return [dict(_object.decode(part.raw))]
    return []
