"""A streamed reply from one dialect to another, metered on the way."""

from __future__ import annotations

from hybridllm.catalog.structs import Usage
from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.wire.conversation import (
    Ended,
    Event,
    Finish,
    Finished,
    OpaqueBlock,
    RefusalDelta,
    Started,
    StreamFailed,
    TextDelta,
    ThinkingDelta,
    ThinkingSigned,
    ToolCallDelta,
    ToolCallStarted,
    UsageUpdate,
)
from hybridllm.wire.dialect import StreamDecoder, StreamEncoder

_CONTENT = frozenset(
    {
        TextDelta,
        RefusalDelta,
        ThinkingDelta,
        ThinkingSigned,
        ToolCallStarted,
        ToolCallDelta,
        OpaqueBlock,
    }
)


class TranslatingRelay:
    """See `Relay`. What the provider reports as an error within the stream is not encoded: the
    engine ends the stream with the caller's dialect's own error event."""

    def __init__(self, decoder: StreamDecoder, encoder: StreamEncoder) -> None:
        self._decoder = decoder
        self._encoder = encoder
        self.usage: Usage | None = None
        self.finish: Finish | None = None
        self.has_content = False
        self.complete = False
        self.error: ProviderError | None = None
        self.output_events = 0

    def feed(self, data: bytes) -> bytes:
        """See `Relay.feed`."""
        return self._encode(self._decoder.feed(data))

    def end(self) -> bytes:
        """See `Relay.end`."""
        return self._encode(self._decoder.end())

    def _encode(self, events: list[Event]) -> bytes:
        out = b""
        for event in events:
            self._note(event)
            if self.error is not None:
                break
            out += self._encoder.encode(event)
        return out

    def _note(self, event: Event) -> None:
        if type(event) in _CONTENT:
            self.has_content = True
            self.output_events += 1
        elif isinstance(event, UsageUpdate):
            self.usage = event.usage
        elif isinstance(event, Started):
            self.usage = event.usage or self.usage
        elif isinstance(event, Finished):
            self.finish = event.finish
        elif isinstance(event, Ended):
            self.complete = True
        elif isinstance(event, StreamFailed):
            self.error = ProviderError(event.message, kind=ErrorKind(event.kind), code=event.code)
