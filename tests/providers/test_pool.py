"""Never more connections than allowed; who waits is served in order."""

from __future__ import annotations

import asyncio

import pytest

from hybridllm.errors import ErrorKind, ProviderError
from tests.providers.servers import OK, Peer, Script, always, calling, eventually, serving


def held(gate: asyncio.Event, order: list[bytes]) -> Script:
    """Answers only while `gate` is open."""

    async def script(peer: Peer) -> None:
        while request := await peer.request():
            order.append(request.rpartition(b"\r\n\r\n")[2])
            await gate.wait()
            await peer.send(OK)

    return script


async def test_callers_beyond_the_limit_wait_in_order() -> None:
    gate, order = asyncio.Event(), list[bytes]()
    async with serving(held(gate, order)) as server, calling(server, limit=1) as caller:
        tasks = []
        for number in range(5):
            tasks.append(asyncio.create_task(caller.post(b"%d" % number)))
            await asyncio.sleep(0)
        await eventually(lambda: len(order) == 1)
        gate.set()
        for task in tasks:
            assert await (await task).read() == b"hi"
        assert order == [b"0", b"1", b"2", b"3", b"4"]
        assert (server.accepted, len(caller.pool)) == (1, 1)


async def test_waiting_for_a_connection_ends_at_the_connect_deadline() -> None:
    gate, order = asyncio.Event(), list[bytes]()
    async with serving(held(gate, order)) as server, calling(server, limit=1) as caller:
        first = asyncio.create_task(caller.post())
        await eventually(lambda: len(order) == 1)
        with pytest.raises(ProviderError) as caught:
            await caller.post(connect=0.05)
        assert caught.value.kind is ErrorKind.TIMEOUT
        assert "'connect'" in caught.value.message
        gate.set()
        await (await first).read()
        assert await (await caller.post()).read() == b"hi"


async def test_a_waiter_that_leaves_costs_no_connection() -> None:
    gate, order = asyncio.Event(), list[bytes]()
    async with serving(held(gate, order)) as server, calling(server, limit=1) as caller:
        tasks = [asyncio.create_task(caller.post(b"%d" % number)) for number in range(3)]
        await eventually(lambda: len(order) == 1)
        tasks[1].cancel()
        gate.set()
        assert await (await tasks[2]).read() == b"hi"
        await (await tasks[0]).read()
        assert (order, len(caller.pool)) == ([b"0", b"2"], 1)


async def test_a_failed_connection_gives_its_slot_to_the_next_in_line() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number > 1:
            await peer.send(OK)

    async with serving(script) as server, calling(server, limit=1) as caller:
        results = await asyncio.gather(caller.post(), caller.post(), return_exceptions=True)
        assert isinstance(results[0], ProviderError)
        assert not isinstance(results[1], BaseException)
        assert server.accepted == 2


async def test_an_idle_connection_closes_after_its_time() -> None:
    async with (
        serving(always(OK)) as server,
        calling(server, idle_seconds=0.05) as caller,
    ):
        await (await caller.post(total=0.1)).read()
        await eventually(lambda: len(caller.pool) == 0)
        assert await (await caller.post()).read() == b"hi"


async def test_a_retired_pool_lets_calls_under_way_end() -> None:
    gate, order = asyncio.Event(), list[bytes]()
    async with serving(held(gate, order)) as server, calling(server) as caller:
        task = asyncio.create_task(caller.post())
        await eventually(lambda: len(order) == 1)
        caller.pool.retire()
        gate.set()
        assert await (await task).read() == b"hi"
        assert len(caller.pool) == 0
