"""The HTTP/1.1 client: a pool an origin, a request on the first free connection, its Response."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from hybridllm.config import Deadlines
from hybridllm.errors import ErrorKind, ProviderError
from hybridllm.providers.head import field_lines
from hybridllm.providers.origin import Origin
from hybridllm.providers.pool import IDLE_SECONDS, Pool
from hybridllm.providers.response import Response

__all__ = ["Client", "Response"]


class Client:
    """Speaks HTTP/1.1 to any number of origins. Belongs to the event loop that it first runs on."""

    def __init__(self, idle_seconds: float = IDLE_SECONDS) -> None:
        self._idle_seconds = idle_seconds

    def pool(self, origin: Origin, max_connections: int) -> Pool:
        """A new pool of connections to `origin`; `Pool.retire` closes it."""
        return Pool(
            origin.authority, lambda: origin.connect(self._idle_seconds), max(1, max_connections)
        )

    async def request(
        self,
        pool: Pool,
        head: bytes,
        headers: Iterable[tuple[bytes, bytes]],
        body: bytes,
        deadlines: Deadlines,
        *,
        once: bool = False,
    ) -> Response:
        """Send a request and wait for the head of its reply.

        `head` is the request line and the lines of fixed headers (`head.request_line`,
        `head.field_lines`); `headers` come after it, then the length of `body`.

        The server may close a connection that was kept alive in the moment in which it is used
        again. If it does so before any byte of a reply, the request goes out once more, on a new
        connection. With `once` it never does: a new connection is made for it.

        Raises ProviderError (CONNECTION, TIMEOUT naming the deadline, MALFORMED_REPLY), and
        RequestError for a header that could end its line. A cancelled caller closes the connection.
        """
        lines = field_lines(headers)
        head = b"%b%bcontent-length: %d\r\n\r\n" % (head, lines, len(body))
        started = asyncio.get_running_loop().time()
        connection = None if once else pool.idle()
        if connection is not None:
            response = connection.send(head, body, deadlines, started)
            try:
                await response.head()
                return response
            except ProviderError as e:
                if response.touched or e.kind is not ErrorKind.CONNECTION:
                    raise
        connection = await pool.fresh(min(deadlines.connect, deadlines.total))
        response = connection.send(head, body, deadlines, started)
        await response.head()
        return response
