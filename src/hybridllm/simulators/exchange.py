"""One HTTP exchange over raw ASGI, and the two things that ASGI cannot do: close the connection
under the reply, and wait while watching for the caller to go."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast
from urllib.parse import parse_qsl

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

TRANSPORT = "hybridllm.transport"
MAX_BODY = 64 * 1024 * 1024


class Protocol(HttpToolsProtocol):
    """uvicorn's protocol, which also hands its transport to the application."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        cast(Scope, self.scope)[TRANSPORT] = self.transport


class Gone(Exception):
    """The caller closed the connection."""


class TooLarge(Exception):
    """The request's body is larger than it may be."""


class Exchange:
    """A request and its reply. Methods that write raise Gone when nobody reads."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        self.query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        self._transport: asyncio.Transport = scope[TRANSPORT]
        self._receive = receive
        self._send = send

    async def body(self, limit: int = MAX_BODY) -> bytes:
        """The whole request body. Raises Gone; TooLarge beyond `limit` bytes."""
        parts: list[bytes] = []
        size = 0
        message = await self._receive()
        while True:
            if message["type"] == "http.disconnect":
                raise Gone
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > limit:
                raise TooLarge
            if not message.get("more_body"):
                return b"".join(parts)
            message = await self._receive()

    async def reply(
        self, status: int, body: bytes, headers: Headers, content_type: bytes = b"application/json"
    ) -> None:
        """A whole reply."""
        await self.start(
            status, [(b"content-length", str(len(body)).encode()), *headers], content_type
        )
        await self.write(body, more=False)

    async def start(self, status: int, headers: Headers, content_type: bytes) -> None:
        """Status and headers; `write` sends the rest."""
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(b"content-type", content_type), *headers],
            }
        )

    async def write(self, data: bytes, *, more: bool = True) -> None:
        if self._transport.is_closing():
            raise Gone
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def pause(self, seconds: float) -> None:
        """Wait, unless the caller goes first."""
        if seconds <= 0:
            # One turn of the loop, in which a closed connection is noticed.
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(seconds):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            return
        raise Gone

    async def drop(self) -> None:
        """Close the connection after what was written, whatever the reply still lacked."""
        self._transport.close()
        while (await self._receive())["type"] != "http.disconnect":
            pass
