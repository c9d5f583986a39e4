"""A streamed response to events.

Format: https://platform.openai.com/docs/api-reference/responses-streaming. Output items come one
after another, known by their `output_index`, the parts of a message by `content_index` too. What
has no event of its own (built-in tools, custom calls) is read whole when its item is done. Some
servers leave out deltas or items: what was not streamed is read from the event that ends it.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Raw, Struct

from hybridllm.wire.conversation import (
    BlockEnd,
    Ended,
    Event,
    Finished,
    Opaque,
    OpaqueBlock,
    RefusalDelta,
    Started,
    StreamFailed,
    Text,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolCallDelta,
    ToolCallStarted,
    UsageUpdate,
)
from hybridllm.wire.openai.errors import stream_failure
from hybridllm.wire.responses.errors import failure_of
from hybridllm.wire.responses.replies import (
    NULL,
    WireItem,
    WireResponse,
    call_of,
    decode_item,
    decode_response,
    malformed,
    read_item,
    said,
    thought_text,
)
from hybridllm.wire.responses.signatures import thought_of
from hybridllm.wire.responses.usage import CALLS, neutral_finish, neutral_usage
from hybridllm.wire.sse import EventSplitter, event_data

_WHOLE = -1
"""In place of a content index: the item itself is the block."""


class _Event(Struct):
    type: str
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    delta: Any = None
    text: str | None = None
    refusal: str | None = None
    arguments: str | None = None
    response: Raw = NULL
    item: Raw = NULL


class _Block(Struct):
    """A block that has begun: its index among events. `told`: some of its text has come."""

    index: int
    origin: str = ""
    told: bool = False
    done: bool = False


class _Typed(Struct):
    type: str = ""


_event = msgspec.json.Decoder(_Event)
_typed = msgspec.json.Decoder(_Typed)


class ResponsesStreamDecoder:
    """See `StreamDecoder`. Kinds of events newer than this file are passed over."""

    def __init__(self) -> None:
        self._events = EventSplitter()
        self._begun = False
        self._ended = False
        self._called = False
        self._next = 0
        self._blocks: dict[tuple[int, int], _Block] = {}
        self._items: set[int] = set()

    def feed(self, data: bytes) -> list[Event]:
        """Raises ProviderError(MALFORMED_REPLY)."""
        events: list[Event] = []
        for event in self._events.feed(data):
            if (found := event_data(event)) and found != b"[DONE]":
                try:
                    self._read(_event.decode(found), found, events)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
                    raise malformed(e) from e
        return events

    def end(self) -> list[Event]:
        """response.completed (or incomplete) is the end: a stream that closes without it was
        cut."""
        return []

    def _read(self, event: _Event, data: bytes, out: list[Event]) -> None:
        if self._ended:
            return
        match event.type:
            case "response.output_text.delta":
                self._say(TextDelta, event, event.delta, out)
            case "response.refusal.delta":
                self._say(RefusalDelta, event, event.delta, out)
            case "response.output_text.done":
                self._said(TextDelta, event, event.text, out)
            case "response.refusal.done":
                self._said(RefusalDelta, event, event.refusal, out)
            case "response.function_call_arguments.delta":
                self._arguments(event.output_index, event.delta, out)
            case "response.function_call_arguments.done":
                self._rest_of_arguments(event.output_index, event.arguments, out)
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                self._think(event.output_index, event.delta, out)
            case "response.reasoning_summary_part.added" if event.summary_index:
                self._think(event.output_index, "\n\n", out)
            case "response.output_item.added":
                self._added(event, out)
            case "response.output_item.done":
                self._done(event.output_index, event.item, out)
            case _:
                self._read_response(event, data, out)

    def _read_response(self, event: _Event, data: bytes, out: list[Event]) -> None:
        match event.type:
            case "response.created" | "response.in_progress" | "response.queued":
                self._start(decode_response(event.response), out)
            case "response.completed" | "response.incomplete":
                self._end(decode_response(event.response), out)
            case "response.failed":
                failure = stream_failure(decode_response(event.response).error, data)
                out.append(_failed(failure.kind, failure.message, failure.code))
            case "error":
                failure = failure_of(data)
                out.append(_failed(failure.kind, failure.message, failure.code))

    def _start(self, response: WireResponse, out: list[Event]) -> None:
        if not self._begun:
            self._begun = True
            created = int(response.created_at)
            out.append(Started(id=response.id, model=response.model, created=created))

    def _end(self, response: WireResponse, out: list[Event]) -> None:
        self._start(response, out)
        if not self._items and not self._blocks:
            for number, item in enumerate(response.output or ()):
                self._done(number, item, out)
        for block in self._blocks.values():
            _close(block, out)
        if response.usage is not None:
            out.append(UsageUpdate(usage=neutral_usage(response.usage)))
        self._ended = True
        incomplete = response.incomplete_details
        finish = neutral_finish(response.status, incomplete, calls=self._called)
        out += [Finished(finish=finish), Ended()]

    def _block(self, output: int, content: int = _WHOLE, origin: str = "") -> _Block:
        block = self._blocks.get((output, content))
        if block is None:
            block = self._blocks[output, content] = _Block(index=self._next, origin=origin)
            self._next += 1
        return block

    def _say(
        self, kind: type[TextDelta | RefusalDelta], event: _Event, text: Any, out: list[Event]
    ) -> None:
        if isinstance(text, str) and text:
            block = self._block(event.output_index, event.content_index)
            block.told = True
            out.append(kind(index=block.index, text=text))

    def _said(
        self,
        kind: type[TextDelta | RefusalDelta],
        event: _Event,
        text: str | None,
        out: list[Event],
    ) -> None:
        """The part is over. Its text is repeated whole, in case it was not streamed."""
        block = self._blocks.get((event.output_index, event.content_index))
        if block is None:
            self._say(kind, event, text, out)
            block = self._blocks.get((event.output_index, event.content_index))
        if block is not None:
            _close(block, out)

    def _think(self, output: int, text: Any, out: list[Event]) -> None:
        block = self._block(output, origin=thought_of("", None, None).origin)
        if isinstance(text, str):
            block.told = True
            out.append(ThinkingDelta(index=block.index, text=text, origin=block.origin))

    def _arguments(self, output: int, text: Any, out: list[Event]) -> None:
        block = self._blocks.get((output, _WHOLE))
        if block is not None and isinstance(text, str) and text:
            block.told = True
            out.append(ToolCallDelta(index=block.index, arguments=text))

    def _rest_of_arguments(self, output: int, text: str | None, out: list[Event]) -> None:
        block = self._blocks.get((output, _WHOLE))
        if block is not None and not block.told:
            self._arguments(output, text, out)

    def _added(self, event: _Event, out: list[Event]) -> None:
        self._items.add(event.output_index)
        match _typed.decode(event.item).type:
            case "reasoning":
                item = decode_item(event.item)
                origin = thought_of("", item.encrypted_content, None).origin
                self._block(event.output_index, origin=origin)
            case "function_call":
                self._call(event.output_index, decode_item(event.item), out)

    def _call(self, output: int, item: WireItem, out: list[Event]) -> None:
        self._called = True
        call, block = call_of(item), self._block(output)
        out.append(
            ToolCallStarted(
                index=block.index,
                id=call.id,
                name=call.name,
                signature=call.signature,
                origin=call.origin,
            )
        )
        self._arguments(output, item.arguments, out)

    def _done(self, output: int, raw: Raw, out: list[Event]) -> None:
        """An item is over. Whatever of it was not streamed is told now."""
        self._items.add(output)
        match _typed.decode(raw).type:
            case "message":
                self._message_done(output, decode_item(raw), out)
            case "reasoning":
                self._thought_done(output, decode_item(raw), out)
            case "function_call":
                item = decode_item(raw)
                if (output, _WHOLE) not in self._blocks:
                    self._call(output, item, out)
                self._rest_of_arguments(output, item.arguments or "{}", out)
                _close(self._blocks[output, _WHOLE], out)
            case kind:
                self._called |= kind in CALLS
                block = self._block(output)
                for part in read_item(raw):
                    if isinstance(part, Opaque) and not block.done:
                        opaque = OpaqueBlock(
                            index=block.index, origin=part.origin, kind=part.kind, raw=part.raw
                        )
                        out.append(opaque)
                _close(block, out)

    def _message_done(self, output: int, item: WireItem, out: list[Event]) -> None:
        for number, content in enumerate(item.content or ()):
            part = said(content)
            if part is not None and (output, number) not in self._blocks:
                kind = TextDelta if isinstance(part, Text) else RefusalDelta
                out.append(kind(index=self._block(output, number).index, text=part.text))
            self._end_part(output, number, out)
        for of, number in list(self._blocks):
            if of == output:
                self._end_part(of, number, out)

    def _end_part(self, output: int, content: int, out: list[Event]) -> None:
        if (block := self._blocks.get((output, content))) is not None:
            _close(block, out)

    def _thought_done(self, output: int, item: WireItem, out: list[Event]) -> None:
        thought = thought_of(thought_text(item), item.encrypted_content, item.id)
        block = self._block(output, origin=thought.origin)
        if block.done:
            return
        if not block.told and (thought.text or thought.sealed is None):
            out.append(ThinkingDelta(index=block.index, text=thought.text, origin=thought.origin))
        if thought.signature or thought.sealed is not None:
            out.append(
                ThinkingSigned(
                    index=block.index,
                    signature=thought.signature,
                    sealed=thought.sealed,
                    origin=thought.origin,
                )
            )
        _close(block, out)


def _close(block: _Block, out: list[Event]) -> None:
    if not block.done:
        block.done = True
        out.append(BlockEnd(index=block.index))


def _failed(kind: str, message: str, code: str | None) -> StreamFailed:
    return StreamFailed(kind=kind, message=message, code=code)
