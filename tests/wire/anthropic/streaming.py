"""Replies as streamed events, and events put together again."""

from __future__ import annotations

import json
from itertools import pairwise

from hybridllm.wire.conversation import (
    BlockEnd,
    Ended,
    Event,
    Finished,
    Opaque,
    OpaqueBlock,
    Part,
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
from hybridllm.wire.sse import EventSplitter, event_data


def cut(wire: bytes, cuts: list[int]) -> list[bytes]:
    """The bytes in pieces, split at any of `cuts`."""
    at = [0, *sorted(c % (len(wire) + 1) for c in cuts), len(wire)]
    return [wire[a:b] for a, b in pairwise(at)]


def messages(wire: bytes) -> list[dict[str, object]]:
    """The JSON of each server-sent event."""
    splitter = EventSplitter()
    found = [json.loads(event_data(event)) for event in splitter.feed(wire)]
    assert splitter.rest == b""
    return found


def events_of(reply: Reply) -> list[Event]:
    """The reply as a provider might stream it, each text in two pieces."""
    events: list[Event] = [Started(id=reply.id, model=reply.model)]
    for index, part in enumerate(reply.parts):
        match part:
            case Text():
                half = len(part.text) // 2
                for text in (part.text[:half], part.text[half:]):
                    events.append(TextDelta(index=index, text=text))
            case Thinking():
                if part.sealed is None:
                    events.append(ThinkingDelta(index=index, text=part.text, origin=part.origin))
                if part.signature or part.sealed:
                    events.append(
                        ThinkingSigned(
                            index=index,
                            signature=part.signature,
                            sealed=part.sealed,
                            origin=part.origin,
                        )
                    )
            case ToolCall():
                events.append(
                    ToolCallStarted(
                        index=index,
                        id=part.id,
                        name=part.name,
                        signature=part.signature,
                        origin=part.origin,
                    )
                )
                for piece in (part.arguments[:3], part.arguments[3:]):
                    events.append(ToolCallDelta(index=index, arguments=piece))
            case Opaque():
                events.append(
                    OpaqueBlock(index=index, origin=part.origin, kind=part.kind, raw=part.raw)
                )
        events.append(BlockEnd(index=index))
    assert reply.usage is not None
    finished = Finished(finish=reply.finish, stop_sequence=reply.stop_sequence)
    return [*events, finished, UsageUpdate(usage=reply.usage), Ended()]


def assembled(events: list[Event]) -> Reply:
    """The reply that the events tell of. Blocks must be whole and must not interleave."""
    reply = Reply(id="", model="", parts=[])
    parts: dict[int, Part] = {}
    done: set[int] = set()
    for event in events:
        index = getattr(event, "index", None)
        if index is not None:
            assert index not in done and set(parts) - done <= {index}
        match event:
            case Started():
                reply.id, reply.model = event.id, event.model
            case TextDelta():
                text = parts.setdefault(event.index, Text(text=""))
                assert isinstance(text, Text)
                text.text += event.text
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
                parts[event.index] = ToolCall(id=event.id, name=event.name, arguments="")
            case ToolCallDelta():
                call = parts[event.index]
                assert isinstance(call, ToolCall)
                call.arguments += event.arguments
            case OpaqueBlock():
                parts[event.index] = Opaque(origin=event.origin, kind=event.kind, raw=event.raw)
            case BlockEnd():
                done.add(event.index)
            case UsageUpdate():
                reply.usage = event.usage
            case Finished():
                reply.finish, reply.stop_sequence = event.finish, event.stop_sequence
    assert isinstance(events[-1], Ended) and done == set(parts)
    reply.parts = list(parts.values())
    return reply
