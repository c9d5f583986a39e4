"""A streamed reply for a caller who speaks Google's dialect himself: bytes unchanged, metered."""

from __future__ import annotations

import msgspec

from hybridllm.catalog.structs import Usage
from hybridllm.errors import ProviderError
from hybridllm.wire.conversation import Finish
from hybridllm.wire.google import metering
from hybridllm.wire.google.arrays import ArraySplitter, Frame
from hybridllm.wire.google.errors import read_error
from hybridllm.wire.google.replies import malformed, neutral_finish
from hybridllm.wire.sse import EventSplitter, event_data


class SseSplitter:
    """Server-sent events as frames. They have no end but the connection's, so `closed` is always
    true: nothing more is owed after the last one."""

    closed = True

    def __init__(self) -> None:
        self._events = EventSplitter()

    def feed(self, data: bytes) -> list[Frame]:
        return [Frame(event, event_data(event)) for event in self._events.feed(data)]

    def last(self) -> Frame | None:
        """What came after the last blank line: an event that the stream's end ended."""
        rest = self._events.rest
        return Frame(rest, event_data(rest + b"\n\n")) if rest else None


class GoogleRelay:
    """See `wire.dialect.Relay`. `choices` is how many candidates were asked for. Complete is a
    stream whose candidates have all said why they finished and whose usage is known; once the
    provider has closed it, one finish is enough."""

    def __init__(self, *, sse: bool, choices: int = 1) -> None:
        self._splitter: SseSplitter | ArraySplitter = SseSplitter() if sse else ArraySplitter()
        self._choices = choices
        self._finished: set[int] = set()
        self._calls = False
        self.usage: Usage | None = None
        self.finish: Finish | None = None
        self.has_content = False
        self.complete = False
        self.error: ProviderError | None = None
        self.output_events = 0

    def feed(self, data: bytes) -> bytes:
        """See `Relay.feed`."""
        frames = self._splitter.feed(data)
        for frame in frames:
            if frame.data:
                self._note(frame.data)
        if self.usage is not None and len(self._finished) >= self._choices:
            self.complete = self._splitter.closed
        return b"".join([frame.raw for frame in frames])

    def end(self) -> bytes:
        """See `Relay.end`."""
        tail = b""
        if isinstance(self._splitter, SseSplitter) and (last := self._splitter.last()):
            try:
                self._note(last.data)
                tail = last.raw
            except ProviderError:
                pass  # an event cut in half is no event
        self.complete = self.complete or (bool(self._finished) and self._splitter.closed)
        return tail

    def _note(self, data: bytes) -> None:
        try:
            chunk = metering.read(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            raise malformed(e) from e
        if chunk.error is not None:
            self.error = read_error(chunk.error.code or 500, {}, data)
            return
        self.usage = chunk.usage() or self.usage
        parts = chunk.content_parts()
        self.output_events += parts
        self.has_content = self.has_content or parts > 0
        self._calls = self._calls or chunk.calls()
        for candidate in chunk.candidates or ():
            if candidate.finishReason is not None:
                index = candidate.index or 0
                self._finished.add(index)
                if index == 0:
                    self.finish = neutral_finish(candidate.finishReason, self._calls)
        if chunk.blocked():
            self._finished.update(range(self._choices))
            self.finish = Finish.CONTENT_FILTER
