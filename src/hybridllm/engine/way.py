"""The way of a request, top to bottom: facts, task, plan, attempts along the chain, answer.

    read the facts -> name the task -> plan a chain -> for each model of the chain:
        prepare the body -> journal the intent -> send -> reply, priced and journalled
                                                       -> or an error: judge it, try on

Nothing here knows a provider's format or a database: `wire` and `ledger` do.
"""

from __future__ import annotations

import asyncio
import random
import time

from hybridllm.catalog.structs import Model, Usage
from hybridllm.engine.call import Answer, Call, new_request_id
from hybridllm.engine.entry import Entry, Journal
from hybridllm.engine.judge import KEY_COOLDOWN_SECONDS, UNHEALTHY, Step, step_after
from hybridllm.engine.refusal import refusal
from hybridllm.engine.runtime import Runtime
from hybridllm.engine.sessions import WARM_SECONDS, session_key
from hybridllm.engine.stream import ReplyStream
from hybridllm.engine.trip import Trip, money_headers
from hybridllm.errors import ErrorKind, HybridError, ProviderError
from hybridllm.providers.client import Response
from hybridllm.providers.keys import Key
from hybridllm.providers.retries import backoff
from hybridllm.providers.upstream import Upstream
from hybridllm.routing import World, need_of
from hybridllm.wire.dialect import Dialect, DropPolicy, Inexpressible, Relay, RequestShape
from hybridllm.wire.translate import TranslatingRelay

MAX_ERROR_BYTES = 1_048_576


class Engine:
    """Serves calls with the Runtime of the moment; assign `runtime` to put a new one in its
    place: calls under way end on the one that they began with."""

    def __init__(self, runtime: Runtime, journal: Journal) -> None:
        self.runtime = runtime
        self._journal = journal

    async def handle(self, call: Call) -> Answer:
        """Answer one call. Errors of ours and of providers become the caller's dialect's own; only
        a cancelled task (the caller went away) raises, once its attempt is journalled."""
        request_id = new_request_id()
        trip: Trip | None = None
        try:
            trip = plan_trip(self.runtime, request_id, call)
            return await _Journey(self.runtime, self._journal, trip).answer()
        except HybridError as e:
            return refusal(e, call, request_id, trip)


def plan_trip(runtime: Runtime, request_id: str, call: Call) -> Trip:
    """Read the request, name its task and plan its chain. Raises RequestError."""
    facts = call.dialect.facts(call.body, call.shape)
    named = runtime.namer.name(facts, call.task)
    now = time.monotonic()
    session = session_key(facts, call.session, call.key)
    known = runtime.sessions.get(session, now)
    warm = known is not None and now - known.seen < WARM_SECONDS
    world = World(
        providers=runtime.usable,
        down=runtime.breakers.down(now),
        latency_ms=runtime.learned.latency_ms,
        output_tokens=runtime.learned.output_tokens,
        day=runtime.today(time.time()),
        previous=known.model if known else None,
        warm_model=known.model if known and warm else None,
        warm_tokens=known.cached_tokens if known and warm else 0,
    )
    plan = runtime.router.plan(need_of(named, facts), world)
    return Trip(request_id, call, facts, named.task, named.source, plan, session)


class _Journey:
    """One request's attempts along its chain."""

    def __init__(self, runtime: Runtime, journal: Journal, trip: Trip) -> None:
        self.runtime = runtime
        self.journal = journal
        self.trip = trip

    async def answer(self) -> Answer:
        """The first answer along the chain. Raises the last error when there is none, or at once
        one that no other model would cure."""
        runtime, chain = self.runtime, self.trip.plan.chain
        runtime.budget.request(time.monotonic())
        last: HybridError | None = None
        least_context = 0
        for model in chain:
            if model.context_window <= least_context:
                continue
            if not runtime.breakers.allow(model.id, time.monotonic()):
                continue
            result = await self._try_model(model)
            if isinstance(result, Answer):
                return result
            if isinstance(result, ProviderError):
                step = step_after(result)
                if step is Step.HAND_BACK:
                    raise result
                if step is Step.LARGER_CONTEXT:
                    least_context = model.context_window
            elif last is not None:
                continue  # what one target cannot express says less than what another answered
            last = result
        if last is None:
            raise HybridError(
                "Every model that could serve this request is resting after failures: "
                + ", ".join(model.id for model in chain)
                + ".",
                kind=ErrorKind.UNAVAILABLE,
                remedy="Try again in a few seconds, or add fallbacks of another provider.",
            )
        raise last

    async def _try_model(self, model: Model) -> Answer | HybridError:
        """Attempts with one model: other keys at once, retries after a wait as the budget allows.
        Returns the last error; its breaker has been told."""
        runtime, trip = self.runtime, self.trip
        upstream = runtime.upstreams[model.provider]
        dialect = runtime.dialects[model.provider]
        try:
            body = self._prepare(model, dialect)
        except Inexpressible as e:
            runtime.breakers.release(model.id)
            return e
        tried: set[int] = set()
        retries = 0
        while True:
            key = upstream.keys.pick(time.monotonic())
            if key is None and len(upstream.keys):
                runtime.breakers.release(model.id)
                return _no_key(upstream)
            result = await self._attempt(model, upstream, dialect, key, body)
            if isinstance(result, Answer):
                return result
            self._tell_breaker(model, result)
            step = step_after(result)
            if step is Step.OTHER_KEY and key is not None:
                tried.add(key.index)
                if self._rest(upstream, key, result, tried):
                    continue
            if step not in (Step.RETRY, Step.OTHER_KEY) or not result.retryable:
                return result
            retries += 1
            wait = backoff(runtime.config.retries, retries, result.retry_after, random)
            if wait is None or not runtime.budget.spend(time.monotonic()):
                return result
            if not runtime.breakers.allow(model.id, time.monotonic()):
                return result
            await asyncio.sleep(wait)
            tried.clear()

    def _rest(self, upstream: Upstream, key: Key, error: ProviderError, tried: set[int]) -> bool:
        """Rest a key that failed. Says whether a key that was not tried yet can take over at once.

        A provider's only key is not rested for a passing rate limit: a retry waits for it."""
        now = time.monotonic()
        seconds = error.retry_after or KEY_COOLDOWN_SECONDS[error.kind]
        passing = (
            error.kind is ErrorKind.RATE_LIMITED
            and seconds <= self.runtime.config.retries.cap_seconds
        )
        if len(upstream.keys) > 1 or not passing:
            upstream.keys.cool(key, now + seconds)
        other = upstream.keys.pick(now)
        return other is not None and other.index not in tried

    def _prepare(self, model: Model, dialect: Dialect) -> bytes:
        """The body to send: the caller's own where the dialect is the same, else written anew.
        Raises Inexpressible."""
        trip, runtime = self.trip, self.runtime
        call, facts = trip.call, trip.facts
        if dialect is call.dialect and not facts.foreign_signatures:
            trip.dropped = []
            return dialect.passthrough(call.body, facts, model.name)
        policy = DropPolicy(runtime.drop, runtime.refuse)
        body = dialect.encode_request(trip.conversation, runtime.targets[model.id], policy)
        trip.dropped = policy.dropped
        return body

    async def _attempt(
        self, model: Model, upstream: Upstream, dialect: Dialect, key: Key | None, body: bytes
    ) -> Answer | ProviderError:
        """One HTTP call, with exactly one entry in the ledger, however it ends."""
        trip = self.trip
        account = key.account if key is not None else ""
        entry = Entry(self.journal, self.runtime, trip, model, account, dialect.name)
        response: Response | None = None
        try:
            response = await upstream.send(
                key=key,
                model=model.name,
                shape=RequestShape(stream=trip.facts.stream, sse=self._sse(dialect)),
                body=body,
                headers=trip.call.headers,
                attempt_id=entry.id,
            )
            entry.status = response.status
            entry.provider_request_id = _request_id_of(response.headers)
            if response.status >= 300:
                raw = await response.read(MAX_ERROR_BYTES)
                raise dialect.decode_error(response.status, response.headers, raw)
            if trip.facts.stream:
                return await self._streamed(model, dialect, entry, response)
            return await self._whole(model, dialect, entry, response)
        except ProviderError as e:
            e.provider = e.provider or model.provider
            e.dialect = dialect.name
            entry.failed(e)
            if response is not None:
                response.close()
            return e
        except BaseException:
            # The caller went away, or we are at fault: the attempt is journalled all the same.
            if response is not None:
                response.close()
            entry.cancelled()
            self.runtime.breakers.release(model.id)
            raise

    def _sse(self, dialect: Dialect) -> bool:
        """Google's JSON array stream is asked for only by a caller who reads it himself."""
        return dialect is not self.trip.call.dialect or self.trip.call.shape.sse

    async def _whole(
        self, model: Model, dialect: Dialect, entry: Entry, response: Response
    ) -> Answer:
        """A reply that comes in one piece. Raises ProviderError."""
        trip = self.trip
        caller = trip.call.dialect
        raw = await response.read()
        entry.first_token()
        if dialect is caller:
            usage, _ = dialect.meter(raw)
            body = raw
        else:
            reply = dialect.decode_reply(raw)
            usage = reply.usage
            body = caller.encode_reply(reply)
        self._settled(model, entry, entry.answered(usage, len(raw)), None)
        headers = trip.headers(model, b"application/json")
        headers += money_headers(entry.cost, entry.baseline)
        headers.append(_request_id_header(caller, dialect, trip, entry))
        return Answer(status=200, headers=headers, body=body)

    async def _streamed(
        self, model: Model, dialect: Dialect, entry: Entry, response: Response
    ) -> Answer:
        """A stream, held until its first content: until then another model can still take over.
        Raises ProviderError."""
        trip = self.trip
        caller = trip.call.dialect
        relay: Relay
        if dialect is caller and not trip.facts.foreign_signatures:
            relay = dialect.relay(trip.facts, trip.call.shape)
        else:
            relay = TranslatingRelay(
                dialect.stream_decoder(), caller.stream_encoder(trip.facts, trip.call.shape)
            )
        held = bytearray()
        while not relay.has_content and not relay.complete:
            data = await response.chunk()
            if not data:
                held += relay.end()
                break
            held += relay.feed(data)
            if relay.error is not None and not relay.has_content:
                raise relay.error
        if not relay.has_content and not relay.complete:
            raise relay.error or ProviderError(
                "The provider closed the stream before any content.",
                kind=ErrorKind.CONNECTION,
                provider=model.provider,
            )
        entry.first_token()
        stream = ReplyStream(
            trip,
            entry,
            response,
            relay,
            bytes(held),
            lambda usage, error: self._settled(model, entry, usage, error),
        )
        headers = trip.headers(model, caller.stream_content_type(trip.call.shape).encode())
        if entry.closed:
            headers += money_headers(entry.cost, entry.baseline)
        headers.append((b"cache-control", b"no-cache"))
        headers.append(_request_id_header(caller, dialect, trip, entry))
        return Answer(status=200, headers=headers, stream=stream)

    def _settled(
        self, model: Model, entry: Entry, usage: Usage | None, error: ProviderError | None
    ) -> None:
        """The reply has ended: health, sessions and expectations learn from it."""
        if error is not None:
            self._tell_breaker(model, error)
            return
        runtime, trip = self.runtime, self.trip
        now = time.monotonic()
        runtime.breakers.success(model.id, now)
        if usage is not None:
            runtime.sessions.put(trip.session, model, usage, now)
            runtime.learned.note(
                trip.task.name, model.id, usage.output_tokens, entry.elapsed_us()
            )

    def _tell_breaker(self, model: Model, error: ProviderError) -> None:
        """A key's trouble says nothing about the model; any other refusal shows that it is up."""
        now = time.monotonic()
        if error.kind in UNHEALTHY:
            self.runtime.breakers.failure(model.id, now)
        elif error.kind in KEY_COOLDOWN_SECONDS:
            self.runtime.breakers.release(model.id)
        else:
            self.runtime.breakers.success(model.id, now)


def _no_key(upstream: Upstream) -> ProviderError:
    """All of the provider's keys are resting."""
    now = time.monotonic()
    free_at = upstream.keys.free_at(now)
    return ProviderError(
        f"Every key of provider '{upstream.name}' is resting after a rate limit or a refusal.",
        kind=ErrorKind.RATE_LIMITED,
        provider=upstream.name,
        retry_after=max(0.0, free_at - now) if free_at is not None else None,
        retryable=False,
    )


_REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-goog-request-id", "x-amzn-requestid")


def _request_id_of(headers: dict[str, str]) -> str:
    for name in _REQUEST_ID_HEADERS:
        if found := headers.get(name):
            return found[:200]
    return ""


def _request_id_header(
    caller: Dialect, provider: Dialect, trip: Trip, entry: Entry
) -> tuple[bytes, bytes]:
    """The header in which the caller's SDK looks for a request id: the provider's own where the
    caller speaks its dialect, else ours."""
    name = b"request-id" if caller.name == "anthropic" else b"x-request-id"
    own = entry.provider_request_id if caller is provider else ""
    return name, (own or trip.request_id).encode("latin-1", "replace")
