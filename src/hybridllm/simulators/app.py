"""A simulated provider as an ASGI application: the way of a call, from its arrival in the counts
to its last byte."""

from __future__ import annotations

import asyncio
from itertools import count

import msgspec

from hybridllm.simulators.answering import answer
from hybridllm.simulators.ask import Ask, Billed, Refused
from hybridllm.simulators.calls import CallRecord
from hybridllm.simulators.control import Control
from hybridllm.simulators.counting import encoding_for
from hybridllm.simulators.delivery import Delivery, Work
from hybridllm.simulators.directives import BadDirective, read_directive
from hybridllm.simulators.exchange import Exchange, Gone, Receive, Scope, Send, TooLarge
from hybridllm.simulators.faults import Fault
from hybridllm.simulators.limits import Standing
from hybridllm.simulators.provider import Generation, Headers, Incoming, Plain, Provider, header
from hybridllm.simulators.world import World

_numbers = count(1)


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
        delivery = Delivery(exchange, provider, world.profile, work, faults, record)
        await (delivery.stream() if work.ask.stream else delivery.whole())

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
