"""The way of a call about files or batches, and what goes wrong on it."""

from __future__ import annotations

from typing import Any

import msgspec

from hybridllm.simulators.calls import CallRecord
from hybridllm.simulators.delivery import STALL_SECONDS
from hybridllm.simulators.exchange import Exchange, Headers, TooLarge
from hybridllm.simulators.faults import Fault
from hybridllm.simulators.provider import Administration, Document, Provider, Request, header
from hybridllm.simulators.world import World

_WRITE = 65_536


async def administer(
    provider: Provider,
    world: World,
    exchange: Exchange,
    endpoint: Administration,
    named: str,
    record: CallRecord,
    headers: Headers,
) -> None:
    """Serve a call. What a `cut`, a `stall` or a `malformed` breaks is the reply: the call has had
    its effect. Raises Refused."""
    try:
        body = await exchange.body(endpoint.max_bytes)
    except TooLarge:
        raise provider.from_status(413, None) from None
    record.model = endpoint.model_of(named)
    faults = world.faults.draw(provider.name, record.model, world.now(), endpoint.name)
    record.faults = list(faults)
    if "slow" in faults:
        await exchange.pause(faults["slow"].seconds or 1.0)
    if "outage" in faults and faults["outage"].status is None:
        record.outcome = "cut"
        await exchange.drop()
        return
    key = provider.authenticate(exchange.headers, exchange.query)
    for kind in ("outage", "error", "stream_error"):
        if kind in faults:
            raise provider.failure(faults[kind])
    reply = await endpoint.serve(Request(key, named, exchange.headers, exchange.query, body))
    record.status = 200
    await exchange.pause(world.profile.first_ms / 1000)
    await _deliver(exchange, reply, headers, faults, record)


async def _deliver(
    exchange: Exchange, reply: Any, headers: Headers, faults: dict[str, Fault], record: CallRecord
) -> None:
    if isinstance(reply, Document):
        pieces, content_type = reply.pieces, reply.content_type
    else:
        pieces, content_type = [msgspec.json.encode(reply)], b"application/json"
    size = sum(map(len, pieces))
    if "malformed" in faults:
        size //= 2
    await exchange.start(200, [header(b"content-length", size), *headers], content_type)
    half = size // 2 if faults.keys() & {"stall", "cut"} else size
    await _write(exchange, pieces, 0, half)
    if "stall" in faults:
        await exchange.pause(faults["stall"].seconds or STALL_SECONDS)
    if "cut" in faults:
        record.outcome = "cut"
        await exchange.drop()
        return
    await _write(exchange, pieces, half, size)
    await exchange.write(b"", more=False)


async def _write(exchange: Exchange, pieces: Any, begin: int, end: int) -> None:
    """The bytes from `begin` to `end` of all pieces, no faster than they are read."""
    at = 0
    for piece in pieces:
        low, high = max(begin - at, 0), min(end - at, len(piece))
        at += len(piece)
        with memoryview(piece) as view:
            for start in range(low, high, _WRITE):
                await exchange.write(bytes(view[start : min(start + _WRITE, high)]))
