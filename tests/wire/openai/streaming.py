"""Replies as streamed events, and events put together again."""

from __future__ import annotations

import json
from typing import Any

from hybridllm.wire.conversation import (
    BlockEnd,
    Ended,
    Event,
    Finished,
    Opaque,
    OpaqueBlock,
    Part,
    Refusal,
    RefusalDelta,
    Reply,
    Started,
    Text,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ThinkingSigned,
    ToolCall,
    ToolCallDelta,
    ToolCallStarted,
    UsageUpdate,
)
from hybridllm.wire.sse import EventSplitter, event_data, sse


def events_of(reply: Reply) -> list[Event]:
    """The reply as a provider might stream it, each text in two pieces."""
    events: list[Event] = [Started(id=reply.id, model=reply.model, created=reply.created)]
    for index, part in enumerate(reply.parts):
        events += [*_block(index, part), BlockEnd(index=index)]
    events.append(Finished(finish=reply.finish, stop_sequence=reply.stop_sequence))
    if reply.usage is not None:
        events.append(UsageUpdate(usage=reply.usage))
    return [*events, Ended()]


def _block(index: int, part: Part) -> list[Event]:
    match part:
        case Text():
            return [TextDelta(index=index, text=piece) for piece in _halves(part.text)]
        case Refusal():
            return [RefusalDelta(index=index, text=piece) for piece in _halves(part.text)]
        case Thinking():
            return _thought(index, part)
        case ToolCall():
            begun = ToolCallStarted(
                index=index,
                id=part.id,
                name=part.name,
                signature=part.signature,
                origin=part.origin,
            )
            pieces = _halves(part.arguments)
            return [begun, *(ToolCallDelta(index=index, arguments=piece) for piece in pieces)]
        case Opaque():
            return [OpaqueBlock(index=index, origin=part.origin, kind=part.kind, raw=part.raw)]
    raise AssertionError(part)


def _thought(index: int, part: Thinking) -> list[Event]:
    events: list[Event] = []
    if part.sealed is None:
        for piece in _halves(part.text):
            events.append(ThinkingDelta(index=index, text=piece, origin=part.origin))
    if part.signature or part.sealed:
        signed = ThinkingSigned(
            index=index, signature=part.signature, sealed=part.sealed, origin=part.origin
        )
        events.append(signed)
    return events


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def assembled(events: list[Event]) -> Reply:
    """The reply that the events tell of. Every block must end, and only calls may interleave."""
    reply = Reply(id="", model="", parts=[])
    parts: dict[int, Part] = {}
    done: set[int] = set()
    for event in events:
        index = getattr(event, "index", None)
        if index is not None:
            assert index not in done
            still_open = {i for i in set(parts) - done - {index} if i in parts}
            assert all(isinstance(parts[i], ToolCall) for i in still_open)
        match event:
            case Started():
                reply.id, reply.model, reply.created = event.id, event.model, event.created
            case BlockEnd():
                done.add(event.index)
            case UsageUpdate():
                reply.usage = event.usage
            case Finished():
                assert done == set(parts)
                reply.finish, reply.stop_sequence = event.finish, event.stop_sequence
            case _:
                _add(parts, event)
    assert isinstance(events[-1], Ended) and done == set(parts)
    reply.parts = [parts[index] for index in sorted(parts)]
    return reply


def _add(parts: dict[int, Part], event: Event) -> None:
    match event:
        case TextDelta():
            text = parts.setdefault(event.index, Text(text=""))
            assert isinstance(text, Text)
            text.text += event.text
        case RefusalDelta():
            refusal = parts.setdefault(event.index, Refusal(text=""))
            assert isinstance(refusal, Refusal)
            refusal.text += event.text
        case ThinkingDelta():
            thought = parts.setdefault(event.index, Thinking(origin=event.origin))
            assert isinstance(thought, Thinking)
            thought.text += event.text
        case ThinkingSigned():
            thought = parts.setdefault(event.index, Thinking())
            assert isinstance(thought, Thinking)
            thought.signature, thought.sealed = event.signature, event.sealed
            thought.origin = event.origin
        case ToolCallStarted():
            parts[event.index] = ToolCall(
                id=event.id,
                name=event.name,
                arguments="",
                signature=event.signature,
                origin=event.origin,
            )
        case ToolCallDelta():
            call = parts[event.index]
            assert isinstance(call, ToolCall)
            call.arguments += event.arguments
        case OpaqueBlock():
            parts[event.index] = Opaque(origin=event.origin, kind=event.kind, raw=event.raw)


def chunks_of(wire: bytes) -> list[Any]:
    """The JSON of each event but the last, which must be [DONE]."""
    splitter = EventSplitter()
    found = [event_data(event) for event in splitter.feed(wire)]
    assert splitter.rest == b"" and found[-1] == b"[DONE]"
    return [json.loads(data) for data in found[:-1]]


def chunk(delta: dict[str, Any] | None = None, **fields: Any) -> bytes:
    """One event as OpenAI sends it; `choice` overrides fields of its one choice."""
    choice = {"index": 0, "delta": delta or {}, "logprobs": None, "finish_reason": None}
    choice |= fields.pop("choice", {})
    frame = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "gpt-4o",
        "choices": [choice],
    }
    return sse(json.dumps(frame | fields).encode())


DONE = b"data: [DONE]\n\n"
