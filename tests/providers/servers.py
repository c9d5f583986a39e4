"""A server on loopback whose every byte a test writes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from hybridllm.config import Deadlines
from hybridllm.providers.client import Client, Response
from hybridllm.providers.head import field_lines, request_line
from hybridllm.providers.origin import Origin
from hybridllm.providers.pool import Pool

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"


class Peer:
    """One connection that the server has accepted. `number` counts them from 1."""

    def __init__(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """The next request, whole. b"" when the client has closed."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0] or b"0")
            return head + await self.reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def gone(self) -> None:
        """Returns once the client has closed the connection."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            pass


Script = Callable[[Peer], Awaitable[None]]


class Server:
    """`accepted` counts connections."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.accepted = 0
        self.port = 0
        self.errors: list[BaseException] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            await self.script(Peer(self.accepted, reader, writer))
        except (ConnectionError, asyncio.CancelledError):
            pass
        except BaseException as e:
            self.errors.append(e)
        finally:
            writer.close()


@asynccontextmanager
async def serving(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Runs `script` for each connection. An assertion that fails in it fails the test."""
    server = Server(script)
    running = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=tls)
    server.port = running.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        running.close()
    assert not server.errors, server.errors


def always(reply: bytes) -> Script:
    """Answers each request with `reply` and keeps the connection open."""

    async def script(peer: Peer) -> None:
        while await peer.request():
            await peer.send(reply)

    return script


class Caller:
    """A client with one pool to one server."""

    def __init__(
        self,
        port: int,
        *,
        limit: int = 10,
        scheme: str = "http",
        host: str = "127.0.0.1",
        ca_file: str | None = None,
        proxy: str | None = None,
        idle_seconds: float = 50.0,
        env: dict[str, str] | None = None,
    ) -> None:
        self.origin = Origin(
            f"{scheme}://{host}:{port}", ca_file=ca_file, proxy=proxy, env=env or {}
        )
        self.client = Client(idle_seconds)
        self.pool: Pool = self.client.pool(self.origin, limit)

    async def post(
        self,
        body: bytes = b"{}",
        headers: tuple[tuple[bytes, bytes], ...] = (),
        **deadlines: float,
    ) -> Response:
        head = request_line("POST", "/v1") + field_lines(
            [(b"host", self.origin.authority.encode())]
        )
        return await self.client.request(self.pool, head, headers, body, Deadlines(**deadlines))


@asynccontextmanager
async def calling(server: Server, **options: object) -> AsyncIterator[Caller]:
    """A Caller of `server`, whose connections are closed at the end."""
    caller = Caller(server.port, **options)  # type: ignore[arg-type]
    try:
        yield caller
    finally:
        caller.pool.retire()
        await asyncio.sleep(0)


async def eventually(true: Callable[[], bool]) -> None:
    """Lets the loop run until `true`. Fails after many turns, not after a time."""
    for _ in range(2000):
        if true():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it did not come true")
