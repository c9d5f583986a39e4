"""What goes over the wire: between an SDK and the gateway, and between the gateway and a provider.

The SDKs stay as they are: a hook of their HTTP client keeps the bytes of each reply as they read
them. Towards the providers a relay of bytes keeps each request's body.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httptools
import httpx2

from hybridllm.simulators.surface import Addresses


@dataclass
class Exchange:
    """One request of an SDK and the gateway's reply to it. `body` grows as the SDK reads."""

    path: str
    status: int
    headers: dict[str, str]
    body: bytearray = field(default_factory=bytearray)

    @property
    def request_id(self) -> str:
        return self.headers["x-hybridllm-request-id"]

    @property
    def dropped(self) -> list[str]:
        """What the gateway says that it left out for the provider's sake."""
        found = self.headers.get("x-hybridllm-dropped", "")
        return found.split(", ") if found else []

    @property
    def streamed(self) -> bool:
        return self.headers["content-type"].startswith("text/event-stream")


class _Tee(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A reply's bytes, kept on their way to the SDK."""

    def __init__(self, stream: Any, into: bytearray) -> None:
        self._stream = stream
        self._into = into

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            self._into += chunk
            yield chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._into += chunk
            yield chunk

    def close(self) -> None:
        self._stream.close()

    async def aclose(self) -> None:
        await self._stream.aclose()


class Tape:
    """HTTP clients for the SDKs, and every exchange that went through them. They speak to loopback
    alone, and so spare the loading of certificates."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self._made: dict[str, Any] = {}

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """An SDK's client, which takes long to make, for all conversations on this tape."""
        if name not in self._made:
            self._made[name] = make()
        return self._made[name]

    @property
    def last(self) -> Exchange:
        return self.exchanges[-1]

    def client(self) -> httpx2.Client:
        return httpx2.Client(event_hooks={"response": [self._heard]}, timeout=30, verify=False)

    def async_client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            event_hooks={"response": [self._aheard]}, timeout=30, verify=False
        )

    def _heard(self, response: httpx2.Response) -> None:
        headers = {name.lower(): value for name, value in response.headers.items()}
        exchange = Exchange(response.request.url.path, response.status_code, headers)
        self.exchanges.append(exchange)
        response.stream = _Tee(response.stream, exchange.body)

    async def _aheard(self, response: httpx2.Response) -> None:
        self._heard(response)


class _Bodies:
    """Reads the requests of one connection."""

    def __init__(self, into: list[Any]) -> None:
        self._into = into
        self._parts: list[bytes] = []
        self.parser = httptools.HttpRequestParser(self)

    def on_message_begin(self) -> None:
        self._parts = []

    def on_body(self, part: bytes) -> None:
        self._parts.append(part)

    def on_message_complete(self) -> None:
        self._into.append(json.loads(b"".join(self._parts) or b"null"))


class Wiretap:
    """Relays every provider's traffic byte for byte, on a thread of its own, and keeps the JSON of
    each request that a provider was sent."""

    def __init__(self, addresses: Addresses) -> None:
        self._targets = {name: getattr(addresses, name) for name in addresses.__struct_fields__}
        self._sent: dict[str, list[Any]] = {name: [] for name in self._targets}
        self._urls: dict[str, str] = {}
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))

    def sent(self, provider: str) -> Any:
        """The last request that the provider was sent."""
        return self._sent[provider][-1]

    def env(self, env: dict[str, str]) -> dict[str, str]:
        """The gateway's environment, with our addresses for the providers'."""
        for name, target in self._targets.items():
            env = {key: value.replace(target, self._urls[name]) for key, value in env.items()}
        return env

    async def _run(self) -> None:
        servers = []
        for name, target in self._targets.items():
            server = await asyncio.start_server(self._relay(name, target), "127.0.0.1", 0)
            servers.append(server)
            self._urls[name] = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ready.set()
        await self._stop.wait()
        for server in servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _relay(self, name: str, target: str) -> Any:
        at = urlsplit(target)

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            upstream, sink = await asyncio.open_connection(at.hostname, at.port)
            heard = _Bodies(self._sent[name])
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(_pump(reader, sink, heard.parser.feed_data))
                    both.create_task(_pump(upstream, writer, None))
            finally:
                sink.close()
                writer.close()

        return relay

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: Any) -> None:
    try:
        while data := await reader.read(65_536):
            if heard is not None:
                heard(data)
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()
