"""One HTTP request as the gateway's endpoints see it: headers, key, body within its limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from hybridllm.errors import ErrorKind, RequestError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Disconnected(Exception):
    """The caller went away before the request was whole."""


class Request:
    """`headers` have lower-case names; of a repeated header the last counts."""

    __slots__ = ("_receive", "headers", "scope")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self._receive = receive

    def text(self, name: bytes) -> str | None:
        """A header's value, or None if it is absent or empty."""
        value = self.headers.get(name)
        return value.decode("latin-1") if value else None

    def query(self, name: str) -> str | None:
        """The first value of a query parameter."""
        raw = self.scope["query_string"]
        if not raw:
            return None
        values = parse_qs(raw.decode("latin-1"), max_num_fields=50).get(name)
        return values[0] if values else None

    def key(self) -> bytes | None:
        """The API key in whichever way the caller's SDK sends it."""
        headers = self.headers
        bearer = headers.get(b"authorization")
        if bearer is not None and bearer[:7].lower() == b"bearer ":
            return bearer[7:].strip()
        found = headers.get(b"x-api-key") or headers.get(b"x-goog-api-key")
        if found is None and (in_query := self.query("key")) is not None:
            return in_query.encode()
        return found

    async def body(self, limit: int, seconds: float) -> bytes:
        """The whole body. Raises RequestError (TOO_LARGE before reading where the length is
        declared, TIMEOUT) and Disconnected."""
        self._check_length(limit)
        if _is_here(self._receive):
            return await self._read(limit)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - an ASGI server always runs us in a task
        late = _Late(task)
        timer = asyncio.get_running_loop().call_later(seconds, late)
        try:
            return await self._read(limit)
        except asyncio.CancelledError:
            if late.called and task.uncancel() <= 0:
                raise _too_slow(seconds) from None
            raise
        finally:
            timer.cancel()

    async def pieces(self, limit: int, seconds: float) -> AsyncIterator[bytes]:
        """The body as it arrives, for one that is too large to be held. Raises as `body` does,
        but of time: TIMEOUT when nothing has come for `seconds`."""
        self._check_length(limit)
        size, more = 0, True
        while more:
            try:
                async with asyncio.timeout(seconds):
                    message = await self._receive()
            except TimeoutError:
                raise _too_slow(seconds) from None
            if message["type"] == "http.disconnect":
                raise Disconnected
            part: bytes = message.get("body", b"")
            more = message.get("more_body", False)
            size += len(part)
            if size > limit:
                raise _too_large(limit)
            if part:
                yield part

    def _check_length(self, limit: int) -> None:
        declared = self.headers.get(b"content-length")
        if declared is not None and (not declared.isdigit() or int(declared) > limit):
            raise _too_large(limit)

    async def _read(self, limit: int) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise _too_large(limit)
            if not message.get("more_body", False):
                return b"".join([*parts, part]) if parts else part
            parts.append(part)


def _is_here(receive: Receive) -> bool:
    """Whether the whole body has arrived, as most have by the time that anyone asks: uvicorn's
    `receive` belongs to a cycle that knows."""
    return getattr(getattr(receive, "__self__", None), "more_body", True) is False


class _Late:
    """Cancels a task that takes too long, and remembers that it did."""

    __slots__ = ("_task", "called")

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._task = task
        self.called = False

    def __call__(self) -> None:
        self.called = True
        self._task.cancel()


def _too_large(limit: int) -> RequestError:
    return RequestError(
        f"The body is larger than {limit:,} bytes.",
        kind=ErrorKind.TOO_LARGE,
        remedy="Send less, or raise server.max_body_bytes (of a batch or a file: batch.max_bytes) "
        "in hybridllm.toml.",
    )


def _too_slow(seconds: float) -> RequestError:
    return RequestError(
        f"The body did not arrive within {seconds:g} seconds.",
        kind=ErrorKind.TIMEOUT,
        status=408,
        remedy="Send it faster, or raise server.body_seconds in hybridllm.toml.",
    )
