"""Server-sent events as bytes: split a stream into events, read one, write one.

Source of the format: the WHATWG HTML standard, section "Server-sent events".
"""

from __future__ import annotations

import re

from hybridllm.errors import ErrorKind, ProviderError

MAX_EVENT_BYTES = 16 * 1024 * 1024
"""One event larger than this is taken for a stream gone wrong."""

_RETURN = 13  # a byte looked for as a number is found several times faster
_BLANK = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n|\r\n\n|\r\n\r|\n\r")


class EventSplitter:
    """Bytes, split anywhere, to whole events. `rest` is what has come of the next one."""

    __slots__ = ("rest",)

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The events that are whole now, each with the blank line that ends it; joined with `rest`
        they are the bytes as they came. Raises ProviderError(MALFORMED_REPLY) over the cap."""
        if self.rest:
            data = self.rest + data
        if _RETURN in data:
            return self._feed_any(data)
        if data.endswith(b"\n\n") and data.find(b"\n\n") == len(data) - 2:
            # Most often exactly one whole event has come.
            self.rest = b""
            return [data]
        events = data.split(b"\n\n")
        self.rest = events.pop()
        self._check()
        return [event + b"\n\n" for event in events]

    def _feed_any(self, data: bytes) -> list[bytes]:
        events = []
        start = 0
        for end in _BLANK.finditer(data):
            # A carriage return at the very end may be the first half of a line's end.
            if end.end() == len(data) and data.endswith(b"\r"):
                break
            events.append(data[start : end.end()])
            start = end.end()
        self.rest = data[start:]
        self._check()
        return events

    def _check(self) -> None:
        if len(self.rest) > MAX_EVENT_BYTES:
            raise ProviderError(
                f"The provider's stream holds an event of more than {MAX_EVENT_BYTES:,} bytes.",
                kind=ErrorKind.MALFORMED_REPLY,
            )


def event_data(event: bytes) -> bytes:
    """The event's data: its `data` lines joined by line feeds; b"" if it has none."""
    lines = event.count(b"\n")
    if lines == 2 and event.startswith(b"data: "):
        return event[6:-2].rstrip(b"\r\n")
    if lines == 3 and event.startswith(b"event: ") and b"\r" not in event:
        _, data, _ = event.split(b"\n", 2)
        if data.startswith(b"data: "):
            return data[6:]
    return b"\n".join(_fields(event, b"data"))


def event_name(event: bytes) -> bytes:
    """The value of the event's last `event` line; b"" if it has none."""
    return next(reversed(_fields(event, b"event")), b"")


def sse(data: bytes, event: bytes | None = None) -> bytes:
    """One event of one line of data."""
    if event is None:
        return b"data: " + data + b"\n\n"
    return b"event: " + event + b"\ndata: " + data + b"\n\n"


def _fields(event: bytes, name: bytes) -> list[bytes]:
    found = []
    for line in event.splitlines():
        field, colon, value = line.partition(b":")
        if field == name and colon:
            found.append(value[1:] if value.startswith(b" ") else value)
    return found
