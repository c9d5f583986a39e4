"""A simulated provider as an ASGI application: the way of a call, from its arrival in the counts
to its last byte."""

from __future__ import annotations

import asyncio
from itertools import count

import msgspec
from msgspec import structs

from hybridllm.simulators.answering import answer
from hybridllm.simulators.ask import Answer, Ask, Billed, Refused
from hybridllm.simulators.calls import CallRecord
from hybridllm.simulators.control import Control
from hybridllm.simulators.counting import encoding_for
from hybridllm.simulators.directives import BadDirective, Directive, read_directive
from hybridllm.simulators.exchange import Exchange, Gone, Receive, Scope, Send, TooLarge
from hybridllm.simulators.faults import Fault
from hybridllm.simulators.limits import Standing
from hybridllm.simulators.provider import Generation, Headers, Incoming, Plain, Provider, header
from hybridllm.simulators.world import World

STALL_SECONDS = 3600.0
_EVENTS_A_WRITE = 16
_numbers = count(1)


class Work(msgspec.Struct):
    """A call that will be answered."""

    endpoint: Generation
    ask: Ask
    directive: Directive
    answers: list[Answer]
    billed: Billed
    headers: Headers


class ProviderApp:
    """One provider's server. Stateless but for the shared `World`."""

    def __init__(self, provider: Provider, world: World) -> None:
        self._provider = provider
        self._world = world
        self._control = Control(world)
        world.on_reset(provider.forget)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        try:
            if exchange.path.startswith("/_sim/"):
                await self._control.handle(exchange)
            else:
                await self._serve(exchange)
        except Gone:
            return
        except asyncio.CancelledError:
            # The server is told to stop at once: hang up, as a machine that dies would.
            await exchange.drop()

    async def _serve(self, exchange: Exchange) -> None:
        provider = self._provider
        request_id = provider.request_id(next(_numbers))
        found = provider.find(exchange.method, exchange.path)
        if found is None:
            refused = provider.no_such_path(exchange.method, exchange.path)
            await self._refuse(exchange, refused, request_id, [])
            return
        endpoint, model = found
        if isinstance(endpoint, Generation):
            await self._generate(exchange, endpoint, model, request_id)
        else:
            await self._plain(exchange, endpoint, model, request_id)

    async def _plain(
        self, exchange: Exchange, endpoint: Plain, model: str, request_id: str
    ) -> None:
        provider = self._provider
        try:
            provider.authenticate(exchange.headers, exchange.query)
            incoming = await self._incoming(exchange, model)
            reply = endpoint.reply(incoming, self._world.counter)
        except Refused as refused:
            await self._refuse(exchange, refused, request_id, [])
            return
        await exchange.reply(200, msgspec.json.encode(reply), self._id_headers(request_id))

    async def _generate(
        self, exchange: Exchange, endpoint: Generation, model: str, request_id: str
    ) -> None:
        """The call counts from here, whatever becomes of it."""
        headers = exchange.headers
        attempt = headers.get("x-hybridllm-attempt") or headers.get("x-client-request-id", "")
        calls = self._world.calls
        record = calls.arrive(self._provider.name, endpoint.name, request_id, attempt)
        try:
            await self._answer(exchange, endpoint, model, record)
        except BaseException as e:
            calls.finish(record, "cancelled" if isinstance(e, Gone) else "cut")
            raise
        if record.outcome == "open":
            calls.finish(record, "ok")
        else:
            calls.finish(record, record.outcome)

    async def _answer(
        self, exchange: Exchange, endpoint: Generation, model: str, record: CallRecord
    ) -> None:
        provider, world = self._provider, self._world
        standing: list[Standing] = []
        faults: dict[str, Fault] = {}
        try:
            incoming = await self._incoming(exchange, model)
            if isinstance(incoming.data, dict):
                record.model = model or str(incoming.data.get("model", ""))[:100]
            faults = world.faults.draw(provider.name, record.model, world.now())
            record.faults = list(faults)
            if "slow" in faults:
                await exchange.pause(faults["slow"].seconds or 1.0)
            if "outage" in faults and faults["outage"].status is None:
                record.outcome = "cut"
                await exchange.drop()
                return
            work = self._prepare(exchange, endpoint, incoming, faults, record, standing)
        except Refused as refused:
            record.status, record.outcome = refused.status, "error"
            extra = provider.limit_headers(standing[0]) if standing else []
            await self._refuse(exchange, refused, record.request_id, extra)
            return
        record.status = 200
        await exchange.pause((world.profile.first_ms + work.directive.delay_ms) / 1000)
        if work.ask.stream:
            await self._stream(exchange, work, faults, record)
        else:
            await self._whole(exchange, work, faults, record)

    def _prepare(
        self,
        exchange: Exchange,
        endpoint: Generation,
        incoming: Incoming,
        faults: dict[str, Fault],
        record: CallRecord,
        standing: list[Standing],
    ) -> Work:
        """Key, faults, checks, limits, and the answer itself. Raises Refused."""
        provider, world = self._provider, self._world
        key = provider.authenticate(exchange.headers, exchange.query)
        for kind in ("outage", "error"):
            if kind in faults:
                raise provider.failure(faults[kind])
        ask = endpoint.read(incoming)
        record.model, record.stream = ask.model, ask.stream
        if "stream_error" in faults and not ask.stream:
            raise provider.failure(faults["stream_error"])
        encoding = encoding_for(ask.model)
        tokens = sum(
            world.counter.count(segment.text, encoding)
            if segment.tokens is None
            else segment.tokens
            for segment in ask.prompt
        )
        if (refused := endpoint.too_long(ask, tokens)) is not None:
            raise refused
        provider.check_context(ask, tokens)
        stand = world.limits[provider.name].admit(key, tokens, world.now())
        headers = self._id_headers(record.request_id)
        if stand is not None:
            standing.append(stand)
            if stand.wait:
                raise provider.too_many(stand, ask.model)
            headers += provider.limit_headers(stand)
        try:
            directive = read_directive(ask.last_user)
        except BadDirective as e:
            raise provider.bad_request(str(e)) from None
        if directive.blocked and (blocked := provider.blocked()) is not None:
            raise blocked
        answers = [
            answer(ask, directive, world.profile, world.counter, choice)
            for choice in range(ask.choices)
        ]
        billed = self._bill(ask, f"{key} {ask.model} ", tokens, encoding)
        billed.output_tokens = sum(one.output_tokens for one in answers)
        billed.reasoning_tokens = sum(one.reasoning_tokens for one in answers)
        record.billed = billed
        return Work(endpoint, ask, directive, answers, billed, headers)

    def _bill(self, ask: Ask, scope: str, tokens: int, encoding: str) -> Billed:
        cache, now = self._world.caches[self._provider.name], self._world.now()
        minimum = ask.spec.min_cache_tokens
        if self._provider.explicit_cache:
            if not any(segment.mark for segment in ask.prompt):
                return Billed(input_tokens=tokens)
            return cache.explicit(scope, ask.prompt, minimum, self._world.counter, encoding, now)
        if not self._world.profile.caching:
            return Billed(input_tokens=tokens)
        return cache.implicit(scope, ask.prompt, tokens, minimum, encoding, now)

    async def _whole(
        self, exchange: Exchange, work: Work, faults: dict[str, Fault], record: CallRecord
    ) -> None:
        body = work.endpoint.whole(
            work.ask, work.answers, _reported(work.billed, faults, record), record.request_id
        )
        pace = self._world.profile.tokens_per_second
        await exchange.pause(work.billed.output_tokens / pace if pace else 0)
        half = len(body) // 2
        if "malformed" in faults:
            body = body[:half]
        if "stall" not in faults and "cut" not in faults:
            await exchange.reply(200, body, work.headers)
            return
        length = header(b"content-length", len(body))
        await exchange.start(200, [length, *work.headers], b"application/json")
        await exchange.write(body[:half])
        if "stall" in faults:
            await exchange.pause(faults["stall"].seconds or STALL_SECONDS)
        if "cut" in faults:
            record.outcome = "cut"
            await exchange.drop()
            return
        await exchange.write(body[half:], more=False)

    async def _stream(
        self, exchange: Exchange, work: Work, faults: dict[str, Fault], record: CallRecord
    ) -> None:
        profile, endpoint = self._world.profile, work.endpoint
        usage = _reported(work.billed, faults, record)
        events = endpoint.events(
            work.ask, work.answers, usage, record.request_id, profile.event_tokens
        )
        await exchange.start(200, work.headers, endpoint.content_type(work.ask))
        pause = work.directive.event_ms / 1000
        if profile.tokens_per_second:
            pause += work.billed.output_tokens / profile.tokens_per_second / len(events)
        # A fault beyond the last event comes after it, where only the stream's end is missing.
        breaks: dict[str, int] = {
            kind: min(faults[kind].after_events, len(events))
            for kind in ("stall", "cut", "malformed", "stream_error")
            if kind in faults
        }
        at = 0
        while True:
            due = {kind: faults[kind] for kind, after in breaks.items() if after == at}
            if due and await self._break(exchange, work, due, record, at):
                return
            if at >= len(events):
                break
            end = at + 1 if pause or breaks else at + _EVENTS_A_WRITE
            await exchange.write(b"".join(events[at:end]))
            await exchange.pause(pause)
            at = min(end, len(events))
        await exchange.write(b"", more=False)

    async def _break(
        self,
        exchange: Exchange,
        work: Work,
        due: dict[str, Fault],
        record: CallRecord,
        at: int,
    ) -> bool:
        """What goes wrong after `at` events. True: the stream is over."""
        if "malformed" in due:
            await exchange.write(work.endpoint.broken_event(work.ask))
        if "stall" in due:
            await exchange.pause(due["stall"].seconds or STALL_SECONDS)
        if "stream_error" in due:
            refused = self._provider.failure(due["stream_error"])
            record.outcome = "error"
            own = work.endpoint.stream_error(work.ask, refused, at)
            await exchange.write(own or self._provider.stream_error(refused, record.request_id))
            await exchange.write(b"", more=False)
            return True
        if "cut" in due:
            record.outcome = "cut"
            await exchange.drop()
            return True
        return False

    async def _incoming(self, exchange: Exchange, model: str) -> Incoming:
        try:
            body = await exchange.body()
        except TooLarge:
            raise self._provider.from_status(413, None) from None
        try:
            data = msgspec.json.decode(body) if body else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise self._provider.bad_json() from None
        return Incoming(data, model, exchange.headers, exchange.query)

    def _id_headers(self, request_id: str) -> Headers:
        return [(self._provider.request_id_header, request_id.encode())]

    async def _refuse(
        self, exchange: Exchange, refused: Refused, request_id: str, extra: Headers
    ) -> None:
        headers = self._id_headers(request_id) + extra
        if refused.retry_after is not None:
            headers.append(header(b"retry-after", max(round(refused.retry_after), 0)))
        await exchange.reply(refused.status, self._provider.error(refused, request_id), headers)


def _reported(billed: Billed, faults: dict[str, Fault], record: CallRecord) -> Billed | None:
    """The usage that the reply shows."""
    fault = faults.get("usage")
    if fault is None:
        return billed
    record.reported = False
    if fault.usage == "missing":
        return None
    if fault.usage == "zero":
        return Billed()
    return structs.replace(billed, output_tokens=billed.output_tokens * 10)
