"""Replies of every framing, connections reused, failures told apart, nothing left running."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridllm.errors import ErrorKind, ProviderError, RequestError
from hybridllm.providers.connection import MAX_BUFFERED_BYTES
from hybridllm.providers.response import Response
from tests.providers.servers import OK, Peer, always, calling, eventually, serving

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nX-Kind: Chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n1\r\n,\r\nA;ext=1\r\n big world\r\n0\r\ntrailer: x\r\n\r\n"
)


async def failure(response: Response) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await response.read()
    return caught.value


async def test_a_request_is_written_whole_and_its_connection_used_again() -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        while request := await peer.request():
            seen.append(request)
            await peer.send(OK)

    big = b"x" * 300_000
    async with serving(script) as server, calling(server) as caller:
        for body in (b"{}", big, b""):
            response = await caller.post(body, ((b"x-a", b"1"),))
            assert (response.status, await response.read()) == (200, b"hi")
            assert response.headers == {"content-length": "2"}
            response.close()
        assert server.accepted == 1
        assert len(caller.pool) == 1
    host = f"127.0.0.1:{server.port}".encode()
    assert seen == [
        b"POST /v1 HTTP/1.1\r\nhost: %b\r\nx-a: 1\r\ncontent-length: %d\r\n\r\n%b"
        % (host, len(body), body)
        for body in (b"{}", big, b"")
    ]


@settings(deadline=None, max_examples=25)
@given(st.sets(st.integers(1, len(CHUNKED) - 1), max_size=12))
def test_a_chunked_reply_split_anywhere_is_the_same_reply(cuts: set[int]) -> None:
    async def run() -> None:
        async def script(peer: Peer) -> None:
            while await peer.request():
                at = 0
                for cut in [*sorted(cuts), len(CHUNKED)]:
                    await peer.send(CHUNKED[at:cut])
                    await asyncio.sleep(0)
                    at = cut

        async with serving(script) as server, calling(server) as caller:
            for _ in range(2):
                response = await caller.post()
                assert response.headers["x-kind"] == "Chunked"
                assert await response.read() == b"hello, big world"
                assert await response.chunk() == b""
            assert server.accepted == 1

    asyncio.run(run())


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\n\r\nhi",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi",
    ],
    ids=["until close", "HTTP/1.0", "connection: close"],
)
async def test_a_connection_that_ends_with_its_reply_is_not_kept(reply: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(reply)

    async with serving(script) as server, calling(server) as caller:
        for _ in range(2):
            assert await (await caller.post()).read() == b"hi"
        assert server.accepted == 2
        assert len(caller.pool) == 0


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n",
    ],
)
async def test_interim_replies_are_skipped(interim: bytes) -> None:
    async with serving(always(interim + OK)) as server, calling(server) as caller:
        for _ in range(2):
            response = await caller.post()
            assert (response.status, await response.read()) == (200, b"hi")
            assert "link" not in response.headers
        assert server.accepted == 1


async def test_a_reply_without_a_body_is_complete() -> None:
    reply = b"HTTP/1.1 204 No Content\r\n\r\n"
    async with serving(always(reply)) as server, calling(server) as caller:
        for _ in range(2):
            response = await caller.post()
            assert (response.status, await response.chunk()) == (204, b"")
        assert server.accepted == 1


async def test_each_piece_is_handed_on_when_it_arrives() -> None:
    taken = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for piece in (b"3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n"):
            await peer.send(piece)
            await taken.wait()
            taken.clear()

    async with serving(script) as server, calling(server) as caller:
        response = await caller.post()
        for expected in (b"one", b"two"):
            assert await response.chunk() == expected
            taken.set()
        assert await response.chunk() == b""
        taken.set()


# -- failures


async def test_a_connection_closed_while_idle_is_never_handed_out() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)

    async with serving(script) as server, calling(server) as caller:
        await (await caller.post()).read()
        await eventually(lambda: len(caller.pool) == 0)
        await (await caller.post()).read()
        assert server.accepted == 2


@pytest.mark.parametrize("fails_again", [False, True])
async def test_a_stale_connection_is_retried_once_on_a_fresh_one(fails_again: bool) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            await peer.send(OK)
            await peer.request()  # taken, and closed without a byte
        elif not fails_again:
            await peer.send(OK)
            await peer.gone()

    async with serving(script) as server, calling(server) as caller:
        await (await caller.post()).read()
        if fails_again:
            with pytest.raises(ProviderError) as caught:
                await caller.post()
            assert caught.value.kind is ErrorKind.CONNECTION
        else:
            assert await (await caller.post()).read() == b"hi"
        assert server.accepted == 2


async def test_a_request_is_not_repeated_once_a_byte_of_its_reply_came() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        await peer.send(b"HTTP/1.1 2")

    async with serving(script) as server, calling(server) as caller:
        await (await caller.post()).read()
        with pytest.raises(ProviderError) as caught:
            await caller.post()
        assert caught.value.kind is ErrorKind.CONNECTION
        assert server.accepted == 1


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n",
    ],
)
async def test_a_body_cut_short_gives_what_came_and_then_the_failure(start: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(start)

    async with serving(script) as server, calling(server) as caller:
        response = await caller.post()
        assert await response.chunk() == b"part"
        error = await failure(response)
        assert (error.kind, error.retryable) == (ErrorKind.CONNECTION, True)
        await eventually(lambda: len(caller.pool) == 0)


@pytest.mark.parametrize(
    "reply",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhi\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000,
        b"HTTP/1.1 200 OK\r\n" + b"x: secret\r\n" * 20_000 + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n" + b"t: a\r\n" * 50_000,
    ],
    ids=[
        "no HTTP",
        "two lengths",
        "length and chunks",
        "bad chunk size",
        "upgrade",
        "compressed",
        "compressed in transfer",
        "endless header",
        "too many headers",
        "endless interim replies",
        "endless trailers",
    ],
)
async def test_a_malformed_reply_is_told_as_such(reply: bytes) -> None:
    async with serving(always(reply)) as server, calling(server) as caller:
        with pytest.raises(ProviderError) as caught:
            await (await caller.post()).read()
        assert caught.value.kind is ErrorKind.MALFORMED_REPLY
        assert "secret" not in caught.value.text()
        assert len(caller.pool) == 0


async def test_bytes_after_a_reply_do_not_become_the_next_ones_head() -> None:
    async with serving(always(OK + OK)) as server, calling(server) as caller:
        for _ in range(2):
            assert await (await caller.post()).read() == b"hi"
        assert server.accepted == 2


async def test_a_server_that_is_not_there() -> None:
    async with serving(always(OK)) as server:
        pass
    async with calling(server) as caller:
        with pytest.raises(ProviderError) as caught:
            await caller.post()
        assert caught.value.kind is ErrorKind.CONNECTION
        assert len(caller.pool) == 0


@pytest.mark.parametrize("framed", [True, False])
async def test_a_body_over_the_limit_is_cut_off(framed: bool) -> None:
    length = b"content-length: 2000\r\n" if framed else b""
    reply = b"HTTP/1.1 200 OK\r\n%b\r\n%b" % (length, b"x" * 2000)

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(reply)

    async with serving(script) as server, calling(server) as caller:
        with pytest.raises(ProviderError) as caught:
            await (await caller.post()).read(1999)
        assert caught.value.kind is ErrorKind.MALFORMED_REPLY
        assert len(await (await caller.post()).read(2000)) == 2000


@pytest.mark.parametrize("value", [b"a\r\nx-injected: 1", b"a\n", b"a\rb", b"a\x00"])
async def test_a_header_cannot_end_its_line(value: bytes) -> None:
    async with serving(always(OK)) as server, calling(server) as caller:
        for header in ((b"anthropic-beta", value), (value, b"x")):
            with pytest.raises(RequestError) as caught:
                await caller.post(headers=(header,))
            assert "injected: 1" not in caught.value.text()
        assert server.accepted == 0


# -- deadlines


async def test_the_deadline_for_the_first_byte() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.gone()

    async with serving(script) as server, calling(server) as caller:
        with pytest.raises(ProviderError) as caught:
            await caller.post(first_byte=0.05)
        assert caught.value.kind is ErrorKind.TIMEOUT
        assert "'first byte'" in caught.value.message
        assert len(caller.pool) == 0


async def test_the_deadline_between_bytes_counts_from_the_last_one() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart")
        await peer.gone()

    async with serving(script) as server, calling(server) as caller:
        response = await caller.post(between_bytes=0.05)
        assert await response.chunk() == b"part"
        error = await failure(response)
        assert error.kind is ErrorKind.TIMEOUT
        assert "'between bytes'" in error.message


async def test_the_total_deadline_ends_a_reply_that_drips_for_ever() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await peer.send(b".")
            await asyncio.sleep(0.005)

    async with serving(script) as server, calling(server) as caller:
        error = await failure(await caller.post(total=0.1))
        assert error.kind is ErrorKind.TIMEOUT
        assert "'total'" in error.message


async def test_a_deadline_also_holds_on_a_connection_used_before() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        await peer.gone()

    async with serving(script) as server, calling(server) as caller:
        await (await caller.post()).read()
        with pytest.raises(ProviderError) as caught:
            await caller.post(first_byte=0.05)
        assert caught.value.kind is ErrorKind.TIMEOUT
        assert server.accepted == 1, "a deadline is no reason to send a request twice"


# -- going away


async def test_a_cancelled_caller_closes_the_connection_at_once() -> None:
    asked, gone = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await peer.gone()
        gone.set()

    async with serving(script) as server, calling(server) as caller:
        task = asyncio.create_task(caller.post())
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await gone.wait()
        assert len(caller.pool) == 0


@pytest.mark.parametrize("how", ["close", "cancel"])
async def test_leaving_in_mid_body_closes_the_connection(how: str) -> None:
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\npart")
        await peer.gone()
        gone.set()

    async with serving(script) as server, calling(server) as caller:
        response = await caller.post()
        assert await response.chunk() == b"part"
        if how == "close":
            response.close()
            response.close()
        else:
            task = asyncio.create_task(response.chunk())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await gone.wait()
        with pytest.raises(ProviderError):
            await response.chunk()


async def test_a_fast_sender_is_held_back_by_a_slow_reader() -> None:
    sent = 0
    size = 64 * 1024 * 1024

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        while sent < size:
            await peer.send(b"x" * 65_536)
            sent += 65_536

    async with serving(script) as server, calling(server) as caller:
        response = await caller.post(between_bytes=0.2)
        before = -1
        while before != sent:  # until the sender makes no more progress
            before = sent
            await asyncio.sleep(0.1)
        assert sent < size
        assert MAX_BUFFERED_BYTES < response.buffered < 4 * MAX_BUFFERED_BYTES
        assert len(await response.read()) == size, "the reader's slowness missed no deadline"
