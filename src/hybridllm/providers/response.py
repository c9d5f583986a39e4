"""One HTTP reply: filled by its connection, emptied by its reader."""

from __future__ import annotations

import asyncio
from typing import Protocol

from hybridllm.errors import ErrorKind, ProviderError

MAX_REPLY_BYTES = 67_108_864


class Source(Protocol):
    """The connection that a response comes from, as its reader sees it."""

    def resume(self) -> None:
        """The buffered bytes were taken: go on reading if reading was paused."""
        ...

    def abort(self) -> None:
        """Close at once, so that the server stops working on the reply."""
        ...


class Response:
    """`status` is the HTTP status, `headers` have lower-case names (of repeated ones, the last).

    The connection goes back to its pool as soon as the last byte has arrived, read or not. Until
    then the response must be read to its end or closed.
    """

    __slots__ = (
        "_error",
        "_pieces",
        "_source",
        "_waiter",
        "buffered",
        "complete",
        "headers",
        "host",
        "status",
        "touched",
    )

    def __init__(self, source: Source, host: str) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.host = host
        self.buffered = 0
        """Bytes of the body that have arrived and are unread."""
        self.complete = False
        """The last byte of the body has arrived."""
        self.touched = False
        """A byte of the reply, even of its head, has arrived."""
        self._source: Source | None = source
        self._pieces: list[bytes] = []
        self._error: ProviderError | None = None
        self._waiter: asyncio.Future[None] | None = None

    def __repr__(self) -> str:
        return f"<Response {self.status} from {self.host}>"

    # -- the reader's side

    async def head(self) -> None:
        """Wait for status and headers. Raises ProviderError (CONNECTION, TIMEOUT,
        MALFORMED_REPLY)."""
        while not self.status:
            if self._error is not None:
                raise self._error
            await self._arrival()

    async def chunk(self) -> bytes:
        """The next bytes of the body as they arrived, or b"" at its end. What came before a
        failure is handed out first. Raises ProviderError (CONNECTION, TIMEOUT, MALFORMED_REPLY)."""
        while not self._pieces:
            if self.complete:
                return b""
            if self._error is not None:
                raise self._error
            await self._arrival()
        pieces = self._pieces
        piece = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self.buffered = 0
        if self._source is not None:
            self._source.resume()
        return piece

    async def read(self, limit: int = MAX_REPLY_BYTES) -> bytes:
        """The rest of the body. Raises ProviderError as `chunk`, and with MALFORMED_REPLY as soon
        as the body turns out to be longer than `limit` bytes."""
        announced = self.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > limit:
            raise self._too_long(limit)
        pieces: list[bytes] = []
        size = 0
        while not self.complete:
            piece = await self.chunk()
            size += len(piece)
            if size > limit:
                raise self._too_long(limit)
            pieces.append(piece)
        pieces += self._pieces
        self._pieces.clear()
        if size + self.buffered > limit:
            raise self._too_long(limit)
        self.buffered = 0
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Done with it: unless the whole reply has arrived, the connection is dropped at once.
        May be called again."""
        if not self.complete and self._error is None:
            self._error = ProviderError(
                f"The reply of {self.host} was closed before its end.",
                kind=ErrorKind.CONNECTION,
                retryable=False,
            )
        source, self._source = self._source, None
        if source is not None:
            source.abort()
        self._pieces.clear()
        self.buffered = 0
        self._wake()

    async def _arrival(self) -> None:
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        try:
            await waiter
        except asyncio.CancelledError:
            self.close()
            raise

    def _too_long(self, limit: int) -> ProviderError:
        self.close()
        return ProviderError(
            f"The reply of {self.host} is longer than {limit} bytes.",
            kind=ErrorKind.MALFORMED_REPLY,
        )

    # -- the connection's side. Waking only schedules the reader: it runs when the connection has
    # taken in all that arrived together.

    def begin(self, status: int, headers: dict[str, str]) -> None:
        """The head is complete."""
        self.status = status
        self.headers = headers
        self._wake()

    def add(self, piece: bytes) -> None:
        """Bytes of the body."""
        self._pieces.append(piece)
        self.buffered += len(piece)
        if self._waiter is not None:
            self._wake()

    def finish(self) -> None:
        """The body is complete, and the connection no longer ours."""
        self.complete = True
        self._source = None
        self._wake()

    def fail(self, error: ProviderError) -> None:
        """Nothing more will come."""
        if self._error is None:
            self._error = error
        self._source = None
        self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
