"""Streamed replies to events.

Format: https://platform.openai.com/docs/api-reference/chat/streaming. Chat has no blocks: text,
refusal and thought end where another kind begins; tool calls are told apart by their `index`, may
interleave, and end with the reply.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from hybridllm.wire.conversation import (
    BlockEnd,
    Ended,
    Event,
    Finish,
    Finished,
    OpaqueBlock,
    RefusalDelta,
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
from hybridllm.wire.openai.errors import stream_failure
from hybridllm.wire.openai.replies import WireFunction, malformed, stop_sequence
from hybridllm.wire.openai.signatures import NATIVE, is_ours, opened_id, read_details
from hybridllm.wire.openai.usage import WireUsage, neutral_finish, neutral_usage
from hybridllm.wire.sse import EventSplitter, event_data

DONE = b"[DONE]"
_NULL = Raw(b"null")


class _Custom(Struct):
    name: str | None = None
    input: str | None = None


class _Call(Struct):
    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: WireFunction | None = None
    custom: _Custom | None = None


class _TextPart(Struct):
    text: str | None = None


class _Delta(Struct, gc=False):
    content: str | list[_TextPart] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: Raw = _NULL
    tool_calls: list[_Call] | None = None
    function_call: WireFunction | None = None


class _Choice(Struct, gc=False):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None


class _Chunk(Struct, gc=False):
    id: str | None = None
    model: str | None = None
    created: int | None = None
    choices: list[_Choice] | None = None
    usage: WireUsage | None = None
    error: Raw = _NULL


_decode = msgspec.json.Decoder(_Chunk).decode


class _OpenCall(Struct):
    """A call that is being streamed. `block` is its index among events, once it has begun."""

    block: int
    id: str = ""
    name: str = ""
    begun: bool = False
    waiting: str = ""
    custom: bool = False


class OpenAIStreamDecoder:
    """See `StreamDecoder`. Of several choices the first is the reply."""

    def __init__(self) -> None:
        self._events = EventSplitter()
        self._begun = False
        self._next = 0
        self._kind = ""
        self._text: list[str] = []
        self._calls: dict[int, _OpenCall] = {}
        self._called = False
        self._finish: Finish | None = None
        self._ended = False

    def feed(self, data: bytes) -> list[Event]:
        """Raises ProviderError(MALFORMED_REPLY)."""
        events: list[Event] = []
        for event in self._events.feed(data):
            self._event(event, events)
        return events

    def end(self) -> list[Event]:
        """[DONE] is the end, and some servers forget the blank line after it: a stream that closes
        without it was cut."""
        events: list[Event] = []
        if event_data(self._events.rest.rstrip() + b"\n\n") == DONE:
            self._data(DONE, events)
        return events

    def _event(self, event: bytes, events: list[Event]) -> None:
        try:
            # The rest of nearly every event is one JSON text, its line's ends being white space.
            chunk = _decode(event[6:]) if event.startswith(b"data: {") else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            chunk = None
        if chunk is not None and not self._ended:
            self._read(chunk, event, events)
        elif found := event_data(event):
            self._data(found, events)

    def _data(self, data: bytes, events: list[Event]) -> None:
        if self._ended:
            return
        if data == DONE:
            self._ended = True
            self._close(events)
            self._close_calls(events)
            events.append(Ended())
            return
        try:
            self._read(_decode(data), data, events)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            raise malformed(e) from e

    def _read(self, chunk: _Chunk, event: bytes, events: list[Event]) -> None:
        """`event` is the whole of it or its data."""
        if chunk.error is not _NULL and bytes(chunk.error) != b"null":
            failure = stream_failure(chunk.error, event_data(event) or event)
            events.append(
                StreamFailed(kind=failure.kind, message=failure.message, code=failure.code)
            )
            return
        if not self._begun and chunk.choices:
            self._begun = True
            events.append(
                Started(id=chunk.id or "", model=chunk.model or "", created=chunk.created or 0)
            )
        for choice in chunk.choices or ():
            if choice.index == 0:
                self._choice(choice, events)
        if chunk.usage is not None:
            events.append(UsageUpdate(usage=neutral_usage(chunk.usage)))

    def _choice(self, choice: _Choice, events: list[Event]) -> None:
        if choice.delta is not None:
            self._delta(choice.delta, events)
        if choice.finish_reason is not None and self._finish is None:
            self._close(events)
            self._close_calls(events)
            self._finish = neutral_finish(choice.finish_reason, calls=self._called)
            sequence = stop_sequence(self._finish, choice.stop_reason)
            finish = self._finish if sequence is None else Finish.STOP_SEQUENCE
            events.append(Finished(finish=finish, stop_sequence=sequence))

    def _delta(self, delta: _Delta, events: list[Event]) -> None:
        if thought := delta.reasoning_content or delta.reasoning:
            index = self._block("thinking", events)
            self._text.append(thought)
            events.append(ThinkingDelta(index=index, text=thought, origin=NATIVE))
        if delta.reasoning_details is not _NULL and is_ours(delta.reasoning_details):
            for told in read_details(delta.reasoning_details):
                self._told(told, events)
        content = delta.content
        if isinstance(content, list):
            content = "".join(part.text or "" for part in content)
        if content:
            events.append(TextDelta(index=self._block("text", events), text=content))
        if delta.refusal:
            events.append(RefusalDelta(index=self._block("refusal", events), text=delta.refusal))
        for call in delta.tool_calls or ():
            self._call(call, events)
        if delta.function_call is not None:
            self._call(_Call(index=0, function=delta.function_call), events)

    def _block(self, kind: str, events: list[Event]) -> int:
        """The index of the open block if it is of this kind, else of a new one."""
        if self._kind != kind:
            self._close(events)
            self._kind = kind
            self._text = []
            self._next += 1
        return self._next - 1

    def _close(self, events: list[Event]) -> None:
        if self._kind:
            events.append(BlockEnd(index=self._next - 1))
            self._kind = ""

    def _told(self, thought: Thinking, events: list[Event]) -> None:
        """Our own `reasoning_details` follow the text of a thought, whole and signed."""
        same = self._kind == "thinking" and thought.text == "".join(self._text)
        if not same:
            self._close(events)
        index = self._block("thinking", events)
        if not same and thought.sealed is None:
            events.append(ThinkingDelta(index=index, text=thought.text, origin=thought.origin))
        events.append(
            ThinkingSigned(
                index=index,
                signature=thought.signature,
                sealed=thought.sealed,
                origin=thought.origin,
            )
        )
        self._close(events)

    def _call(self, fragment: _Call, events: list[Event]) -> None:
        call = self._call_of(fragment, events)
        function = fragment.function or WireFunction()
        call.name = call.name or function.name or ""
        piece = function.arguments or ""
        if fragment.custom is not None:
            call.custom = True
            call.name = call.name or fragment.custom.name or ""
            piece = fragment.custom.input or ""
        call.waiting += piece
        if call.custom or not call.name:
            return
        if not call.begun:
            self._begin(call, events)
        if call.waiting:
            events.append(ToolCallDelta(index=call.block, arguments=call.waiting))
            call.waiting = ""

    def _call_of(self, fragment: _Call, events: list[Event]) -> _OpenCall:
        """The call that a fragment belongs to. Some servers send whole calls, all with one index
        (or none): an id of its own makes a call of its own."""
        index = fragment.index or 0
        call = self._calls.get(index)
        if call is not None and fragment.id and call.id and fragment.id != call.id:
            # No fragment has a negative index: the earlier call is done.
            self._calls[-1 - len(self._calls)] = self._calls.pop(index)
            call = None
        if call is None:
            self._close(events)
            call = self._calls[index] = _OpenCall(block=self._next)
            self._next += 1
        call.id = call.id or fragment.id or ""
        return call

    def _begin(self, call: _OpenCall, events: list[Event]) -> None:
        self._called = call.begun = True
        opened = opened_id(call.id or f"call_{call.block + 1}")
        events.append(
            ToolCallStarted(
                index=call.block,
                id=opened.id,
                name=call.name,
                signature=opened.signature,
                origin=opened.origin,
            )
        )

    def _close_calls(self, events: list[Event]) -> None:
        for call in sorted(self._calls.values(), key=lambda one: one.block):
            if call.custom:
                events.append(_custom_block(call))
            elif not call.begun:
                continue
            events.append(BlockEnd(index=call.block))
        self._calls.clear()


def _custom_block(call: _OpenCall) -> OpaqueBlock:
    custom = {"name": call.name, "input": call.waiting}
    raw = msgspec.json.encode({"id": call.id, "type": "custom", "custom": custom}).decode()
    return OpaqueBlock(index=call.block, origin=NATIVE, kind="custom_tool_call", raw=raw)
