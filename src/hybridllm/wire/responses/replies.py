"""Whole replies: Response to Reply and back.

Format: https://platform.openai.com/docs/api-reference/responses/object. How another provider's
reasoning travels is told in `hybridllm.wire.responses.signatures`.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.wire.conversation import Opaque, Part, Refusal, Reply, Text, Thinking, ToolCall
from hybridllm.wire.openai.errors import stream_failure
from hybridllm.wire.openai.signatures import opened_id, sealed_id
from hybridllm.wire.responses import output
from hybridllm.wire.responses.output import Item, item_id, response_id
from hybridllm.wire.responses.signatures import NATIVE, carriers, is_own, thought_of
from hybridllm.wire.responses.usage import (
    CALLS,
    WireIncomplete,
    WireUsage,
    incomplete_reason,
    neutral_finish,
    neutral_usage,
    wire_usage,
)

NULL = Raw(b"null")


class WirePart(Struct):
    """A part of a message's content, or of a reasoning item's summary or content."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None


class WireItem(Struct):
    """An output item, as far as its type has a neutral part."""

    type: str
    id: str | None = None
    content: list[WirePart] | None = None
    summary: list[WirePart] | None = None
    encrypted_content: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None


class _Typed(Struct):
    type: str


class WireResponse(Struct):
    """`response` of an event, or a whole reply."""

    id: str = ""
    model: str = ""
    created_at: float = 0
    status: str | None = None
    error: Raw = NULL
    incomplete_details: WireIncomplete | None = None
    output: list[Raw] | None = None
    usage: WireUsage | None = None


decode_response = msgspec.json.Decoder(WireResponse).decode
_typed = msgspec.json.Decoder(_Typed)
_item = msgspec.json.Decoder(WireItem)
_KNOWN = frozenset({"message", "reasoning", "function_call"})


def malformed(e: Exception) -> ProviderError:
    """Never quotes the reply, which may hold what the caller wrote."""
    return ProviderError(
        f"OpenAI's response cannot be read ({type(e).__name__}).", kind=ErrorKind.MALFORMED_REPLY
    )


def read_reply(body: bytes) -> Reply:
    """Raises ProviderError: MALFORMED_REPLY, or the error that a failed response tells of."""
    try:
        response = decode_response(body)
        if response.output is None and response.status != "failed":
            raise msgspec.ValidationError("no output")
        if bytes(response.error) != b"null":
            raise stream_failure(response.error, body)
        parts = [part for raw in response.output or () for part in read_item(raw)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise malformed(e) from e
    calls = any(_is_call(part) for part in parts)
    return Reply(
        id=response.id,
        model=response.model,
        created=int(response.created_at),
        parts=parts,
        finish=neutral_finish(response.status, response.incomplete_details, calls=calls),
        usage=neutral_usage(response.usage) if response.usage is not None else None,
    )


def _is_call(part: Part) -> bool:
    return isinstance(part, ToolCall) or (isinstance(part, Opaque) and part.kind in CALLS)


def read_item(raw: Raw) -> list[Part]:
    """The parts of one output item. Raises msgspec.DecodeError."""
    kind = _typed.decode(raw).type
    if kind not in _KNOWN:
        return [Opaque(origin=NATIVE, kind=kind, raw=bytes(raw).decode())]
    item = decode_item(raw)
    match kind:
        case "reasoning":
            return [thought_of(thought_text(item), item.encrypted_content, item.id)]
        case "function_call":
            return [call_of(item)]
    return [part for one in item.content or () if (part := said(one)) is not None]


def decode_item(raw: Raw) -> WireItem:
    """Raises msgspec.DecodeError."""
    return _item.decode(raw)


def said(part: WirePart) -> Text | Refusal | None:
    """A part of a message's content; None if there is nothing in it."""
    if part.refusal:
        return Refusal(text=part.refusal)
    return Text(text=part.text) if part.text else None


def thought_text(item: WireItem) -> str:
    """What can be read of a reasoning item: its summary, else (open models) the reasoning."""
    texts = [part.text for part in item.summary or () if part.text]
    texts = texts or [part.text for part in item.content or () if part.text]
    return "\n\n".join(texts)


def call_of(item: WireItem) -> ToolCall:
    """The call of a `function_call` item."""
    opened = opened_id(item.call_id or item.id or "call_1")
    return ToolCall(
        id=opened.id,
        name=item.name or "",
        arguments=item.arguments or "{}",
        signature=opened.signature,
        origin=opened.origin,
    )


def write_reply(reply: Reply) -> bytes:
    """A Response."""
    refused = any(isinstance(part, Refusal) for part in reply.parts)
    reason = incomplete_reason(reply.finish, refused=refused)
    status = "completed" if reason is None else "incomplete"
    reply_id = response_id(reply.id)
    body = output.frame(reply_id, reply.model, reply.created, status)
    body["output"] = _items(reply.parts, reply_id, status)
    if reason is not None:
        body["incomplete_details"] = {"reason": reason}
    if reply.usage is not None:
        body["usage"] = wire_usage(reply.usage)
    return msgspec.json.encode(body)


def _items(parts: list[Part], reply_id: str, status: str) -> list[Any]:
    """Output items; texts in a row are one message. What only another dialect can say is left
    out. Of an incomplete response the last item is what is incomplete."""
    items: list[Any] = []
    content: list[Item] | None = None
    for part in parts:
        number = len(items)
        match part:
            case Text() | Refusal():
                if content is None:
                    content = []
                    own_id = item_id("msg", reply_id, number)
                    items.append(output.message_item(own_id, content, "completed"))
                is_text = isinstance(part, Text)
                made = output.text_part if is_text else output.refusal_part
                content.append(made(part.text))
                continue
            case Thinking():
                items += _thought(part, reply_id, number)
            case ToolCall():
                call_id, own_id = sealed_id(part, []), item_id("fc", reply_id, number)
                arguments = part.arguments or "{}"
                items.append(output.call_item(own_id, call_id, part.name, arguments, "completed"))
            case Opaque() if part.origin == NATIVE:
                items.append(Raw(part.raw.encode()))
            case _:
                continue
        content = None
    if status == "incomplete" and items and isinstance(items[-1], dict) and "status" in items[-1]:
        items[-1]["status"] = status
    return items


def _thought(thought: Thinking, reply_id: str, number: int) -> list[Item]:
    own = thought.id if is_own(thought) else None
    return [
        output.reasoning_item(own or item_id("rs", reply_id, number + i), text, encrypted)
        for i, (text, encrypted) in enumerate(carriers(thought))
    ]
