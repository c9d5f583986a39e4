"""A provider whose every byte a test writes, behind a real gateway."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.providers.servers import Peer, serving
from tests.running import RunningGateway

PATHS = {
    "openai": "/v1/chat/completions",
    "anthropic": "/v1/messages",
    "google": "/v1beta/models/google/gemini-2.5-flash:generateContent",
}
MODELS = {
    "openai": "openai/gpt-4o-mini",
    "anthropic": "anthropic/claude-sonnet-4-6",
    "google": "google/gemini-2.5-flash",
}


class Seen:
    """What the provider received: the request line's path, the headers, the body's bytes."""

    def __init__(self, request: bytes) -> None:
        head, _, self.body = request.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        self.path = line.split(" ")[1]
        self.headers = {
            name.lower(): value for name, _, value in (f.partition(": ") for f in fields)
        }

    def json(self) -> Any:
        return json.loads(self.body)


def http(
    body: bytes, *, status: str = "200 OK", kind: str = "application/json", extra: str = ""
) -> bytes:
    """A whole reply."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{extra}"
    return head.encode() + b"\r\n" + body


STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
)


def piece(data: bytes) -> bytes:
    """One chunk of a chunked reply; b"" is the last."""
    return b"%x\r\n%b\r\n" % (len(data), data)


Script = Callable[[Peer, Seen], Awaitable[None]]


@asynccontextmanager
async def gateway_before(
    script: Script, home: Path, *, config: str = "", env: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[RunningGateway, list[Seen]]]:
    """A gateway whose three providers are `script`, run for each request, which is noted first."""
    seen: list[Seen] = []

    async def each(peer: Peer) -> None:
        while request := await peer.request():
            seen.append(Seen(request))
            await script(peer, seen[-1])

    async with serving(each) as server:
        url = f"http://127.0.0.1:{server.port}"
        providers = {
            "OPENAI_BASE_URL": f"{url}/v1",
            "OPENAI_API_KEY": "provider-key-openai",
            "ANTHROPIC_BASE_URL": url,
            "ANTHROPIC_API_KEY": "provider-key-anthropic",
            "GOOGLE_GEMINI_BASE_URL": url,
            "GEMINI_API_KEY": "provider-key-google",
        }
        gateway = RunningGateway(home, {**providers, **(env or {})}, config=config)
        await asyncio.to_thread(gateway.start)
        try:
            yield gateway, seen
        finally:
            await asyncio.to_thread(gateway.__exit__, None, None, None)


class Stream:
    """A reply being read as it comes, on a connection of its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.status = 0
        self.headers: dict[str, str] = {}

    async def begin(self) -> None:
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.rstrip().split("\r\n")
        self.status = int(line.split(" ")[1])
        self.headers = {
            name.lower(): value for name, _, value in (f.partition(": ") for f in fields)
        }

    async def chunk(self) -> bytes:
        """The next chunk as the gateway sent it; b"" at the end."""
        size = int((await self._reader.readuntil(b"\r\n")).strip(), 16)
        return (await self._reader.readexactly(size + 2))[:-2]

    async def rest(self) -> bytes:
        found = []
        while data := await self.chunk():
            found.append(data)
        return b"".join(found)

    def hang_up(self) -> None:
        self._writer.transport.abort()


@asynccontextmanager
async def streaming(
    gateway: RunningGateway, path: str, body: bytes | dict[str, Any], **headers: str
) -> AsyncIterator[Stream]:
    """POST, and read the reply piece by piece. Its head has arrived."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    port = int(gateway.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    writer.write(
        f"POST {path} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n{fields}"
        f"content-length: {len(data)}\r\n\r\n".encode()
        + data
    )
    stream = Stream(reader, writer)
    try:
        await stream.begin()
        yield stream
    finally:
        writer.close()
