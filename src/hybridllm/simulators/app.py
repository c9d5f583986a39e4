"""A simulated provider as an ASGI application: the way of a call, from its arrival in the counts
to its last byte."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from hybridllm.simulators.administering import administer
from hybridllm.simulators.ask import Refused
from hybridllm.simulators.calls import CallRecord
from hybridllm.simulators.control import Control
from hybridllm.simulators.delivery import Delivery, Work
from hybridllm.simulators.exchange import Exchange, Gone, Receive, Scope, Send, TooLarge
from hybridllm.simulators.faults import Fault
from hybridllm.simulators.generating import make, measure
from hybridllm.simulators.limits import Standing
from hybridllm.simulators.provider import (
    Administration,
    Generation,
    Headers,
    Incoming,
    Plain,
    Provider,
    header,
)
from hybridllm.simulators.world import NUMBERS, World

E = TypeVar("E", Generation, Administration)


class ProviderApp:
    """One provider's server. Stateless but for the shared `World`."""

    def __init__(self, provider: Provider, world: World) -> None:
        self._provider = provider
        self._world = world
        self._control = Control(world)
        world.on_reset(provider.forget)
        provider.attach(world)

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
        request_id = provider.request_id(next(NUMBERS))
        found = provider.find(exchange.method, exchange.path)
        if found is None:
            refused = provider.no_such_path(exchange.method, exchange.path)
            await self._refuse(exchange, refused, request_id, [])
            return
        endpoint, model = found
        if isinstance(endpoint, Generation):
            await self._counted(exchange, endpoint, model, request_id, self._answer)
        elif isinstance(endpoint, Administration):
            await self._counted(exchange, endpoint, model, request_id, self._administer)
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

    async def _counted(
        self,
        exchange: Exchange,
        endpoint: E,
        named: str,
        request_id: str,
        serve: Callable[[Exchange, E, str, CallRecord], Awaitable[None]],
    ) -> None:
        """The call counts from here, whatever becomes of it."""
        headers = exchange.headers
        attempt = headers.get("x-hybridllm-attempt") or headers.get("x-client-request-id", "")
        calls = self._world.calls
        record = calls.arrive(self._provider.name, endpoint.name, request_id, attempt)
        try:
            await serve(exchange, endpoint, named, record)
        except BaseException as e:
            calls.finish(record, "cancelled" if isinstance(e, Gone) else "cut")
            raise
        if record.outcome == "open":
            calls.finish(record, "ok")
        else:
            calls.finish(record, record.outcome)

    async def _administer(
        self, exchange: Exchange, endpoint: Administration, named: str, record: CallRecord
    ) -> None:
        headers = self._id_headers(record.request_id)
        try:
            await administer(
                self._provider, self._world, exchange, endpoint, named, record, headers
            )
        except Refused as refused:
            record.status, record.outcome = refused.status, "error"
            await self._refuse(exchange, refused, record.request_id, [])

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
            faults = world.faults.draw(provider.name, record.model, world.now(), endpoint.name)
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
        reading = measure(provider, world, endpoint, ask)
        stand = world.limits[provider.name].admit(key, reading.tokens, world.now())
        headers = self._id_headers(record.request_id)
        if stand is not None:
            standing.append(stand)
            if stand.wait:
                raise provider.too_many(stand, ask.model)
            headers += provider.limit_headers(stand)
        made = make(provider, world, reading, key)
        record.billed = made.billed
        return Work(endpoint, ask, made.directive, made.answers, made.billed, headers)

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
