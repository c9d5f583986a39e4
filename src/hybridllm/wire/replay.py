"""A whole reply as the events of a stream, and the events of a stream as a whole reply."""

from __future__ import annotations

from collections.abc import Iterable

from hybridllm.wire.conversation import (
    BlockEnd,
    Ended,
    Event,
    Finished,
    OpaqueBlock,
    Part,
    Refusal,
    RefusalDelta,
    Reply,
    Started,
    StreamFailed,
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


def events_of(reply: Reply) -> list[Event] | None:
    """The stream in which this reply might have come. None if it holds what only its own dialect
    can say, since a stream of that might say it otherwise."""
    events: list[Event] = [
        Started(id=reply.id, model=reply.model, created=reply.created, usage=reply.usage)
    ]
    for index, part in enumerate(reply.parts):
        made = _events_of_part(index, part)
        if made is None:
            return None
        events += [*made, BlockEnd(index=index)]
    if reply.usage is not None:
        events.append(UsageUpdate(usage=reply.usage))
    events.append(Finished(finish=reply.finish, stop_sequence=reply.stop_sequence))
    events.append(Ended())
    return events


def _events_of_part(index: int, part: Part) -> list[Event] | None:
    match part:
        case Text():
            return [TextDelta(index=index, text=part.text)]
        case Refusal():
            return [RefusalDelta(index=index, text=part.text)]
        case ToolCall():
            return [
                ToolCallStarted(
                    index=index,
                    id=part.id,
                    name=part.name,
                    signature=part.signature,
                    origin=part.origin,
                ),
                ToolCallDelta(index=index, arguments=part.arguments),
            ]
        case Thinking():
            made: list[Event] = []
            if part.sealed is None:
                made.append(ThinkingDelta(index=index, text=part.text, origin=part.origin))
            if part.signature is not None or part.sealed is not None:
                made.append(
                    ThinkingSigned(
                        index=index,
                        signature=part.signature,
                        sealed=part.sealed,
                        origin=part.origin,
                    )
                )
            return made
        case _:
            return None


def reply_of(events: Iterable[Event]) -> Reply | None:
    """The reply that came as these events. None if it failed, is not whole, or holds what only its
    own dialect can say."""
    reply: Reply | None = None
    parts = _Parts()
    ended = finished = False
    for event in events:
        match event:
            case Started():
                reply = Reply(
                    id=event.id,
                    model=event.model,
                    parts=[],
                    usage=event.usage,
                    created=event.created,
                )
            case StreamFailed() | OpaqueBlock():
                return None
            case Ended():
                ended = True
            case BlockEnd():
                pass
            case _ if reply is None:
                return None
            case UsageUpdate():
                reply.usage = event.usage
            case Finished():
                finished = True
                reply.finish, reply.stop_sequence = event.finish, event.stop_sequence
            case _:
                parts.add(event)
    if reply is None or not (ended and finished):
        return None
    reply.parts = parts.whole()
    return reply


_Content = (
    TextDelta | RefusalDelta | ThinkingDelta | ThinkingSigned | ToolCallStarted | ToolCallDelta
)


class _Parts:
    """Parts as they grow. Their texts are put together at the end alone."""

    def __init__(self) -> None:
        self._parts: dict[int, Text | Refusal | Thinking | ToolCall] = {}
        self._texts: dict[int, list[str]] = {}

    def add(self, event: _Content) -> None:
        index = event.index
        match event:
            case TextDelta():
                self._parts.setdefault(index, Text(text=""))
                self._say(index, event.text)
            case RefusalDelta():
                self._parts.setdefault(index, Refusal(text=""))
                self._say(index, event.text)
            case ToolCallStarted():
                self._parts[index] = ToolCall(
                    id=event.id,
                    name=event.name,
                    arguments="",
                    signature=event.signature,
                    origin=event.origin,
                )
            case ToolCallDelta():
                self._say(index, event.arguments)
            case ThinkingDelta():
                self._parts.setdefault(index, Thinking(origin=event.origin))
                self._say(index, event.text)
            case ThinkingSigned():
                self._sign(event)

    def whole(self) -> list[Part]:
        """All of them, in their order."""
        for index, pieces in self._texts.items():
            part, text = self._parts.get(index), "".join(pieces)
            if isinstance(part, ToolCall):
                part.arguments = text
            elif part is not None:
                part.text = text
        return [self._parts[index] for index in sorted(self._parts)]

    def _say(self, index: int, text: str) -> None:
        self._texts.setdefault(index, []).append(text)

    def _sign(self, event: ThinkingSigned) -> None:
        thought = self._parts.setdefault(event.index, Thinking(origin=event.origin))
        if isinstance(thought, Thinking):
            thought.signature = event.signature or thought.signature
            thought.sealed = event.sealed if event.sealed is not None else thought.sealed
            thought.origin = event.origin or thought.origin
