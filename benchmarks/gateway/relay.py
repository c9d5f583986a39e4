"""The bare relay: raw ASGI on uvicorn and our pooled client, and nothing else.

    python -m benchmarks.gateway.relay PORT UPSTREAM_PORT

No key is checked, nothing routed, priced or written down, so what the gateway costs beyond this is
what its own work costs. Deadlines, cancellation and back-pressure are the client's, as they are the
gateway's.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

from hybridllm.config import Deadlines
from hybridllm.providers.client import Client
from hybridllm.providers.head import field_lines, request_line
from hybridllm.providers.origin import Origin

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON = [(b"content-type", b"application/json")]
EVENTS = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
MAX_CONNECTIONS = 4000


class Relay:
    """Hands every request on to the same path of the upstream."""

    def __init__(self, upstream_port: int) -> None:
        origin = Origin(f"http://127.0.0.1:{upstream_port}", env={})
        self._client = Client()
        self._pool = self._client.pool(origin, MAX_CONNECTIONS)
        self._deadlines = Deadlines()
        self._fixed = field_lines(
            (
                (b"host", origin.authority.encode()),
                (b"content-type", b"application/json"),
                (b"authorization", b"Bearer sk-upstream"),
            )
        )
        self._heads: dict[str, bytes] = {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError("HTTP alone is relayed.")
        path: str = scope["path"]
        head = self._heads.get(path)
        if head is None:
            head = self._heads[path] = request_line("POST", path) + self._fixed
        body = await _body(receive)
        response = await self._client.request(self._pool, head, (), body, self._deadlines)
        if response.headers.get("content-type", "").startswith("text/event-stream"):
            await send(
                {"type": "http.response.start", "status": response.status, "headers": EVENTS}
            )
            try:
                while piece := await response.chunk():
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            finally:
                response.close()
            await send({"type": "http.response.body", "body": b""})
            return
        reply = await response.read()
        length = [(b"content-length", b"%d" % len(reply))]
        await send(
            {"type": "http.response.start", "status": response.status, "headers": JSON + length}
        )
        await send({"type": "http.response.body", "body": reply})


async def _body(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def main() -> None:
    port, upstream_port = int(sys.argv[1]), int(sys.argv[2])
    uvicorn.run(
        Relay(upstream_port),
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        backlog=4096,
    )


if __name__ == "__main__":
    main()
