"""Streamed replies to events. Format: https://docs.anthropic.com/en/api/messages-streaming"""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from hybridllm.catalog.structs import Usage
from hybridllm.wire.anthropic.errors import WireError, stream_failure
from hybridllm.wire.anthropic.replies import WireBlock, malformed
from hybridllm.wire.anthropic.signatures import NATIVE, redacted, thinking
from hybridllm.wire.anthropic.usage import WireUsage, neutral_finish, neutral_usage
from hybridllm.wire.conversation import (
    BlockEnd,
    Ended,
    Event,
    Finished,
    OpaqueBlock,
    Started,
    StreamFailed,
    TextDelta,
    Thinking,
    ThinkingDelta,
    ThinkingSigned,
    ToolCallDelta,
    ToolCallStarted,
    UsageUpdate,
)
from hybridllm.wire.sse import EventSplitter, event_data


class _Start(Struct):
    id: str = ""
    model: str = ""
    usage: WireUsage | None = None


class _Delta(Struct):
    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Event(Struct):
    type: str
    index: int = 0
    message: _Start | None = None
    content_block: Raw | UnsetType = UNSET
    delta: _Delta | None = None
    usage: WireUsage | None = None
    error: WireError | None = None


class _Open(Struct):
    """The block that is being streamed. `raw` is set for an opaque one."""

    kind: str
    origin: str = NATIVE
    arguments: list[str] = msgspec.field(default_factory=list)
    raw: bytes = b""


_event = msgspec.json.Decoder(_Event)
_block = msgspec.json.Decoder(WireBlock)
_object = msgspec.json.Decoder(dict[str, Raw])


class AnthropicStreamDecoder:
    """See `StreamDecoder`. Blocks come one after another; the usage of message_delta is the whole
    so far. Kinds of events newer than this file are passed over."""

    def __init__(self) -> None:
        self._events = EventSplitter()
        self._usage: Usage | None = None
        self._open: dict[int, _Open] = {}

    def feed(self, data: bytes) -> list[Event]:
        """Raises ProviderError(MALFORMED_REPLY)."""
        events: list[Event] = []
        for event in self._events.feed(data):
            if found := event_data(event):
                try:
                    self._read(_event.decode(found), found, events)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
                    raise malformed(e) from e
        return events

    def end(self) -> list[Event]:
        """message_stop is the end: a stream that closes without it was cut."""
        return []

    def _read(self, event: _Event, data: bytes, events: list[Event]) -> None:
        match event.type:
            case "message_start":
                start = event.message or _Start()
                if start.usage is not None:
                    self._usage = neutral_usage(start.usage)
                events.append(Started(id=start.id, model=start.model, usage=self._usage))
            case "content_block_start" if event.content_block is not UNSET:
                self._start(event.index, event.content_block, events)
            case "content_block_delta" if event.delta is not None:
                self._delta(event.index, event.delta, events)
            case "content_block_stop":
                self._stop(event.index, events)
            case "message_delta":
                self._message_delta(event, events)
            case "message_stop":
                events.append(Ended())
            case "error":
                failure = stream_failure(event.error or WireError(), data)
                events.append(
                    StreamFailed(kind=failure.kind, message=failure.message, code=failure.code)
                )

    def _start(self, index: int, raw: Raw, events: list[Event]) -> None:
        block = _block.decode(raw)
        opened = self._open[index] = _Open(kind=block.type)
        match block.type:
            case "text":
                if block.text:
                    events.append(TextDelta(index=index, text=block.text))
            case "thinking":
                part = thinking(block.thinking, block.signature or "")
                opened.origin = part.origin
                events.append(ThinkingDelta(index=index, text=part.text, origin=part.origin))
                if part.signature:
                    events.append(_signed(index, part))
            case "redacted_thinking":
                events.append(_signed(index, redacted(block.data)))
            case "tool_use":
                events.append(ToolCallStarted(index=index, id=block.id, name=block.name))
                if _object.decode(block.input):
                    opened.arguments.append(bytes(block.input).decode())
                    events.append(ToolCallDelta(index=index, arguments=opened.arguments[0]))
            case _:
                opened.raw = bytes(raw)

    def _delta(self, index: int, delta: _Delta, events: list[Event]) -> None:
        opened = self._open.get(index)
        match delta.type:
            case "text_delta":
                events.append(TextDelta(index=index, text=delta.text))
            case "thinking_delta":
                origin = opened.origin if opened is not None else NATIVE
                events.append(ThinkingDelta(index=index, text=delta.thinking, origin=origin))
            case "signature_delta":
                part = thinking("", delta.signature)
                if part.signature or part.origin != NATIVE:
                    events.append(_signed(index, part))
            case "input_json_delta" if opened is not None and delta.partial_json:
                opened.arguments.append(delta.partial_json)
                if not opened.raw:
                    events.append(ToolCallDelta(index=index, arguments=delta.partial_json))

    def _stop(self, index: int, events: list[Event]) -> None:
        opened = self._open.pop(index, None)
        if opened is None:
            return
        if opened.kind == "tool_use" and not opened.arguments:
            events.append(ToolCallDelta(index=index, arguments="{}"))
        elif opened.raw:
            raw = _with_input(opened).decode()
            events.append(OpaqueBlock(index=index, origin=NATIVE, kind=opened.kind, raw=raw))
        events.append(BlockEnd(index=index))

    def _message_delta(self, event: _Event, events: list[Event]) -> None:
        if event.usage is not None:
            self._usage = neutral_usage(event.usage, self._usage)
            events.append(UsageUpdate(usage=self._usage))
        if event.delta is not None and event.delta.stop_reason is not None:
            events.append(
                Finished(
                    finish=neutral_finish(event.delta.stop_reason),
                    stop_sequence=event.delta.stop_sequence,
                )
            )


def _signed(index: int, part: Thinking) -> ThinkingSigned:
    return ThinkingSigned(
        index=index, signature=part.signature, sealed=part.sealed, origin=part.origin
    )


def _with_input(opened: _Open) -> bytes:
    """An opaque block with the input that was streamed after it."""
    if not opened.arguments:
        return opened.raw
    fields = _object.decode(opened.raw)
    fields["input"] = Raw("".join(opened.arguments).encode())
    return msgspec.json.encode(fields)
