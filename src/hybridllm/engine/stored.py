"""An answer that is kept: what it was, and the form in which the next caller gets it."""

from __future__ import annotations

from msgspec import Struct

from hybridllm.catalog.structs import Usage
from hybridllm.errors import ProviderError
from hybridllm.wire.conversation import Ended, Event, Finish, Finished, StreamFailed
from hybridllm.wire.dialect import Dialect, Facts, RequestShape
from hybridllm.wire.replay import events_of, reply_of


class About(Struct, kw_only=True):
    """What is known of a kept answer. `created_at` is Unix microseconds; `cost` is picodollars,
    what its provider billed; `stream` says that it came as one, and `usage_said` that its usage
    was asked for. `same_form` forbids giving it in the other form, which would lose some of it.
    `variant` is the label of the prompt's variant that it answers, "" for none."""

    created_at: int
    model: str
    cost: int
    usage: Usage
    stream: bool = False
    usage_said: bool = False
    same_form: bool = False
    dropped: str = ""
    variant: str = ""


class Stored(Struct, frozen=True):
    """An answer as its caller got it, headers apart."""

    about: About
    body: bytes


def finish_of(dialect: Dialect, body: bytes, *, stream: bool) -> Finish | None:
    """Why the answer ended; None for one that is not whole, or failed."""
    try:
        if not stream:
            return dialect.meter(body)[1]
        events = _events(dialect, body)
    except ProviderError:
        return None
    if any(isinstance(event, StreamFailed) for event in events):
        return None
    if not any(isinstance(event, Ended) for event in events):
        return None
    return next((event.finish for event in events if isinstance(event, Finished)), None)


def given(
    stored: Stored, dialect: Dialect, facts: Facts, shape: RequestShape, *, stream: bool
) -> bytes | None:
    """The answer as a caller of the same dialect gets it who asks for a stream, or for none; None
    where that form would lose something."""
    about = stored.about
    if about.stream == stream and not stream:
        return stored.body
    if about.stream and stream and shape.sse and about.usage_said == facts.usage_requested:
        return stored.body
    if about.same_form:
        return None
    try:
        if about.stream:
            return _from_stream(stored, dialect, facts, shape, stream=stream)
        return _streamed(stored, dialect, facts, shape)
    except ProviderError:
        return None


def _streamed(stored: Stored, dialect: Dialect, facts: Facts, shape: RequestShape) -> bytes | None:
    reply = dialect.decode_reply(stored.body)
    reply.usage = reply.usage or stored.about.usage
    events = events_of(reply)
    return None if events is None else _encoded(events, dialect, facts, shape)


def _from_stream(
    stored: Stored, dialect: Dialect, facts: Facts, shape: RequestShape, *, stream: bool
) -> bytes | None:
    reply = reply_of(_events(dialect, stored.body))
    if reply is None:
        return None
    reply.usage = stored.about.usage
    if not stream:
        return dialect.encode_reply(reply)
    events = events_of(reply)
    return None if events is None else _encoded(events, dialect, facts, shape)


def _encoded(events: list[Event], dialect: Dialect, facts: Facts, shape: RequestShape) -> bytes:
    encoder = dialect.stream_encoder(facts, shape)
    return b"".join([encoder.encode(event) for event in events])


def _events(dialect: Dialect, body: bytes) -> list[Event]:
    decoder = dialect.stream_decoder()
    return [*decoder.feed(body), *decoder.end()]
