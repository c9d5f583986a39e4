"""A streamed response for a caller who speaks the dialect himself: bytes unchanged, metered.

Of nearly every event only its name is read; usage and finish are in the one that ends the stream.
"""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from hybridllm.catalog.structs import Usage
from hybridllm.errors import ProviderError
from hybridllm.wire.conversation import Finish
from hybridllm.wire.openai.errors import stream_failure
from hybridllm.wire.responses.errors import failure_of
from hybridllm.wire.responses.replies import NULL, malformed
from hybridllm.wire.responses.usage import CALLS, WireStatus, neutral_finish, neutral_usage
from hybridllm.wire.sse import EventSplitter, event_data, event_name

_NO_CONTENT = frozenset(
    {
        b"response.created",
        b"response.queued",
        b"response.in_progress",
        b"response.output_item.added",
        b"response.content_part.added",
        b"response.reasoning_summary_part.added",
    }
)
"""Events that announce what is to come."""


class _Response(WireStatus):
    error: Raw = NULL


class _Event(Struct):
    type: str
    response: _Response | None = None


class _Named(Struct):
    type: str


_event = msgspec.json.Decoder(_Event)
_named = msgspec.json.Decoder(_Named)


class ResponsesRelay:
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
        if event.startswith(b"event: response.output_text.delta\n"):
            self.has_content = True
            self.output_events += 1
            if not event.rstrip(b"\r\n").endswith(b"}"):
                raise malformed(ValueError())
            return
        name = event_name(event) or _name_of(event)
        if name in (b"response.completed", b"response.incomplete"):
            self._end(event)
        elif name in (b"response.failed", b"error"):
            self._fail(event)
        elif name.startswith(b"response.") and name not in _NO_CONTENT:
            self.has_content = True
            self.output_events += name.endswith(b".delta")

    def _end(self, event: bytes) -> None:
        response = _decoded(event).response or _Response()
        self.complete = True
        self._meter(response)
        calls = any(item.type in CALLS for item in response.output or ())
        self.finish = neutral_finish(response.status, response.incomplete_details, calls=calls)

    def _fail(self, event: bytes) -> None:
        found = _decoded(event)
        data = event_data(event)
        if found.response is None:
            self.error = failure_of(data)
        else:
            self._meter(found.response)
            self.error = stream_failure(found.response.error, data)

    def _meter(self, response: _Response) -> None:
        if response.usage is not None:
            self.usage = neutral_usage(response.usage)


def _decoded(event: bytes) -> _Event:
    try:
        return _event.decode(event_data(event))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise malformed(e) from e


def _name_of(event: bytes) -> bytes:
    """The type of an event that came without its `event:` line."""
    data = event_data(event)
    if not data or data == b"[DONE]":
        return b""
    try:
        return _named.decode(data).type.encode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise malformed(e) from e
