"""One attempt of a chat: what is sent, and the reply made the caller's, whole or streamed."""

from __future__ import annotations

import time

import msgspec

from hybridllm.catalog.structs import Model, Usage
from hybridllm.engine.beside import JUDGE
from hybridllm.engine.call import Answer
from hybridllm.engine.entry import Entry, Journal
from hybridllm.engine.exchange import Outgoing, exchange, request_id_header
from hybridllm.engine.persist import tell_breaker
from hybridllm.engine.runtime import Runtime
from hybridllm.engine.stream import ReplyStream
from hybridllm.engine.trip import Trip, money_headers
from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.providers.client import Response
from hybridllm.providers.keys import Key
from hybridllm.wire.dialect import Dialect, Relay, RequestShape
from hybridllm.wire.kept import kept_id
from hybridllm.wire.translate import TranslatingRelay


async def attempt(
    runtime: Runtime, journal: Journal, trip: Trip, model: Model, key: Key | None, body: bytes
) -> Answer | ProviderError:
    """Send `body` to `model`'s provider. A failure is returned, not raised; a cancelled task (the
    caller went away) raises on once it is journalled."""
    dialect = runtime.dialect_to(model.provider, trip.call.dialect)
    stream = trip.facts.stream
    outgoing = Outgoing(
        dialect=dialect,
        body=body,
        endpoint=runtime.upstreams[model.provider].speaks[dialect.name],
        shape=RequestShape(stream=stream, sse=_sse(trip, dialect)),
    )

    async def finish(entry: Entry, response: Response) -> Answer:
        ending = _Ending(runtime, trip, model, entry)
        return await (_streamed if stream else _whole)(ending, dialect, response)

    return await exchange(runtime, journal, trip, model, key, outgoing, finish)


def _sse(trip: Trip, dialect: Dialect) -> bool:
    """Google's JSON array stream is asked for only by a caller who reads it himself."""
    return dialect is not trip.call.dialect or trip.call.shape.sse


class _Ending:
    """What is to be done when the reply has ended, wherever that is noticed."""

    __slots__ = ("entry", "model", "runtime", "trip")

    def __init__(self, runtime: Runtime, trip: Trip, model: Model, entry: Entry) -> None:
        self.runtime = runtime
        self.trip = trip
        self.model = model
        self.entry = entry

    def named(self, reply: bytes) -> None:
        """Remember who gave a reply, begun or whole, that the caller may refer to by its id."""
        if self.trip.facts.keeps_replies and (reply_id := kept_id(reply)) is not None:
            self.runtime.sessions.keep(reply_id, self.model)

    def settled(self, usage: Usage | None, error: ProviderError | None) -> None:
        """Health, sessions and expectations learn from it."""
        runtime, trip, model = self.runtime, self.trip, self.model
        if error is not None:
            tell_breaker(runtime, model, error)
            return
        now = time.monotonic()
        runtime.breakers.success(model.id, now)
        if usage is not None and trip.role != JUDGE:
            runtime.sessions.put(trip.session, model, usage, now)
            if trip.caching is not None:
                trip.caching.answered(model, usage, trip)
            elapsed = self.entry.elapsed_us()
            runtime.learned.note(trip.task.name, model.id, usage.output_tokens, elapsed)


async def _whole(ending: _Ending, dialect: Dialect, response: Response) -> Answer:
    """A reply that comes in one piece. Raises ProviderError."""
    trip, entry = ending.trip, ending.entry
    caller = trip.call.dialect
    raw = await response.read()
    entry.first_token()
    if dialect is caller:
        usage, finish = dialect.meter(raw)
        if usage is None and finish is None and not _is_json(raw):
            raise ProviderError("The provider's reply is no JSON.", kind=ErrorKind.MALFORMED_REPLY)
        body = raw
    else:
        reply = dialect.decode_reply(raw)
        usage = reply.usage
        body = caller.encode_reply(reply)
    ending.named(body)
    ending.settled(entry.answered(usage, len(raw)), None)
    headers = trip.headers(ending.model, b"application/json")
    headers += money_headers(entry.cost, entry.baseline)
    headers.append(_request_id_header(caller, dialect, trip, entry))
    return Answer(status=200, headers=headers, body=body)


async def _streamed(ending: _Ending, dialect: Dialect, response: Response) -> Answer:
    """A stream, held until its first content: until then another model can still take over.
    Raises ProviderError."""
    trip, entry = ending.trip, ending.entry
    caller = trip.call.dialect
    relay: Relay
    if dialect is caller:
        relay = dialect.relay(trip.facts, trip.call.shape)
    else:
        relay = TranslatingRelay(
            dialect.stream_decoder(), caller.stream_encoder(trip.facts, trip.call.shape)
        )
    held = await _held(relay, response)
    entry.first_token()
    ending.named(held)
    translated = dialect is not caller
    stream = ReplyStream(trip, entry, response, relay, held, translated, ending.settled)
    headers = trip.headers(ending.model, caller.stream_content_type(trip.call.shape).encode())
    if entry.closed:
        headers += money_headers(entry.cost, entry.baseline)
    headers.append((b"cache-control", b"no-cache"))
    headers.append(_request_id_header(caller, dialect, trip, entry))
    return Answer(status=200, headers=headers, stream=stream)


async def _held(relay: Relay, response: Response) -> bytes:
    """The caller's bytes up to and with the first content. Raises ProviderError if none comes."""
    held: list[bytes] = []
    while not (relay.has_content or relay.complete):
        data = await response.chunk()
        held.append(relay.feed(data) if data else relay.end())
        if relay.error is not None and not relay.has_content:
            raise relay.error
        if not data:
            break
    if not (relay.has_content or relay.complete):
        raise ProviderError(
            "The provider closed the stream before any content.", kind=ErrorKind.CONNECTION
        )
    return b"".join(held)


_any_json = msgspec.json.Decoder(msgspec.Raw)


def _is_json(raw: bytes) -> bool:
    try:
        _any_json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _request_id_header(
    caller: Dialect, provider: Dialect, trip: Trip, entry: Entry
) -> tuple[bytes, bytes]:
    own = entry.provider_request_id if caller is provider else ""
    return request_id_header(caller.name, trip.request_id, own)
