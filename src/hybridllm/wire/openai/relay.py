"""A streamed reply for a caller who speaks OpenAI's dialect himself: bytes unchanged, metered.

The provider is always asked for usage (see `facts.pass_on`); a caller who did not ask does not get
the chunk that holds nothing else.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from hybridllm.catalog.structs import Usage
from hybridllm.errors import ProviderError
from hybridllm.wire.conversation import Finish
from hybridllm.wire.openai.errors import stream_failure
from hybridllm.wire.openai.replies import malformed
from hybridllm.wire.openai.streams import DONE
from hybridllm.wire.openai.usage import WireUsage, neutral_finish, neutral_usage
from hybridllm.wire.sse import EventSplitter, event_data


class _Delta(Struct, gc=False):
    """Typed loosely: whatever is there and is not empty is content."""

    content: Any = None
    refusal: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    tool_calls: Any = None
    function_call: Any = None
    audio: Any = None


class _Choice(Struct, gc=False):
    index: int = 0
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(Struct, gc=False):
    choices: list[_Choice] | None = None
    usage: WireUsage | None = None
    error: Any = None


_decode = msgspec.json.Decoder(_Chunk).decode


class OpenAIRelay:
    """See `wire.dialect.Relay`. `usage`: the caller asked for it."""

    def __init__(self, *, usage: bool) -> None:
        self._events = EventSplitter()
        self._wants_usage = usage
        self._calls = False
        self.usage: Usage | None = None
        self.finish: Finish | None = None
        self.has_content = False
        self.complete = False
        self.error: ProviderError | None = None
        self.output_events = 0

    def feed(self, data: bytes) -> bytes:
        """See `Relay.feed`."""
        events = self._events.feed(data)
        if len(events) == 1:
            return events[0] if self._note(events[0]) else b""
        return b"".join([event for event in events if self._note(event)])

    def end(self) -> bytes:
        """See `Relay.end`. An event that lacks its blank line is no event, and is held back, but
        for the last one: some servers forget the line after it."""
        rest = self._events.rest.rstrip() + b"\n\n"
        return rest if event_data(rest) == DONE and self._note(rest) else b""

    def _note(self, event: bytes) -> bool:
        """Meter the event; whether the caller is to have it."""
        try:
            # The rest of nearly every event is one JSON text, its line's ends being white space.
            chunk = _decode(event[6:]) if event.startswith(b"data: {") else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            chunk = None
        if chunk is None:
            data = event_data(event)
            if not data:
                return True
            if data == DONE:
                self.complete = True
                return True
            chunk = _checked(data)
        choices = chunk.choices
        if choices:
            for choice in choices:
                self._choice(choice)
        if chunk.usage is not None:
            self.usage = neutral_usage(chunk.usage)
            return bool(choices) or self._wants_usage
        if chunk.error is not None:
            self.error = stream_failure(msgspec.json.encode(chunk.error), event_data(event))
        return True

    def _choice(self, choice: _Choice) -> None:
        delta = choice.delta
        if delta is not None and (
            delta.content
            or delta.tool_calls
            or delta.reasoning_content
            or delta.reasoning
            or delta.refusal
            or delta.reasoning_details
            or delta.function_call
            or delta.audio
        ):
            self.has_content = True
            self.output_events += 1
            if delta.tool_calls:
                self._calls = True
        if choice.finish_reason is not None and choice.index == 0:
            self.finish = neutral_finish(choice.finish_reason, calls=self._calls)


def _checked(data: bytes) -> _Chunk:
    try:
        return _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise malformed(e) from e
