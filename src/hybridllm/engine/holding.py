"""An answer that is held until it is checked, and then given as it is: the very bytes that came,
as a stream where a stream was asked for.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from hybridllm.checks.said import Said, said_of
from hybridllm.engine.call import Answer
from hybridllm.engine.entry import Entry
from hybridllm.engine.trip import Trip
from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.wire.conversation import Reply
from hybridllm.wire.replay import reply_of

_TOLD_ANEW = frozenset({b"x-hybridllm-attempts", b"x-hybridllm-reason"})


class Held(Struct):
    """`answer` has a stream only when it is `given`; `entry` is its row, which waits too."""

    answer: Answer
    body: bytes
    said: Said
    entry: Entry
    streamed: bool

    def given(self) -> Answer:
        """The answer for the caller."""
        if self.streamed:
            self.answer.stream = Whole(self.body, self.entry.cost, self.entry.baseline)
        return self.answer


class Whole:
    """A stream that has come already, as `Pieces`."""

    def __init__(self, body: bytes, cost: int, baseline: int) -> None:
        self.cost = cost
        self.baseline = baseline
        self._body = body

    async def chunk(self) -> bytes:
        """See `Pieces.chunk`."""
        body, self._body = self._body, b""
        return body

    def close(self) -> None:
        """See `Pieces.close`."""
        self._body = b""


async def hold(trip: Trip, answer: Answer) -> Held | ProviderError:
    """The answer to `trip`, whose rows wait, once it has ended. A stream that broke is an error:
    nothing of it has reached the caller, so another model can still take over."""
    body, stream = answer.body, answer.stream
    if stream is not None:
        pieces: list[bytes] = []
        try:
            while piece := await stream.chunk():
                pieces.append(piece)
        finally:
            stream.close()
        body = b"".join(pieces)
        answer.stream = None
    entry = trip.held[-1] if trip.held else None
    if entry is None or entry.outcome != "ok":
        return ProviderError(
            "The provider's stream ended before the reply was complete.", kind=ErrorKind.CONNECTION
        )
    return Held(answer, body, said_of(_reply(trip, body)), entry, stream is not None)


def _reply(trip: Trip, body: bytes) -> Reply | None:
    """The reply in these bytes of the caller's dialect; None where it cannot be read whole."""
    dialect, shape = trip.call.dialect, trip.call.shape
    try:
        if not trip.facts.stream:
            return dialect.decode_reply(body)
        if not shape.sse:  # Google's JSON array, whose elements are the events
            found = msgspec.json.decode(body, type=list[msgspec.Raw])
            body = b"".join(b"data: %b\n\n" % bytes(one) for one in found)
        decoder = dialect.stream_decoder()
        return reply_of([*decoder.feed(body), *decoder.end()])
    except (ProviderError, msgspec.DecodeError):
        return None


def tell_anew(answer: Answer, trip: Trip, reason: str) -> None:
    """Put the attempts and the reason in the headers as they are by now."""
    said = [(name, value) for name, value in answer.headers if name not in _TOLD_ANEW]
    said.append((b"x-hybridllm-attempts", b"%d" % trip.attempts))
    said.append((b"x-hybridllm-reason", header_value(reason)))
    answer.headers = said


def header_value(text: str) -> bytes:
    """A header's value: Latin-1, and no control character can get in."""
    return "".join(c if c.isprintable() else " " for c in text).encode("latin-1", "replace")
