"""A streamed reply for a caller who speaks Anthropic's dialect himself: bytes unchanged, metered.

Of the many events only the first, the last but one and errors are decoded; the rest is known by its
`event:` line.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from hybridllm.catalog.structs import Usage
from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.wire.anthropic.errors import WireError, stream_failure
from hybridllm.wire.anthropic.replies import malformed
from hybridllm.wire.anthropic.usage import WireUsage, neutral_finish, neutral_usage
from hybridllm.wire.conversation import Finish
from hybridllm.wire.sse import EventSplitter, event_data, event_name


class _Delta(Struct):
    stop_reason: str | None = None


class _Start(Struct):
    usage: WireUsage | None = None


class _Event(Struct):
    type: str
    message: _Start | None = None
    delta: _Delta | None = None
    usage: WireUsage | None = None
    error: WireError | None = None


class _Named(Struct):
    type: str


_event = msgspec.json.Decoder(_Event)
_named = msgspec.json.Decoder(_Named)


class AnthropicRelay:
    """See `wire.dialect.Relay`."""

    def __init__(self) -> None:
        self._events = EventSplitter()
        self.usage: Usage | None = None
        self.finish: Finish | None = None
        self.has_content = False
        self.complete = False
        self.error: ProviderError | None = None
        self.output_events = 0

    def feed(self, data: bytes) -> bytes:
        """See `Relay.feed`."""
        events = self._events.feed(data)
        for event in events:
            self._note(event)
        return b"".join(events)

    def end(self) -> bytes:
        """See `Relay.end`. An event that lacks its blank line is no event, and is held back."""
        return b""

    def _note(self, event: bytes) -> None:
        if event.startswith(b"event: content_block_delta"):
            name = b"content_block_delta"
        else:
            name = event_name(event) or _name_of(event)
        match name:
            case b"content_block_delta":
                self.has_content = True
                self.output_events += 1
                if not event.rstrip(b"\r\n").endswith(b"}"):
                    raise malformed(ValueError())
            case b"content_block_start":
                self.has_content = True
            case b"message_stop":
                self.complete = True
            case b"message_start" | b"message_delta" | b"error":
                self._read(event)

    def _read(self, event: bytes) -> None:
        try:
            found = _event.decode(event_data(event))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            raise malformed(e) from e
        if found.type == "error":
            self.error = stream_failure(found.error or WireError(), event_data(event))
        usage = found.message.usage if found.message is not None else found.usage
        if usage is not None:
            self.usage = neutral_usage(usage, self.usage)
        if found.delta is not None and found.delta.stop_reason is not None:
            self.finish = neutral_finish(found.delta.stop_reason)


def _name_of(event: bytes) -> bytes:
    """The type of an event that came without its `event:` line."""
    data = event_data(event)
    if not data:
        return b""
    try:
        return _named.decode(data).type.encode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise ProviderError(
            f"Anthropic's stream cannot be read ({type(e).__name__}).",
            kind=ErrorKind.MALFORMED_REPLY,
        ) from e
