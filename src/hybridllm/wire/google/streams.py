"""Streamed replies: wire bytes to events and back, as SSE or as one JSON array.

Each message is a whole GenerateContentResponse that holds what is new. There is no terminator: the
message with a finishReason (and the usage) is the last.
"""

from __future__ import annotations

from typing import Any

import msgspec

from hybridllm.catalog.structs import Usage
from hybridllm.errors import ErrorKind, HybridError, ProviderError
from hybridllm.wire.conversation import (
    BlockEnd,
    Ended,
    Event,
    Finish,
    Finished,
    Media,
    Opaque,
    OpaqueBlock,
    Part,
    RefusalDelta,
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
from hybridllm.wire.google.arrays import ArraySplitter, Frame
from hybridllm.wire.google.errors import read_error, write_error
from hybridllm.wire.google.part_writer import arguments_object
from hybridllm.wire.google.relay import SseSplitter
from hybridllm.wire.google.replies import (
    REASONS,
    WireReply,
    created_at,
    decode_wire_reply,
    malformed,
    malformed_call,
    neutral_finish,
    neutral_usage,
    raw_parts,
    read_part,
    wire_usage,
    write_part,
)
from hybridllm.wire.google.signatures import NATIVE
from hybridllm.wire.sse import sse


class GoogleStreamDecoder:
    """See `StreamDecoder`. Reads the first candidate; tells SSE from an array by its first byte."""

    def __init__(self) -> None:
        self._splitter: SseSplitter | ArraySplitter | None = None
        self._started = False
        self._ended = False
        self._response_id = ""
        self._next = 0
        self._open: type[Text] | type[Thinking] | None = None
        self._calls = False
        self._finish: Finish | None = None
        self._usage: Usage | None = None

    def feed(self, data: bytes) -> list[Event]:
        """Raises ProviderError(MALFORMED_REPLY)."""
        if self._splitter is None:
            data = data.lstrip()
            if not data:
                return []
            self._splitter = ArraySplitter() if data.startswith(b"[") else SseSplitter()
        events: list[Event] = []
        for frame in self._splitter.feed(data):
            self._read(frame, events)
        if self._usage is not None and self._splitter.closed:
            self._close(events)
        return events

    def end(self) -> list[Event]:
        """A stream that closes after its finishReason has ended, with or without usage."""
        events: list[Event] = []
        if isinstance(self._splitter, SseSplitter) and (last := self._splitter.last()):
            try:
                self._read(last, events)
            except ProviderError:
                events.clear()  # an event cut in half is no event
        if self._splitter is not None and self._splitter.closed:
            self._close(events)
        return events

    def _close(self, events: list[Event]) -> None:
        if self._finish is not None and not self._ended:
            self._ended = True
            self._end_block(events)
            events += [Finished(finish=self._finish), Ended()]

    def _read(self, frame: Frame, events: list[Event]) -> None:
        if not frame.data or self._ended:
            return
        try:
            chunk = decode_wire_reply(frame.data)
            if chunk.error is not None:
                error = read_error(chunk.error.code or 500, {}, frame.data)
                events.append(StreamFailed(kind=error.kind, message=error.message, code=error.code))
                return
            self._start(chunk, events)
            for candidate in chunk.candidates or ():
                if (candidate.index or 0) != 0:
                    continue
                for raw in raw_parts(candidate):
                    for part in read_part(raw, self._response_id, self._next):
                        self._part(part, events)
                if candidate.finishReason is not None:
                    self._finish = neutral_finish(candidate.finishReason, self._calls)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            raise malformed(e) from e
        if chunk.promptFeedback is not None and chunk.promptFeedback.blockReason is not None:
            self._finish = Finish.CONTENT_FILTER
        if chunk.usageMetadata is not None:
            self._usage = neutral_usage(chunk.usageMetadata)
            events.append(UsageUpdate(usage=self._usage))

    def _start(self, chunk: WireReply, events: list[Event]) -> None:
        if not self._started:
            self._started = True
            self._response_id = chunk.responseId or ""
            events.append(
                Started(
                    id=self._response_id,
                    model=chunk.modelVersion or "",
                    created=created_at(chunk.createTime),
                )
            )

    def _part(self, part: Part, events: list[Event]) -> None:
        """Texts in a row are one block, and so are thoughts until a signature ends them."""
        match part:
            case Text():
                index = self._block(Text, events)
                events.append(TextDelta(index=index, text=part.text))
            case Thinking():
                own_block = part.origin == NATIVE and not part.text and self._open is Thinking
                index = self._block(Thinking, events)
                if part.text or not own_block:
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
                    self._end_block(events)
            case ToolCall():
                self._calls = True
                index = self._block(None, events)
                events += [
                    ToolCallStarted(
                        index=index,
                        id=part.id,
                        name=part.name,
                        signature=part.signature,
                        origin=part.origin,
                    ),
                    ToolCallDelta(index=index, arguments=part.arguments),
                    BlockEnd(index=index),
                ]
            case Opaque() | Media():
                index = self._block(None, events)
                opaque = part if isinstance(part, Opaque) else _opaque(part)
                events.append(
                    OpaqueBlock(index=index, origin=opaque.origin, kind=opaque.kind, raw=opaque.raw)
                )
                events.append(BlockEnd(index=index))

    def _block(self, kind: type[Text] | type[Thinking] | None, events: list[Event]) -> int:
        """The index of the open block of this kind, or of a new one."""
        if kind is None or self._open is not kind:
            self._end_block(events)
            self._open = kind
            self._next += 1
        return self._next - 1

    def _end_block(self, events: list[Event]) -> None:
        if self._open is not None:
            self._open = None
            events.append(BlockEnd(index=self._next - 1))


def _opaque(media: Media) -> Opaque:
    """An image or sound that the model made, for which a stream has no event of its own."""
    made = write_part(media) or {}
    return Opaque(origin=NATIVE, kind=next(iter(made), ""), raw=msgspec.json.encode(made).decode())


class GoogleStreamEncoder:
    """See `StreamEncoder`. A call leaves whole, when its block ends; finish and usage go into the
    last message, whichever of them comes first."""

    def __init__(self, *, sse: bool) -> None:
        self._sse = sse
        self._wrote = False
        self._frame: dict[str, Any] = {}
        self._calls: dict[int, ToolCall] = {}
        self._broken: dict[str, str] = {}
        self._finish = Finish.OTHER
        self._usage: Usage | None = None

    def encode(self, event: Event) -> bytes:
        """The event's message, if it makes one."""
        match event:
            case Started():
                self._frame = {"modelVersion": event.model}
                if event.id:
                    self._frame["responseId"] = event.id
                self._usage = event.usage
            case TextDelta() | RefusalDelta():
                return self._part(Text(text=event.text)) if event.text else b""
            case ThinkingDelta():
                thinking = Thinking(text=event.text, origin=event.origin)
                return self._part(thinking) if event.text else b""
            case ThinkingSigned():
                return self._part(
                    Thinking(signature=event.signature, sealed=event.sealed, origin=event.origin)
                )
            case ToolCallStarted():
                self._calls[event.index] = ToolCall(
                    id=event.id,
                    name=event.name,
                    arguments="",
                    signature=event.signature,
                    origin=event.origin,
                )
            case ToolCallDelta():
                self._calls[event.index].arguments += event.arguments
            case OpaqueBlock():
                return self._part(Opaque(origin=event.origin, kind=event.kind, raw=event.raw))
            case BlockEnd():
                return self._call(event.index)
            case UsageUpdate():
                self._usage = event.usage
            case Finished():
                self._finish = event.finish
                return b"".join([self._call(index) for index in list(self._calls)])
            case StreamFailed():
                error = ProviderError(event.message, kind=ErrorKind(event.kind), code=event.code)
                return stream_error(error, "", sse_form=self._sse, first=not self._wrote)
            case Ended():
                return self._last()
        return b""

    def _call(self, index: int) -> bytes:
        call = self._calls.pop(index, None)
        if call is None:
            return b""
        if arguments_object(call.arguments) is None:
            self._broken = malformed_call(call.name, call.arguments)
            return b""
        return self._part(call)

    def _part(self, part: Part) -> bytes:
        made = write_part(part)
        if made is None:
            return b""
        candidate = {"content": {"parts": [made], "role": "model"}, "index": 0}
        return self._message({"candidates": [candidate], **self._frame})

    def _last(self) -> bytes:
        candidate: dict[str, Any] = {
            "content": {"parts": [{"text": ""}], "role": "model"},
            "finishReason": REASONS[self._finish],
            "index": 0,
            **self._broken,
        }
        message: dict[str, Any] = {"candidates": [candidate]}
        if self._usage is not None:
            message["usageMetadata"] = wire_usage(self._usage)
        return self._message(message | self._frame) + (b"" if self._sse else b"]")

    def _message(self, message: dict[str, Any]) -> bytes:
        data = msgspec.json.encode(message)
        if self._sse:
            return sse(data)
        before = b",\n" if self._wrote else b"["
        self._wrote = True
        return before + data


def stream_error(
    error: HybridError, request_id: str, *, sse_form: bool, first: bool = False
) -> bytes:
    """The error as the last bytes of a stream; in an array it is the last element, the only one
    if it comes `first`."""
    _, body = write_error(error, request_id)
    return sse(body) if sse_form else (b"[" if first else b",\n") + body + b"]"
